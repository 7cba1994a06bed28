"""``Replace`` cut off at any call, on every place: the same again ends where an undisturbed one does."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace import Count
from millrace.adapters.faults import Crash, Fault, Injector, faulty
from millrace.adapters.faults.injector import possible
from millrace.adapters.memory import memory_stores
from millrace.core.catalog import Catalog
from millrace.core.errors import TransientError
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.ports import Stores
from millrace.core.records import Curated, ViewRow
from millrace.core.services.archive import Archive
from millrace.core.services.archived import Archived
from millrace.core.services.diff import Diff
from millrace.core.services.generations import Generations
from millrace.core.services.outdated import Outdated
from millrace.core.services.replace import Replace, Replaced
from millrace.core.times import parse_time
from millrace.entrypoints.platform import Platform

from ..contracts.aws import on_moto
from ..contracts.places import Opener, in_a_folder, in_memory
from ..simulation.endings import rebuild_views
from ..simulation.world import SeededIds, TickingClock
from .versions import archive, event, raws, send, shop, visit

Place = Callable[[Path], AbstractContextManager[Opener]]
FAULTS = [Fault.CRASH_DURING, Fault.CRASH_AFTER, Fault.TIMED_OUT]
"""A crash before a call leaves what a crash after the one before it leaves."""
WRITES = {"add", "commit", "delete", "insert", "mark", "record", "replace", "write"}


@cache
def old() -> Catalog:
    """Sales above 0 other than 9; of an odd amount they come to two records."""
    return viewed(shop(rule=lambda sale: sale.amount != 9, transform=lambda sale: records("a", sale, sale.amount % 2)))


@cache
def new() -> Catalog:
    """Sales above 2; of other amounts than before they come to two records, which have other fields."""
    return viewed(shop(least=2, transform=lambda sale: records("b", sale, sale.amount // 2 % 2)))


def records(field: str, sale: Any, further: Any) -> list[dict[str, Any]]:
    return [{field: sale.amount}] * (1 + int(further))


def viewed(catalog: Catalog) -> Catalog:
    sale = catalog.types["sale"].cls
    catalog.view("sales", over=sale, every=timedelta(hours=1), measures={"records": Count()})
    return catalog


def platform(catalog: Catalog, stores: Stores, seed: int = 0) -> Platform:
    """Its instants and ids follow from the seed."""
    return Platform.assemble(catalog, stores, TickingClock(Random(seed)), SeededIds(Random(seed)))


def at(day: int, number: int, amount: int) -> dict[str, Any]:
    return event(number, amount=amount, eventTime=f"2026-11-{day}T02:30:{number:02}Z")


ARCHIVED, RESTORED, LIVE = 21, 22, 25
"""Days whose events are archived, were restored, and never were in the archive."""


Requests = Sequence[Sequence[Any]]
SHORT: tuple[Requests, Requests] = (
    [
        [at(ARCHIVED, 1, 5), at(LIVE, 2, 9), visit(1)],
        [at(RESTORED, 11, 1), at(RESTORED, 15, 5), at(RESTORED, 16, 6), at(LIVE, 21, 1), at(LIVE, 26, 6)],
    ],
    [],
)
"""Requests before something is archived, and after it: of what is archived, was restored, or is neither, events that
would be lost, change, grow, shrink, or be new.
"""
WHOLE: tuple[Requests, Requests] = (
    [
        *SHORT[0],
        [at(ARCHIVED, 3, 6), at(LIVE, 4, 9)],
        [at(ARCHIVED, 5, 1), at(RESTORED, 6, 3), at(LIVE, 7, 4)],
        [at(RESTORED, 30 + amount, amount) for amount in range(1, 8)],
    ],
    [
        [at(LIVE, 40 + amount, amount) for amount in range(8)],
        [at(RESTORED, 33, 3), at(LIVE, 45, 5), at(LIVE, 47, 3), at(ARCHIVED, 50, 9)],
    ],
)
"""Moreover some that are kept, wait, were sent twice, conflict, or come from behind the boundary."""


def filled(stores: Stores, requests: tuple[Requests, Requests]) -> None:
    on = platform(old(), stores)
    for events in requests[0]:
        send(on, *events)
    archive(on)
    archiver = Archive(stores, on.clock, on.project, margin=0)
    for _ in archiver.restore(on.pipeline.decoder, ["sale"], since=parse_time(f"2026-11-{RESTORED}T00:00:00Z")):
        pass
    for events in requests[1]:
        send(on, *events)


def replaced(stores: Stores) -> Replaced:
    """What the new catalog does to all receipts."""
    on, done = platform(new(), stores, seed=1), Replaced()
    replace = Replace(Diff(on.pipeline, stores), on.process, stores, lose=True)
    for raw in raws(on):
        done.merge(replace.receipt(raw))
    return done


def timeless(records: Sequence[Curated]) -> list[Curated]:
    return [msgspec.structs.replace(record, curated_at=0, raw=b"") for record in records]


def state(stores: Stores) -> Any:
    """All but instants of insertion; the views once they were rebuilt. Proves that everything is accounted for."""
    on = platform(new(), stores)
    assert on.reconcile.run(types=on.catalog.types).holds
    views = on.catalog.views.values()
    assert Outdated(stores).of(views) == [*views]
    rebuild_views(on)
    assert Outdated(stores).of(views) == []
    letters = stores.dead_letters.browse(after=None, limit=1000)
    return {
        "stored": timeless(stores.curated.query("sale", since=EARLIEST, until=LATEST, after=None, limit=1000)),
        "archived": timeless([*Archived(stores).read("sale")]),
        "ledger": stores.ledger.list(after=None, limit=1000),
        "letters": sorted((letter.id, letter.reason, letter.seen, letter.occurrences) for letter in letters),
        "views": [(row.key, row.states) for row in _rows(on)],
        "diff": [diff.category for raw in raws(on) for diff in Diff(on.pipeline, stores).receipt(raw)],
    }


def _rows(on: Platform) -> Sequence[ViewRow]:
    view = on.catalog.views["sales"]
    name = Generations(on.stores.views).read().current(view).rows_of(view)
    return on.stores.views.rows(name, since=EARLIEST, until=LATEST, after=None, limit=1000)


def undisturbed(requests: tuple[Requests, Requests]) -> tuple[Replaced, Any]:
    """What the requests come to, replaced in peace."""
    stores = memory_stores()
    filled(stores, requests)
    return replaced(stores), state(stores)


def calls_of(requests: tuple[Requests, Requests], fault: Fault, *, reads: bool) -> list[int]:
    """The numbers of the port calls of an undisturbed replace that can have a fault, with or without those that only
    read.
    """
    stores, made = memory_stores(), list[tuple[str, str]]()
    filled(stores, requests)
    replaced(faulty(stores, Injector(on_call=lambda port, method: made.append((port, method)))))
    return [n for n, call in enumerate(made, 1) if fault in possible(*call) and (reads or call[1] in WRITES)]


def check_each(place: Place, fault: Fault, requests: tuple[Requests, Requests], calls: Iterable[int]) -> None:
    """Replace with a fault at each of the calls in turn, then once more, and compare."""
    _, expected = undisturbed(requests)
    for number in calls:
        with TemporaryDirectory() as folder, place(Path(folder)) as opener, opener() as stores:
            filled(stores, requests)
            injector = Injector(Random(number), plan={number: fault})
            with suppress(Crash, TransientError):
                replaced(faulty(stores, injector))
            assert injector.counts[fault] == 1
            replaced(stores)
            assert state(stores) == expected, number


def test_in_peace_it_does_what_it_is_for() -> None:
    done, found = undisturbed(WHOLE)
    assert (done.replaced, done.lost, done.inserted) == (15, 6, 1)
    assert (done.kept, done.archived, done.waiting) == (3, 3, 1)
    assert Counter(found["diff"]) == {
        "same": 17, "changed": 2, "lost": 1, "new": 1, "duplicate": 3, "rejected": 8,
    }  # fmt: skip
    archived = {(record.id, tuple(record.fields)) for record in found["archived"]}
    assert {("e-1", ("a",)), ("e-3", ("a",)), ("e-5", ("a",))} < archived
    assert not {"e-11", "e-31", "e-32"} & {name for name, _ in archived}


@pytest.mark.parametrize("fault", FAULTS)
def test_cut_off_at_any_call_it_ends_the_same_when_it_is_given_again(fault: Fault) -> None:
    calls = calls_of(WHOLE, fault, reads=True)
    assert len(calls) > (15 if fault is Fault.CRASH_DURING else 150)
    check_each(in_memory, fault, WHOLE, calls)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", [in_a_folder, on_moto])
def test_so_it_does_in_files_and_on_aws(place: Place, fault: Fault) -> None:
    # Where a call only reads, what a crash leaves is what the one before it left.
    calls = calls_of(SHORT, fault, reads=False)
    assert len(calls) > 5
    check_each(place, fault, SHORT, calls)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_cut_off_again_and_again_it_ends_the_same(seed: int, calls: int) -> None:
    _, expected = undisturbed(WHOLE)
    stores = memory_stores()
    filled(stores, WHOLE)
    injector = Injector(Random(seed), rate=0.2)
    for _ in range(99):
        injector.rate = 0.2 if injector.calls < calls else 0.0
        try:
            replaced(faulty(stores, injector))
        except (Crash, TransientError):
            continue
        break
    replaced(stores)
    assert state(stores) == expected
