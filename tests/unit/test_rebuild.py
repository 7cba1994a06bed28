"""Rebuilds: step by step, by several at once, after interruptions, and of everything from the raw log alone."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace import Count, Sum
from millrace.adapters.local import open_local
from millrace.adapters.memory import MemoryCurated, memory_stores
from millrace.core.errors import TransientError
from millrace.core.ports import Stores
from millrace.core.records import Curated
from millrace.core.services.generations import Generations, Superseded
from millrace.core.services.project import Project
from millrace.core.services.rebuild import STACK_MARGIN, Rebuild
from millrace.core.views.view import View
from tests.contracts.builders import HOUR, NOON, curated
from tests.simulation.client import send
from tests.simulation.endings import rebuild_views
from tests.simulation.laws import check, digest, receipts_of, records_of
from tests.simulation.traffic import Request, drawn
from tests.simulation.world import START, SeededIds, assemble

SALES = View("sales", "purchase", HOUR, ("order",), {"many": Count()}, "here")
SUMS = View("sums", "purchase", 24 * HOUR, (), {"many": Count(), "sum": Sum("amount")}, "here")
RETURNS = View("returns", "return", HOUR, (), {"many": Count()}, "here")
VIEWS = (SALES, SUMS, RETURNS)
MARGIN = 100


class Milliseconds:
    """A millisecond later at every look, so that receipts are told apart by theirs and sort as they came."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> int:
        self._now += 1000
        return self._now


class SetClock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.at = 1000

    def now(self) -> int:
        return self.at


def events(count: int, at: int = 0, kind: str = "purchase") -> list[Curated]:
    fields = [{"order": str(number % 3), "amount": number} for number in range(count)]
    return [
        curated(f"{at}-{number}", type=kind, curated_at=at, time=NOON + number * 7 * HOUR // 5, fields=found)
        for number, found in enumerate(fields)
    ]


def table(stores: Stores, view: View, rows: str | None = None) -> list[object]:
    name = rows or Generations(stores.views).current_rows(view)
    return [(r.key, r.states) for r in stores.views.rows(name, since=0, until=10**18, after=None, limit=999)]


def whole(stores: Stores) -> None:
    """Each view has what a plain fold of all events has."""
    plain = attrs.evolve(memory_stores(), curated=(curated := MemoryCurated()), feed=curated)
    for view in VIEWS:
        curated.insert(stores.curated.query(view.over, since=0, until=10**18, after=None, limit=9999))
    project(plain)
    for view in VIEWS:
        assert table(stores, view) == table(plain, view, view.signature)


def project(stores: Stores, views: Sequence[View] = VIEWS) -> None:
    each = Project(views, stores.feed, stores.views)
    while each.step():
        pass


@pytest.fixture
def stores() -> Stores:
    found = memory_stores()
    found.curated.insert([*events(40), *events(20, kind="return")])
    project(found)
    return found


def test_a_rebuild_waits_for_the_margin_twice_and_refuses_to_read_before(stores: Stores) -> None:
    clock = SetClock()
    rebuild = Rebuild(stores, clock, margin=MARGIN)
    tasks = rebuild.begin(VIEWS)
    assert rebuild.wait(tasks) == 2 * MARGIN
    clock.at += 2 * MARGIN - 1
    with pytest.raises(TransientError, match="may not read yet"):
        rebuild.step(tasks)
    clock.at += 1
    assert rebuild.wait(tasks) == 0
    assert rebuild.step(tasks) == 60


def test_who_is_alone_waits_for_nothing_and_asks_no_clock(stores: Stores) -> None:
    clock = SetClock()
    rebuild = Rebuild(stores, clock, margin=0)
    tasks = rebuild.begin(VIEWS)
    clock.at -= 900
    while rebuild.step(tasks, 7):
        pass
    assert rebuild.finish(tasks)
    stores.curated.insert(events(10, at=50))
    project(stores)
    whole(stores)


def test_who_is_alone_must_have_shown_the_views_all_changes(stores: Stores) -> None:
    stores.curated.insert(events(1, at=1))
    with pytest.raises(TransientError, match="has not seen all changes"):
        Rebuild(stores, SetClock(), margin=0).begin(VIEWS)


def test_the_margin_of_a_stack_is_longer_than_a_function_lives() -> None:
    assert STACK_MARGIN > 15 * 60 * 1_000_000


def test_a_view_is_not_switched_before_it_is_whole(stores: Stores) -> None:
    clock = SetClock()
    rebuild = Rebuild(stores, clock, margin=MARGIN)
    tasks = rebuild.begin([SALES])
    assert not rebuild.finish(tasks), "nothing was read"
    clock.at += 2 * MARGIN
    while rebuild.step(tasks):
        pass
    assert not rebuild.finish(tasks), "the live feed is behind"
    project(stores)
    assert rebuild.finish(tasks)
    assert rebuild.finish(tasks), "once more"
    whole(stores)


def test_an_interrupted_rebuild_goes_on_where_it_was(stores: Stores) -> None:
    clock, asked = SetClock(), []

    def history(name: str, after: int | None, limit: int) -> Sequence[Curated]:
        asked.append(after)
        return stores.curated.query(name, since=0, until=10**18, after=after, limit=limit)

    first = Rebuild(stores, clock, margin=MARGIN, history=history)
    tasks = first.begin([SALES])
    clock.at += 2 * MARGIN
    first.step(tasks, 30)
    second = Rebuild(stores, clock, margin=MARGIN, history=history)
    assert second.begin([SALES]) == tasks
    assert [second.step(tasks, 30), second.step(tasks, 30)] == [10, 0]
    assert asked[0] is None
    assert None not in asked[1:]
    project(stores)
    assert second.finish(tasks)
    whole(stores)


def test_a_rebuild_that_was_superseded_says_so(stores: Stores) -> None:
    clock = SetClock()
    rebuild = Rebuild(stores, clock, margin=MARGIN)
    old = rebuild.begin([SALES])
    rebuild.begin([SALES], anew=True)
    clock.at += 9 * MARGIN
    with pytest.raises(Superseded):
        rebuild.step(old)


def test_a_rebuild_fills_a_view_whose_changes_have_expired(stores: Stores) -> None:
    """As on a stream, which keeps changes for a day: a new view would have only what comes after it."""
    clock, kept = SetClock(), stores.curated
    feed = MemoryCurated()
    expired = attrs.evolve(memory_stores(), curated=kept, feed=feed)
    late = events(5, at=clock.at + 9 * MARGIN)
    rebuild = Rebuild(expired, clock, margin=MARGIN)
    tasks = rebuild.begin(VIEWS)
    clock.at += 2 * MARGIN
    kept.insert(late)
    feed.insert(late)
    project(expired)
    assert table(expired, SALES) != table(stores, SALES)
    while rebuild.step(tasks, 9):
        pass
    assert rebuild.finish(tasks)
    whole(expired)


def test_what_was_curated_at_the_cut_off_counts_once() -> None:
    stores, clock = memory_stores(), SetClock()
    rebuild = Rebuild(stores, clock, margin=MARGIN)
    tasks = rebuild.begin(VIEWS)
    for at in (clock.at + MARGIN - 1, clock.at + MARGIN, clock.at + MARGIN + 1):
        stores.curated.insert(events(3, at=at))
    clock.at += 2 * MARGIN
    project(stores)
    while rebuild.step(tasks):
        pass
    assert rebuild.finish(tasks)
    whole(stores)


@given(
    turns=st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), max_size=30),
    arriving=st.lists(st.integers(0, 400), max_size=6),
)
def test_two_rebuilds_at_once_and_events_between_them_count_everything_once(
    turns: list[tuple[int, int]], arriving: list[int]
) -> None:
    stores, clock = memory_stores(), SetClock()
    stores.curated.insert([*events(25), *events(9, kind="return")])
    rebuilds = [Rebuild(stores, clock, margin=MARGIN) for _ in range(2)]
    tasks = rebuilds[0].begin(VIEWS)
    assert rebuilds[1].begin(VIEWS) == tasks
    for instant in sorted(arriving):
        clock.at = 1000 + instant
        stores.curated.insert(events(3, at=clock.at))
    clock.at = max(clock.at, 1000 + 2 * MARGIN)
    for who, limit in turns:
        rebuilds[who].step(tasks, limit)
        stores.curated.insert(events(2, at=clock.at))
        clock.at += 1
    for rebuild in rebuilds:
        while rebuild.step(tasks, 4):
            pass
    project(stores)
    assert all(rebuild.finish(tasks) for rebuild in rebuilds)
    whole(stores)


# --------------------------------------------------------------------------------------- everything from the raw log


def held(stores: Stores) -> str:
    """A hash of events, views and dead letters, but for the instants of insertion."""
    records = [msgspec.structs.replace(record, raw=b"", curated_at=0) for record in records_of(stores)]
    instants = MemoryCurated()
    instants.insert(records)
    without = attrs.evolve(stores, curated=instants, feed=instants)
    return hashlib.sha256(digest(without).encode()).hexdigest()


def history(stores: Stores, seed: int) -> dict[str, Request]:
    """Requests sent, processed and rebuilt in turn."""
    random, accepted = Random(seed), dict[str, Request]()
    platform = assemble(stores, Milliseconds(), SeededIds(random))
    for _ in range(random.randint(1, 8)):
        send(platform.ingest, drawn(random), stores, accepted)
        for _ in platform.work.drain():
            pass
        if random.random() < 0.3:
            rebuild_views(platform, random.randint(1, 9))
    return accepted


def backfill_and_rebuild(stores: Stores) -> None:
    platform = assemble(stores, Milliseconds(), SeededIds(Random(1)))
    for receipt in receipts_of(stores):
        platform.process.receipt(receipt)
    rebuild_views(platform)


@contextmanager
def only_the_raw_log_is_left(folder: Path) -> Iterator[Stores]:
    for path in folder.iterdir():
        if path.name != "raw":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with open_local(folder, write=True) as local:
        yield local.stores


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_raw_log_alone_gives_everything_again(seed: int) -> None:
    stores, again = memory_stores(), memory_stores()
    accepted = history(stores, seed)
    for receipt in receipts_of(stores):
        again.raw.append(stores.raw.read(receipt))
    for _ in range(2):
        backfill_and_rebuild(again)
        assert held(again) == held(stores)
        check(again, accepted)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_a_folder_whose_raw_log_alone_is_left_gives_everything_again(seed: int) -> None:
    with TemporaryDirectory() as folder:
        with open_local(Path(folder), write=True) as local:
            accepted = history(local.stores, seed)
            before = held(local.stores)
        with only_the_raw_log_is_left(Path(folder)) as stores:
            backfill_and_rebuild(stores)
            assert held(stores) == before
            check(stores, accepted)
