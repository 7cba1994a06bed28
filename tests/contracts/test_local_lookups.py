"""What only the local store promises of conditions: it finds by index, and reads no more events than it needs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millrace.adapters.local import LocalStore, lookups, open_local
from millrace.adapters.local import curated as local_curated
from millrace.adapters.local.database import NAME
from millrace.core.conditions import Condition
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.records import Curated

from .builders import NOON, curated, receipt_id

MANY = 3000


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "PATIENCE", 100)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    with open_local(tmp_path, write=True) as opened:
        opened.stores.curated.insert([event(number) for number in range(MANY)])
        yield opened


def event(number: int) -> Curated:
    """Of two types in turn; ``rare`` has a value of its own in each, ``half`` one of two, ``price`` one of fifty."""
    return curated(
        f"e-{number}",
        type=("purchase", "refund")[number % 2],
        time=NOON + number // 4,
        receipt=receipt_id(NOON, number // 10),
        fields={"rare": f"r-{number}", "half": number % 4 < 2, "price": Decimal(number % 50) + Decimal("0.30")},
    )


def find(store: LocalStore, *where: tuple[str, str], limit: int = 10) -> list[str]:
    conditions = [Condition(*each) for each in where]
    found = store.stores.curated.query(
        "purchase", since=EARLIEST, until=LATEST + 1, after=None, limit=limit, where=conditions
    )
    return [record.id for record in found]


def indexes(folder: Path) -> int:
    with closing(sqlite3.connect(folder / NAME)) as connection:
        [(number,)] = connection.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'curated by %'")
        return int(number)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The rows of events that are read meanwhile."""
    read: list[Any] = []
    original = local_curated._record

    def record(row: Any) -> Curated:
        read.append(row)
        return original(row)

    with monkeypatch.context() as patch:
        patch.setattr(local_curated, "_record", record)
        yield read


ASKED = {
    "id": [("eventId", "e-2900")],
    "receipt": [("receipt", receipt_id(NOON, 290))],
    "source": [("source", "nobody")],
    "time": [("eventTime", "2026-01-09T12:00:00.000725Z")],
    "instant of insertion": [("curatedAt", "2026-01-09T12:00:00Z")],
    "rare": [("rare", "r-2900")],
    "absent": [("rare", "nothing")],
    "no such field": [("colour", "red")],
    "number": [("price", "7.3")],
    "null": [("rare", "null")],
    "two": [("half", "true"), ("rare", "r-2900")],
    "other type": [("eventType", "refund")],
}


@pytest.mark.parametrize("where", ASKED.values(), ids=ASKED)
def test_no_query_scans_the_events_once_the_index_is_there(
    store: LocalStore, where: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = find(store, *where)
    connection = store._database._connection
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    with counted(monkeypatch) as read:
        assert find(store, *where) == expected
    connection.set_trace_callback(None)
    plans = [plan for sql in asked for *_, plan in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any("SEARCH curated USING" in plan for plan in plans)
    assert [plan for plan in plans if plan.startswith(("SCAN curated", "SCAN c ", "SCAN r ", "SCAN receipts"))] == []
    assert len(read) <= MANY // 50


@pytest.mark.parametrize("where", ASKED.values(), ids=ASKED)
def test_no_more_are_read_than_a_few_and_those_that_are_found(
    store: LocalStore, where: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch) as read:
        find(store, *where)
    assert len(read) <= lookups.PATIENCE + MANY // 50


def test_what_is_frequent_is_found_without_an_index(store: LocalStore, tmp_path: Path) -> None:
    assert find(store, ("half", "true"), limit=20) == [f"e-{number}" for number in range(0, 80, 4)]
    assert indexes(tmp_path) == 0
    assert len(find(store, ("half", "true"), limit=200)) == 200
    assert indexes(tmp_path) == 1


def test_an_index_follows_what_is_inserted_replaced_deleted_and_restored(store: LocalStore) -> None:
    curated_store = store.stores.curated
    assert find(store, ("rare", "r-2900")) == ["e-2900"]
    late = msgspec.structs.replace(event(MANY), fields={"rare": "r-2900"})
    curated_store.insert([late])
    assert find(store, ("rare", "r-2900")) == ["e-2900", late.id]
    curated_store.replace([msgspec.structs.replace(event(2900), fields={"rare": "new"})])
    assert (find(store, ("rare", "r-2900")), find(store, ("rare", "new"))) == ([late.id], ["e-2900"])
    curated_store.delete([late])
    assert find(store, ("rare", "r-2900")) == []
    curated_store.restore([late])
    assert find(store, ("rare", "r-2900")) == [late.id]


def test_readers_make_indexes_beside_the_writer_and_write_nothing_else(store: LocalStore, tmp_path: Path) -> None:
    with open_local(tmp_path, write=False) as reader:
        assert find(reader, ("rare", "r-2900")) == ["e-2900"]
        assert indexes(tmp_path) == 1
        with pytest.raises(Exception, match="open for reading only"):
            reader.stores.views.advance("a view", "an origin", 1)
    store.stores.curated.insert([curated("late", fields={"rare": "r-2900"}, time=NOON + MANY)])
    assert find(store, ("rare", "r-2900")) == ["e-2900", "late"]


def test_where_no_index_can_be_made_the_answer_is_the_same(store: LocalStore, tmp_path: Path) -> None:
    with open_local(tmp_path, write=False) as reader:
        reader._database._connection.execute("PRAGMA busy_timeout = 10")
        with store._database.transaction():  # another process that writes for longer than is waited for
            assert find(reader, ("rare", "r-2900")) == ["e-2900"]
        assert indexes(tmp_path) == 0


def test_indexes_are_few_and_the_oldest_goes_first(store: LocalStore, tmp_path: Path) -> None:
    for number in range(lookups.MOST + 3):
        assert find(store, (f"field-{number}", "x")) == []
    assert indexes(tmp_path) == lookups.MOST
    connection = store._database._connection
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'curated by %'")]
    assert not any(name.endswith(b"field-0".hex()) for name in names)
    assert any(name.endswith(f"field-{lookups.MOST + 2}".encode().hex()) for name in names)


def test_fields_that_differ_in_case_alone_have_an_index_each(store: LocalStore) -> None:
    assert find(store, ("Rare", "r-2900")) == []
    assert find(store, ("rare", "r-2900")) == ["e-2900"]


def test_an_index_refuses_no_record_that_the_store_takes_without_it(store: LocalStore) -> None:
    assert find(store, ("rare", "absent")) == []
    deep: Any = "bottom"
    for _ in range(400):
        deep = [deep]
    texts = ["\0", '"\\', "\u2028", "x" * 100_000]
    odd = [deep, Decimal("1E+125"), Decimal("-1E-130"), 10**37, {"": None}, *texts]
    records = [
        curated(f"odd-{n}", fields={"rare": value, '"': value}, time=NOON + MANY + n) for n, value in enumerate(odd)
    ]
    assert list(store.stores.curated.insert(records)) == [None] * len(odd)
    assert find(store, ("rare", "1e125")) == ["odd-1"]
    assert find(store, ("rare", texts[3])) == [f"odd-{len(odd) - 1}"]


def test_an_index_that_another_process_drops_meanwhile_is_done_without(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = lookups.Lookups._make

    def made_and_dropped(self: lookups.Lookups, number: int, wanted: Any) -> bool:
        made = make(self, number, wanted)
        with store._database.transaction() as connection:
            for (name,) in connection.execute(lookups._MADE).fetchall():
                connection.execute(f'DROP INDEX "{name}"')
        return made

    monkeypatch.setattr(lookups.Lookups, "_make", made_and_dropped)
    assert find(store, ("rare", "r-2900")) == ["e-2900"]
    assert find(store, ("rare", "r-2900"), ("half", "true")) == ["e-2900"]
