"""Queries over a store of a million events of one type, each a process of its own; results equal those of a scan."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from millrace.adapters.local import open_local
from millrace.adapters.system import RandomReceiptIds
from millrace.core.conditions import Condition
from millrace.core.identity import EARLIEST, LATEST, record_key
from millrace.core.records import Curated, LedgerEntry, RawObject, Receipt
from millrace.core.times import format_time

from .catalog import catalog
from .workload import each_line

_CATALOG = str(Path(__file__).parent / "catalog.py")
_RUN = "from millrace.entrypoints.cli import main; main()"
LIMIT = 100
_PAGE = 10_000
_HOUR = 3_600_000_000
_RECENT = 1_790_000_000_000_000
"""An instant of 2026, in microseconds."""


class Times(NamedTuple):
    """Seconds of the slowest query that makes an index, of the slowest other one, and of a view."""

    first: float
    again: float
    view: float


def over_events(folder: Path, count: int) -> Times:
    """Ask a store of so many events for what is frequent, rare, unique and absent, and for the last page."""
    store = folder / "store"
    path = folder / "events.ndjson"
    with path.open("wb") as file:
        file.writelines(line + b"\n" for line in each_line(count))
    _millrace("run", str(path), "--json", store=store)
    some = _some(store, count // 2)
    last = _some(store, count * 49 // 50)  # some of them are duplicates
    asked: list[list[Condition]] = [
        [Condition("currency", some.fields["currency"])],
        [Condition("customer_id", some.fields["customer_id"])],
        [Condition("order_id", "absent")],
        [Condition("eventId", some.id)],
        [Condition("receipt", "absent")],
        [Condition("amount", str(some.fields["amount"]))],
        [Condition("currency", some.fields["currency"]), Condition("customer_id", some.fields["customer_id"])],
        [Condition("no_such_field", "1")],
    ]
    first: list[float] = []
    again = [_page(store, last.time)]
    for where, expected in zip(asked, _scanned(store, asked), strict=True):
        for seconds in (first, again):
            start = perf_counter()
            found = _events(store, *(f"--where={name}={text}" for name, text in where))
            seconds.append(perf_counter() - start)
            assert found == expected, where
    start = perf_counter()
    rows = json.loads(_millrace("view", "revenue", "--by=", "--json", store=store))
    view = perf_counter() - start
    with open_local(store, write=False) as local:
        assert sum(row["orders"] for row in rows) == local.stores.curated.count()
    return Times(max(first), max(again), view)


def over_receipts(folder: Path, count: int) -> float:
    """Seconds until a store of so many receipts, each with a ledger entry, has shown a view; looked at once before."""
    store, ids = folder / "receipts", RandomReceiptIds()
    with open_local(store, write=True) as local:
        instants = iter(range(_RECENT, _RECENT + 24 * _HOUR, 24 * _HOUR // count))
        while batch := [*islice(instants, 1000)]:
            raws = [RawObject(Receipt(id=ids.new(at), received_at=at, catalog=catalog.name), b"[]") for at in batch]
            local.stores.raw.append_all(raws)
            for raw in raws:
                local.stores.ledger.record(LedgerEntry(receipt=raw.receipt.id, events=0))
    _millrace("view", "revenue", "--json", store=store)
    start = perf_counter()
    assert json.loads(_millrace("view", "revenue", "--json", store=store)) == []
    return perf_counter() - start


def _page(store: Path, since: int) -> float:
    """Seconds that the last page takes, from an instant on."""
    start = perf_counter()
    found = _events(store, f"--since={format_time(since)}")
    seconds = perf_counter() - start
    with open_local(store, write=False) as local:
        page = local.stores.curated.query("purchase", since=since, until=LATEST + 1, after=None, limit=LIMIT)
    assert found == [record.id for record in page]
    return seconds


def _events(store: Path, *arguments: str) -> list[str]:
    lines = _millrace("events", "purchase", f"--limit={LIMIT}", "--ndjson", *arguments, store=store).splitlines()
    return [json.loads(line)["eventId"] for line in lines]


def _some(store: Path, number: int) -> Curated:
    """The event of that number in order of time."""
    return next(islice(_all(store), number, None))


def _scanned(store: Path, asked: Sequence[Sequence[Condition]]) -> list[list[str]]:
    """The ids of the first hundred that fulfil each of the conditions, of all events read one by one."""
    found: list[list[str]] = [[] for _ in asked]
    for record in _all(store):
        for where, ids in zip(asked, found, strict=True):
            if len(ids) < LIMIT and all(condition.holds(record) for condition in where):
                ids.append(record.id)
    return found


def _all(store: Path) -> Iterator[Curated]:
    with open_local(store, write=False) as local:
        after = None
        while page := local.stores.curated.query(
            "purchase", since=EARLIEST, until=LATEST + 1, after=after, limit=_PAGE
        ):
            yield from page
            after = record_key(page[-1])


def _millrace(*arguments: str, store: Path) -> str:
    command = [sys.executable, "-c", _RUN, *arguments, f"--catalog={_CATALOG}", f"--store=file:{store}"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
