"""The console's data on every adapter: the same answers, wherever things are kept."""

from typing import Any

from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalogs.retail import catalog as retail
from millrace.core.ports import Stores
from millrace.entrypoints.platform import Platform

from ..contracts.conftest import stores
from .test_http_console import BROKEN, CONFLICT, ROBOT, TIMED, Clock, Console, ask, get, outcomes, pages, send
from .test_http_requests import PURCHASE

__all__ = ["stores"]


def test_causes_letters_receipts_and_ways_are_told_of_every_store(stores: Stores) -> None:
    site = Console(Platform.assemble(retail, stores, Clock(), RandomReceiptIds()))
    first = send(site, TIMED)
    second = send(site, {**PURCHASE, "eventId": "new"}, TIMED, CONFLICT, ROBOT, BROKEN, b"no json")
    waiting = send(site, PURCHASE, drain=False)
    assert [row["receipt"] for page in pages(site, "/console/receipts", limit="1") for row in page] == [
        waiting, second, first,
    ]  # fmt: skip
    assert get(site, "/console/receipts")[0]["ledger"] is None
    assert outcomes(site, first) == ["curated"]
    told = ["curated", "duplicate", "dead-lettered", "filtered", "dead-lettered", "dead-lettered"]
    assert [
        event["outcome"] for page in pages(site, f"/console/receipts/{second}", limit="4") for event in page["events"]
    ] == told
    assert {row["reason"]: row["letters"] for row in get(site, "/console/causes")} == {
        "conflict": 1, "invalid": 1, "malformed": 1,
    }  # fmt: skip
    [invalid] = [row for row in get(site, "/console/letters") if row["reason"] == "invalid"]
    assert get(site, f"/console/letters/{invalid['id']}")["document"]
    for dry in (True, False):
        answer: Any = ask(site, "POST", "/console/redrive", {"fingerprint": invalid["fingerprint"], "dry_run": dry})
        assert answer.status == 200
    assert outcomes(site, second) == told
