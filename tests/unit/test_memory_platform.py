"""The platform in memory that authors test their catalogs with."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import attrs
import pytest

import millrace.testing
from millrace import Catalog, Count, Gt, Sum
from millrace.core.services.ingest import NothingAccepted
from millrace.entrypoints.files import InputError
from millrace.testing import MemoryPlatform


@attrs.frozen
class Sale:
    order: str
    amount: Annotated[Decimal, Gt(0)]
    currency: str = "EUR"


def shop() -> Catalog:
    catalog = Catalog("shop")
    catalog.event("sale")(Sale)
    catalog.transform(Sale)(lambda sale: None if sale.order == "test" else attrs.asdict(sale))
    measures = {"sales": Count(), "total": Sum("amount")}
    catalog.view("revenue", over=Sale, every=timedelta(hours=1), by=["currency"], measures=measures)
    catalog.source("till", records="/sales", type="sale", id="/uid")
    return catalog


SHOP = shop()


def sale(number: str, amount: Any = "12.50", **more: Any) -> dict[str, Any]:
    return {"eventType": "sale", "eventId": number, "data": {"order": f"o-{number}", "amount": amount}, **more}


def test_what_was_sent_is_curated_viewed_and_dead_lettered_as_plain_dicts() -> None:
    platform = MemoryPlatform(SHOP)
    receipt = platform.send(sale("1"), sale("2", -1), source="till-7")
    [event] = platform.events(Sale)
    assert event == {
        "eventId": "1",
        "eventType": "sale",
        "eventTime": "2026-11-23T12:00:00Z",
        "source": "till-7",
        "schemaVersion": 1,
        "curatedAt": "2026-11-23T12:00:00Z",
        "receipt": receipt,
        "order": "o-1",
        "amount": Decimal("12.50"),
        "currency": "EUR",
    }
    assert platform.view("revenue") == [
        {"window": "2026-11-23T12:00:00Z", "group": {"currency": "EUR"}, "sales": 1, "total": Decimal("12.5")}
    ]
    [letter] = platform.dead_letters()
    assert (letter["reason"], letter["eventId"], letter["receipt"], letter["index"]) == ("invalid", "2", receipt, 1)
    assert letter["violations"] == [{"pointer": "/data/amount", "code": "gt", "message": "is not greater than 0"}]


def test_drain_says_what_became_of_what_was_sent_since_and_outcomes_of_everything() -> None:
    platform = MemoryPlatform(SHOP)
    platform.send(sale("1"), {"eventType": "sale", "order": "test", "amount": 1}, sale("3", 0))
    first = platform.drain()
    assert first == {
        "receipts": 1,
        "events": 3,
        "curated": 1,
        "duplicate": 0,
        "filtered": 1,
        "dead_lettered": 1,
        "dead_letters": {"invalid": 1},
    }
    platform.send(sale("1"))
    assert (platform.drain()["duplicate"], platform.drain()["events"]) == (1, 0)
    assert (platform.outcomes["events"], platform.outcomes["duplicate"]) == (4, 1)


def test_time_stands_still_until_it_is_told_otherwise() -> None:
    platform = MemoryPlatform(SHOP, now=datetime(2026, 1, 1, tzinfo=UTC))
    platform.send(sale("1"))
    platform.advance(timedelta(hours=2, microseconds=1))
    platform.send(sale("2"))
    platform.now = datetime.fromisoformat("2025-01-01T01:00:00+01:00")
    assert platform.now == datetime(2025, 1, 1, tzinfo=UTC)
    platform.send(sale("3"))
    assert {event["eventId"]: event["eventTime"] for event in platform.events("sale")} == {
        "3": "2025-01-01T00:00:00Z",
        "1": "2026-01-01T00:00:00Z",
        "2": "2026-01-01T02:00:00.000001Z",
    }
    with pytest.raises(ValueError, match="has no offset"):
        platform.now = datetime(2026, 1, 1)  # noqa: DTZ001 (that is what is refused)


def test_the_same_calls_give_the_same_results() -> None:
    def results() -> Any:
        platform = MemoryPlatform(SHOP)
        platform.send(sale("1"), {"eventType": "sale", "order": "x", "amount": 1})
        platform.send(sale("2", "none"))
        return platform.events(), platform.view("revenue"), platform.dead_letters()

    assert results() == results()


def test_receipts_have_ids_of_their_own_in_the_order_they_came() -> None:
    platform = MemoryPlatform(SHOP)
    receipts = [platform.send(sale(str(number))) for number in range(20)]
    assert sorted(set(receipts)) == receipts
    assert {UUID(receipt).version for receipt in receipts} == {7}


@attrs.frozen
class Visit:
    by: UUID
    on: date
    at: datetime
    raw: bytes
    seconds: float


def test_values_of_python_are_sent_as_json_has_them() -> None:
    catalog = Catalog("visits")
    catalog.event("visit")(Visit)
    platform = MemoryPlatform(catalog)
    data = {"by": UUID(int=1), "on": date(2026, 1, 2), "at": datetime(2026, 1, 2, tzinfo=UTC), "raw": b"x"}
    platform.send({"eventType": "visit", "data": {**data, "seconds": 1.5}})
    [event] = platform.events(Visit)
    assert (event["by"], event["on"], event["at"]) == (str(UUID(int=1)), "2026-01-02", "2026-01-02T00:00:00Z")
    assert (event["raw"], event["seconds"]) == ("eA==", Decimal("1.5"))


def test_cloud_events_texts_bytes_and_foreign_documents_are_sent_as_they_are() -> None:
    platform = MemoryPlatform(SHOP)
    data = {"order": "c", "amount": 1}
    platform.send(
        {"specversion": "1.0", "type": "sale", "id": "1", "source": "/s", "data": data},
        json.dumps(sale("2")),
        json.dumps(sale("3")).encode(),
    )
    platform.send({"sales": [{"uid": "4", **data}, {"uid": "5", **data}]}, foreign="till")
    assert sorted(event["eventId"] for event in platform.events()) == ["1", "2", "3", "4", "5"]


def test_what_is_no_event_is_answered_and_not_kept() -> None:
    platform = MemoryPlatform(SHOP)
    with pytest.raises(NothingAccepted):
        platform.send("{", {"no": "event"})
    assert platform.outcomes["receipts"] == 0
    platform.send("{", sale("1"))
    assert platform.drain()["dead_letters"] == {"malformed": 1}


def test_the_same_idempotency_key_makes_the_same_ids() -> None:
    platform = MemoryPlatform(SHOP)
    for _ in range(2):
        platform.send({"eventType": "sale", "eventTime": 1_795_399_200, "order": "a", "amount": 1}, key="k")
    assert platform.drain()["duplicate"] == 1


def test_files_are_run_as_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(f"{json.dumps(sale('1'))}\n{{\n")
    (tmp_path / "b.json").write_text(json.dumps({"sales": [{"uid": "4", "order": "a", "amount": 1}]}))
    platform = MemoryPlatform(SHOP)
    assert platform.run(tmp_path / "a.ndjson")["dead_letters"] == {"malformed": 1}
    [letter] = platform.dead_letters()
    assert (letter["origin"], letter["line"]) == (str(tmp_path / "a.ndjson"), 2)
    assert platform.run(tmp_path / "b.json", source="till")["curated"] == 1
    assert platform.run(tmp_path / "a.ndjson")["duplicate"] == 1
    with pytest.raises(InputError, match="does not exist"):
        platform.run(tmp_path / "none.ndjson")


def test_a_view_is_merged_by_fewer_fields() -> None:
    platform = MemoryPlatform(SHOP)
    platform.send(sale("1"), {"eventType": "sale", "order": "x", "amount": 1, "currency": "USD"})
    assert [row["group"] for row in platform.view("revenue")] == [{"currency": "EUR"}, {"currency": "USD"}]
    assert [(row["group"], row["total"]) for row in platform.view("revenue", by=[])] == [({}, Decimal("13.5"))]


def test_what_there_is_not_is_named() -> None:
    platform = MemoryPlatform(SHOP)
    with pytest.raises(LookupError, match=r"no view 'sales'; the catalog has revenue\."):
        platform.view("sales")
    for of in ("letter", Visit):
        with pytest.raises(LookupError, match=r"is no event type of the catalog; it has sale\."):
            platform.events(of)


def test_what_is_declared_later_counts() -> None:
    catalog = shop()
    MemoryPlatform(catalog)
    catalog.rule(Sale, name="never")(lambda sale: False)
    platform = MemoryPlatform(catalog)
    platform.send(sale("1"))
    assert platform.drain()["dead_letters"] == {"rule": 1}


def test_without_hypothesis_there_is_the_platform_and_a_word_on_the_rest() -> None:
    program = """
import sys
sys.modules["hypothesis"] = None
from millrace.testing import MemoryPlatform, holds_the_laws
try:
    from millrace.testing import histories
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "millrace.testing.histories needs Hypothesis: pip install 'millrace[testing]'\n"


def test_hypothesis_is_not_imported_before_it_is_wanted() -> None:
    program = "import sys, millrace.testing; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_everything_that_is_named_is_there() -> None:
    assert all(getattr(millrace.testing, name) for name in millrace.testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = millrace.testing.nothing
