"""The console's data: causes and letters, receipts and the ways of their events, redriving, and examples to try."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace import Catalog, Count
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalogs import cloudtrail
from millrace.core.catalogs.retail import catalog as retail
from millrace.core.records import Receipt
from millrace.core.redriving import Choice
from millrace.core.services.archive import Archive
from millrace.core.services.generations import Generations
from millrace.entrypoints.http.application import Application
from millrace.entrypoints.http.console import letters as letters_module
from millrace.entrypoints.http.console.latest import latest
from millrace.entrypoints.http.console.routes import CONSOLE
from millrace.entrypoints.http.messages import Request, Response
from millrace.entrypoints.platform import Platform
from millrace.entrypoints.redriving import redrive

from .test_http_requests import PURCHASE, START, problem

JSON = {"content-type": "application/json"}
BROKEN = {**PURCHASE, "eventId": "broken", "data": {**PURCHASE["data"], "amount": -1, "currency": "XYZ"}}  # type: ignore[dict-item]
CONFLICT = {**PURCHASE, "eventTime": START // 1_000_000, "data": {**PURCHASE["data"], "amount": "13.00"}}  # type: ignore[dict-item]
ROBOT = {"eventType": "page_view", "data": {"visitor_id": "v", "url": "/", "bot": True}}
TIMED = {**PURCHASE, "eventTime": START // 1_000_000}


class Clock:
    """Goes on by a second each time it is asked."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> int:
        self.time += 1_000_000
        return self.time


@attrs.frozen
class Console:
    """A platform that redrives by itself, as the server has it redriven."""

    platform: Platform

    def __getattr__(self, name: str) -> Any:
        return getattr(self.platform, name)

    def redrive(self, choice: Choice, dry_run: bool) -> dict[str, Any]:
        return redrive(self.platform, choice, dry_run=dry_run)


def console(catalog: Catalog = retail, of: Console | None = None) -> Console:
    """A console over new stores, or over those of another one with another catalog."""
    stores = memory_stores() if of is None else of.platform.stores
    return Console(Platform.assemble(catalog, stores, Clock(), RandomReceiptIds()))


def ask(
    site: Console,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] = JSON,
    query: Mapping[str, Sequence[str]] | None = None,
) -> Response:
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    request = Request(method=method, path=path, body=sent, headers=headers, query=query or {})
    application: Any = Application(site, routes=CONSOLE)
    answer: Response = application.respond(request)
    return answer


def get(site: Console, path: str, **query: str) -> Any:
    response = ask(site, "GET", path, query={name: [text] for name, text in query.items()})
    assert response.status == 200, response.body
    return json.loads(response.body)


def pages(site: Console, path: str, **query: str) -> list[Any]:
    """Every page by following the links."""
    found: list[Any] = []
    asked: dict[str, list[str]] = {name: [text] for name, text in query.items()}
    while True:
        response = ask(site, "GET", path, query=asked)
        assert response.status == 200, response.body
        found.append(json.loads(response.body))
        link = response.headers.get("link")
        if link is None:
            return found
        assert len(found) < 1000, "the pages do not end"
        asked = parse_qs(link[2:].partition(">")[0], strict_parsing=True, keep_blank_values=True)


def send(site: Console, *events: Any, drain: bool = True) -> str:
    """Accept events as one receipt, and process it."""
    raw = b"\n".join(e if isinstance(e, bytes) else json.dumps(e).encode() for e in events)
    receipt = site.platform.ingest.chunk(raw, source="shop", content_type="application/x-ndjson", origin="test")
    if drain:
        list(site.platform.work.drain())
    return receipt


def outcomes(site: Console, receipt: str) -> list[str | None]:
    return [event["outcome"] for event in get(site, f"/console/receipts/{receipt}")["events"]]


# ------------------------------------------------------------------------------------------------------- dead letters


def test_letters_are_grouped_by_cause_the_most_frequent_first() -> None:
    site = console()
    send(site, *({**BROKEN, "eventId": str(n)} for n in range(3)), b"no json", PURCHASE)
    [first, second] = get(site, "/console/causes")
    assert (first["reason"], first["eventType"], first["letters"], first["occurrences"]) == (
        "invalid",
        "purchase",
        3,
        3,
    )
    assert second["reason"] == "malformed"
    assert first["example"]["pointer"] == "/data/amount"


def test_pages_of_causes_add_up_whatever_one_request_looks_at(monkeypatch: pytest.MonkeyPatch) -> None:
    site = console()
    send(site, *({**BROKEN, "eventId": str(n)} for n in range(11)), b"no json", b"none either")
    monkeypatch.setattr(letters_module, "LOOKED_AT", 4)
    found = pages(site, "/console/causes")
    assert len(found) == 4
    assert sum(row["letters"] for page in found for row in page) == 13
    [fingerprint] = {row["fingerprint"] for page in found for row in page if row["reason"] == "invalid"}
    listed = pages(site, "/console/letters", fingerprint=fingerprint, limit="3")
    assert len({row["id"] for page in listed for row in page}) == 11
    assert all(len(page) <= 3 for page in listed)


def test_a_letter_is_shown_with_its_event_as_it_was_received() -> None:
    site = console()
    receipt = send(site, PURCHASE, BROKEN)
    [row] = get(site, "/console/letters")
    found = get(site, f"/console/letters/{row['id']}")
    assert json.loads(found["document"]) == BROKEN
    assert found["size"] == len(found["document"])
    assert {v["pointer"] for v in found["violations"]} == {"/data/amount", "/data/currency"}
    assert found["occurrences"] == [{"receipt": receipt, "index": 1}]
    assert found["line"] == 2
    assert "redriven" in problem(ask(site, "GET", "/console/letters/nothing"))["detail"]


def test_a_document_that_is_no_text_and_too_large_is_shown_escaped_and_cut() -> None:
    site = console()
    send(site, b'"\xff' + b"x" * 300_000 + b'"')
    [row] = get(site, "/console/letters")
    found = get(site, f"/console/letters/{row['id']}")
    assert found["document"].startswith('"\\xffxxx')
    assert len(found["document"]) < 263_000 < found["size"] == 300_003


# ------------------------------------------------------------------------------------------------------------ redrive


def mended() -> Catalog:
    """The retail catalog's types, so lenient that whatever was sent passes."""
    catalog = Catalog("retail")

    @catalog.event("purchase", unknown="keep")
    @attrs.frozen
    class Purchase:
        order_id: str

    catalog.view("orders", over=Purchase, every=timedelta(hours=1), measures={"orders": Count()})
    return catalog


def test_a_redrive_tells_first_and_then_does_it_once() -> None:
    site = console()
    receipt = send(site, PURCHASE, BROKEN)
    [cause] = get(site, "/console/causes")
    order = {"fingerprint": cause["fingerprint"]}
    fixed = console(mended(), site)
    told = json.loads(ask(fixed, "POST", "/console/redrive", order).body)
    assert (told["dry_run"], told["letters"], told["passed"], told["more"]) == (True, 1, 1, False)
    assert len(get(fixed, "/console/letters")) == 1
    done = json.loads(ask(fixed, "POST", "/console/redrive", {**order, "dry_run": False}).body)
    assert (done["dry_run"], done["passed"], done["causes"][0]["reason"]) == (False, 1, "invalid")
    assert get(fixed, "/console/letters") == []
    assert outcomes(fixed, receipt) == ["curated", "curated"]
    again = json.loads(ask(fixed, "POST", "/console/redrive", {**order, "dry_run": False}).body)
    assert again["letters"] == 0


def test_one_letter_is_redriven_by_its_id_and_the_views_follow() -> None:
    site = console()
    for number in range(3):
        send(site, {**BROKEN, "eventId": str(number)})
    [first, *rest] = get(site, "/console/letters")
    fixed = console(mended(), site)
    done = json.loads(ask(fixed, "POST", "/console/redrive", {"letter": first["id"], "dry_run": False}).body)
    assert (done["letters"], done["passed"]) == (1, 1)
    assert [row["id"] for row in get(fixed, "/console/letters")] == [row["id"] for row in rest]
    [row] = Generations(fixed.stores.views).rows(fixed.catalog.views["orders"], since=0, until=2**60)
    assert row.states == (1,)


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/jsonx"}])
def test_an_order_that_is_not_said_to_be_json_is_not_taken(headers: dict[str, str]) -> None:
    response = ask(console(), "POST", "/console/redrive", {"letter": "x", "dry_run": False}, headers)
    assert response.status == 415
    assert problem(response)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"\xff", b'{"letter":1}', b'{"letter":"a","fingerprint":"b"}', b'{"letter":"a","x":1}']
)
def test_an_order_that_does_not_say_what_to_redrive_is_refused(body: bytes) -> None:
    response = ask(console(), "POST", "/console/redrive", body)
    assert response.status == 400
    assert problem(response)["type"] == "urn:millrace:problem:order"


def test_an_order_that_is_too_long_is_refused() -> None:
    assert ask(console(), "POST", "/console/redrive", {"letter": "x" * 5000}).status == 413


# ----------------------------------------------------------------------------------------------------------- receipts


def test_every_outcome_is_told_of_the_events_of_a_receipt() -> None:
    site = console()
    first = send(site, TIMED)
    second = send(site, PURCHASE | {"eventId": "new"}, TIMED, CONFLICT, ROBOT, BROKEN, b"no json")
    assert outcomes(site, first) == ["curated"]
    events = get(site, f"/console/receipts/{second}")["events"]
    assert [event["outcome"] for event in events] == [
        "curated", "duplicate", "dead-lettered", "filtered", "dead-lettered", "dead-lettered",
    ]  # fmt: skip
    assert [event["stage"] for event in events] == [None, None, "insert", None, "validate", "decode"]
    assert events[0]["curated"]["eventId"] == "new"
    assert events[1]["first"] == {"receipt": first, "index": 0}
    for event in (events[2], events[4], events[5]):
        assert get(site, f"/console/letters/{event['letter']}")["index"] == event["index"]


def test_what_waits_has_no_outcome_yet() -> None:
    site = console()
    receipt = send(site, PURCHASE, BROKEN, ROBOT, drain=False)
    shown = get(site, f"/console/receipts/{receipt}")
    assert shown["ledger"] is None
    assert outcomes(site, receipt) == [None, None, None]
    list(site.platform.work.drain())
    assert outcomes(site, receipt) == ["curated", "dead-lettered", "filtered"]


def test_the_way_does_not_change_with_the_catalog() -> None:
    site = console()
    receipt = send(site, PURCHASE, BROKEN)
    assert outcomes(console(mended(), site), receipt) == ["curated", "dead-lettered"]


def test_an_event_without_a_time_is_found_by_its_marker() -> None:
    site = console()
    first, second = send(site, PURCHASE), send(site, PURCHASE)
    assert (outcomes(site, first), outcomes(site, second)) == (["curated"], ["duplicate"])


def test_what_is_archived_is_curated_still() -> None:
    site = console()
    receipt = send(site, {**PURCHASE, "eventTime": "2026-01-01T00:00:00Z"})
    archive = Archive(site.stores, site.clock, site.project, margin=0)
    archive.announce(START - 86_400_000_000)
    assert sum(batch.records for batch in archive.run(["purchase"])) == 1
    assert site.stores.curated.count() == 0
    assert outcomes(site, receipt) == ["curated"]


def test_the_events_of_a_receipt_come_in_pages() -> None:
    site = console()
    receipt = send(site, *({**PURCHASE, "eventId": str(n)} for n in range(10)))
    found = pages(site, f"/console/receipts/{receipt}", limit="3")
    assert [[event["index"] for event in page["events"]] for page in found] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert {page["count"] for page in found} == {10}
    assert [event["eventId"] for page in found for event in page["events"]] == [str(n) for n in range(10)]


def test_the_bytes_of_a_receipt_are_bounded() -> None:
    site = console()
    receipt = send(site, *({**PURCHASE, "eventId": "x" * 2000} for _ in range(20)))
    shown = get(site, f"/console/receipts/{receipt}")
    assert len(shown["document"]) == 16 * 1024 < shown["size"]
    assert all(len(event["document"]) == 2048 < event["size"] for event in shown["events"])


def test_an_event_in_binary_mode_has_its_way_too() -> None:
    site = console()
    headers = {"ce-specversion": "1.0", "ce-id": "b", "ce-source": "/s", "ce-type": "purchase"}
    accepted = site.platform.ingest.request(
        json.dumps(PURCHASE["data"]).encode(), source="shop", content_type="application/json", headers=headers
    )
    list(site.platform.work.drain())
    shown = get(site, f"/console/receipts/{accepted.receipt}")
    assert shown["headers"] == headers
    assert [(event["outcome"], event["eventId"]) for event in shown["events"]] == [("curated", "b")]


def test_a_receipt_of_a_source_that_the_catalog_lacks_says_so() -> None:
    site = console(cloudtrail.catalog)
    body = b'{"Records": []}'
    accepted = site.platform.ingest.chunk(
        body, source="x", content_type="application/json", origin="o", foreign="cloudtrail"
    )
    shown = get(console(retail, site), f"/console/receipts/{accepted}")
    assert "cloudtrail" in shown["why"]
    assert (shown["count"], shown["events"]) == (None, [])


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fetc%2Fpasswd", "01a00000-0000-7000-8000-00000000000"])
def test_a_receipt_that_is_not_there_is_a_problem(name: str) -> None:
    assert problem(ask(console(), "GET", f"/console/receipts/{name}"))["status"] == 404


def test_receipts_come_latest_first_in_pages_with_their_ledger() -> None:
    site = console()
    sent = [send(site, {**PURCHASE, "eventId": str(n)}) for n in range(12)]
    waiting = send(site, PURCHASE, drain=False)
    found = pages(site, "/console/receipts", limit="5")
    assert [row["receipt"] for page in found for row in page] == [waiting, *reversed(sent)]
    assert found[0][0]["ledger"] is None
    assert found[0][1]["ledger"] == {"events": 1, "curated": 1, "duplicate": 0, "filtered": 0, "dead_lettered": 0}


@given(
    times=st.lists(
        st.integers(0, START // 1000 + 86_399_999)
        | st.integers(START // 1000 - 3000, START // 1000)
        | st.just(START // 1000 - 7),
        max_size=40,
    ),
    limit=st.integers(1, 3),
)
def test_the_latest_receipts_are_found_wherever_they_lie(times: list[int], limit: int) -> None:
    ids = RandomReceiptIds()
    known = sorted(ids.new(time * 1000) for time in times)
    asked: list[int] = []

    class Log:
        def list(self, *, since: int, until: int, after: str | None, limit: int) -> list[str]:
            asked.append(since)
            inside = [r for r in known if since // 1000 <= int(r[:8] + r[9:13], 16) < until / 1000]
            return [r for r in inside if after is None or r > after][: min(limit, 4)]

    log: Any = Log()
    before, found = None, list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("millrace.entrypoints.http.console.latest.PAGE", 4)
        while page := latest(log, START, before, limit):
            found += page
            before = page[-1]
    assert found == sorted(known, reverse=True)
    assert len(asked) <= (len(known) + 2) * 60


# ----------------------------------------------------------------------------------------------------- all, and bounds


BAD: list[tuple[str, dict[str, list[str]]]] = [
    ("/console/causes", {"colour": ["red"]}),
    ("/console/letters", {"limit": ["0"]}),
    ("/console/letters", {"limit": ["501"]}),
    ("/console/letters", {"limit": ["²"]}),
    ("/console/letters", {"fingerprint": ["a", "b"]}),
    ("/console/letters", {"cursor": ["!"]}),
    ("/console/receipts", {"cursor": ["IngiZg"]}),
    ("/console/receipts", {"cursor": ["Ii0xIg"]}),
]


@pytest.mark.parametrize(("path", "query"), BAD)
def test_a_query_that_is_wrong_is_a_problem(path: str, query: dict[str, list[str]]) -> None:
    response = ask(console(), "GET", path, query=query)
    assert response.status == 400
    assert problem(response)


@pytest.mark.parametrize(("catalog", "name"), [(retail, name) for name in sorted(retail.declared)])
def test_an_example_of_every_type_passes(catalog: Catalog, name: str) -> None:
    site = console(catalog)
    event = get(site, f"/console/examples/{name}")
    assert event["eventType"] == name
    receipt = send(site, event)
    assert outcomes(site, receipt) == ["curated"]


def test_an_example_of_an_unknown_type_is_a_problem() -> None:
    assert ask(console(), "GET", "/console/examples/nothing").status == 404


def test_every_route_is_under_the_console_and_none_is_a_route_of_the_api() -> None:
    assert all(re.match(r"/console/[a-z]+", route.path) for route in CONSOLE)
    assert all(route.find() is route.find() for route in CONSOLE)


def test_receipt_ids_tell_their_time() -> None:
    identity = RandomReceiptIds().new(START)
    receipt = Receipt(id=identity, received_at=START)
    from millrace.entrypoints.http.console.latest import millisecond_of

    assert millisecond_of(receipt.id) == START // 1000
