"""The registry of generations: what it says, and what races for it come to."""

from collections.abc import Sequence
from itertools import islice

import pytest

from millrace import Count
from millrace.adapters.memory import MemoryCurated, MemoryViews
from millrace.core.errors import TransientError
from millrace.core.records import RowKey, ViewRow
from millrace.core.services.generations import FIRST, KEY, REGISTRY, Generation, Generations, Superseded
from millrace.core.services.project import Project
from millrace.core.views.view import View
from tests.contracts.builders import HOUR, NOON, curated

SALES = View("sales", "purchase", HOUR, (), {"many": Count()}, "here")
DAILY = View("daily", "purchase", 24 * HOUR, (), {"many": Count()}, "here")


@pytest.fixture
def views() -> MemoryViews:
    return MemoryViews()


def count(views: MemoryViews, rows: str) -> int:
    return sum(row.states[0] for row in views.rows(rows, since=0, until=10**18, after=None, limit=99))


def test_a_view_nobody_rebuilt_has_generation_0_under_its_signature(views: MemoryViews) -> None:
    generations = Generations(views)
    assert generations.read().of(SALES) == (FIRST,)
    assert generations.current_rows(SALES) == SALES.signature


def test_readers_see_a_generation_from_the_switch_on(views: MemoryViews) -> None:
    generations = Generations(views)
    [built] = [generations.begin([SALES], 5).building(SALES)]
    assert built == Generation(1, "building", 5, {})
    assert generations.current_rows(SALES) == SALES.signature
    generations.switch({SALES: 1})
    assert generations.current_rows(SALES) == f"{SALES.signature}@1"
    assert [one.state for one in generations.read().of(SALES)] == ["retired", "current"]
    assert generations.current_rows(DAILY) == DAILY.signature


def test_beginning_again_joins_and_beginning_anew_takes_over(views: MemoryViews) -> None:
    generations = Generations(views)
    first = generations.begin([SALES], 5)
    assert generations.begin([SALES], 9) == first._replace(version=1)
    assert generations.begin([SALES], 9, anew=True).building(SALES) == Generation(2, "building", 9, {})
    with pytest.raises(Superseded):
        generations.switch({SALES: 1})


def test_switching_again_changes_nothing(views: MemoryViews) -> None:
    generations = Generations(views)
    generations.begin([SALES], 5)
    generations.switch({SALES: 1})
    before = generations.read()
    assert generations.switch({SALES: 1}) == before == generations.read()


def test_a_number_is_never_given_twice(views: MemoryViews) -> None:
    generations = Generations(views)
    for number in (1, 2, 3):
        assert (built := generations.begin([SALES], 5).building(SALES)) is not None
        assert built.number == number
        generations.switch({SALES: number})
        generations.drop([SALES])
        generations.forget(SALES, number - 1)
        assert [one.number for one in generations.read().of(SALES)] == [number]


def test_only_retired_generations_are_dropped_and_only_dropped_ones_forgotten(views: MemoryViews) -> None:
    generations = Generations(views)
    before = generations.begin([SALES], 5)._replace(version=1)
    assert generations.drop([SALES]) == before == generations.read()
    generations.switch({SALES: 1})
    generations.begin([SALES, DAILY], 7)
    generations.drop([SALES, DAILY])
    assert [one.state for one in generations.read().of(SALES)] == ["dropped", "current", "building"]
    for number in (0, 1, 2, 9, 0):
        registry = generations.forget(SALES, number)
    assert [one.state for one in registry.of(SALES)] == ["current", "building"]
    assert generations.forget(DAILY, 0).of(DAILY)[0] == FIRST


def test_a_generation_that_is_superseded_while_it_is_built_is_kept_until_its_rows_are_gone(views: MemoryViews) -> None:
    generations = Generations(views)
    generations.begin([SALES], 5)
    registry = generations.begin([SALES], 9, anew=True)
    assert [(one.number, one.state) for one in registry.of(SALES)] == [(0, "current"), (1, "dropped"), (2, "building")]
    assert [one.number for one in registry.active(SALES)] == [0, 2]
    assert [registry.keeps(SALES, number) for number in range(4)] == [True, False, True, False]


def test_when_a_generation_ended_is_written_down_once_after_it_was_seen(views: MemoryViews) -> None:
    generations = Generations(views)
    asked: list[str] = []

    def now() -> int:
        asked.append(generations.read().of(SALES)[0].state)
        return 100 + len(asked)

    generations.begin([SALES], 5)
    generations.end([SALES, DAILY], now)
    assert asked == [], "nothing has ended"
    generations.switch({SALES: 1})
    for _ in range(2):
        registry = generations.end([SALES, DAILY], now)
        assert [one.ended for one in registry.of(SALES)] == [101, None]
    generations.begin([SALES], 9)
    generations.begin([SALES], 9, anew=True)
    registry = generations.end([SALES], now)
    assert [one.ended for one in registry.of(SALES)] == [101, None, 102, None]
    assert asked == ["retired", "retired"]
    assert generations.read() == registry._replace(version=registry.version + 1)


def test_a_registry_from_before_instants_were_written_down_is_read(views: MemoryViews) -> None:
    known = {SALES.signature: [[0, "retired", 0, {}], [1, "current", 5, {"o": 7}]]}
    views.commit(REGISTRY, [ViewRow(KEY, (1, known), {})])
    assert Generations(views).read().of(SALES) == [Generation(0, "retired", 0), Generation(1, "current", 5, {"o": 7})]
    assert [one.ended for one in Generations(views).end([SALES], lambda: 7).of(SALES)] == [7, None]


# ----------------------------------------------------------------------------------------------- what readers are shown


def test_readers_are_shown_all_rows_of_the_current_generation(views: MemoryViews) -> None:
    keys = [RowKey(window, "[]") for window in range(2500)]
    views.commit(SALES.signature, [ViewRow(key, (1,), {}) for key in keys])
    views.commit(f"{SALES.signature}@1", [ViewRow(key, (2,), {}) for key in keys[:7]])
    generations = Generations(views)
    assert [row.key for row in generations.rows(SALES, since=3, until=2400)] == keys[3:2400]
    generations.begin([SALES], 5)
    generations.switch({SALES: 1})
    assert [row.states for row in generations.rows(SALES, since=3, until=2400)] == [(2,)] * 4


@pytest.mark.parametrize("read", [0, 1, 1000, 1001, 2500])
def test_a_reader_whose_generation_is_deleted_meanwhile_is_told(views: MemoryViews, read: int) -> None:
    keys = [RowKey(window, "[]") for window in range(2500)]
    views.commit(SALES.signature, [ViewRow(key, (1,), {}) for key in keys])
    generations = Generations(views)
    rows = generations.rows(SALES, since=0, until=9999)
    assert [row.key for row in islice(rows, read)] == keys[:read]
    generations.begin([SALES], 5)
    generations.switch({SALES: 1})
    generations.drop([SALES])
    views.forget(SALES.signature, 9999)
    if not read:
        assert list(rows) == [], "whoever has not begun reads the new one"
        return
    with pytest.raises(TransientError, match="'sales' was rebuilt while it was read"):
        list(rows)


class _Overtaken(MemoryViews):
    """Somebody else registers a generation of another view between each first read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.overtaking = False

    def commit(self, view: str, rows: Sequence[ViewRow]) -> Sequence[RowKey]:
        if self.overtaking:
            self.overtaking = False
            Generations(self).begin([DAILY], 3)
        return super().commit(view, rows)


def test_whoever_loses_a_race_for_the_registry_reads_it_again() -> None:
    views = _Overtaken()
    views.overtaking = True
    registry = Generations(views).begin([SALES], 5)
    assert [registry.building(DAILY), registry.building(SALES)] == [
        Generation(1, "building", 3, {}),
        Generation(2, "building", 5, {}),
    ]
    assert views.load(REGISTRY, [KEY])[KEY].version == 2


def test_the_live_feed_goes_into_each_generation_that_is_no_less_than_its_share(views: MemoryViews) -> None:
    feed = MemoryCurated()
    project, generations = Project([SALES], feed, views), Generations(views)
    feed.insert([curated(f"a{n}", curated_at=n) for n in range(10)])
    generations.begin([SALES], 4)
    while project.step(3):
        pass
    assert (count(views, SALES.signature), count(views, f"{SALES.signature}@1")) == (10, 6)
    assert project.is_current()
    generations.switch({SALES: 1})
    feed.insert([curated(f"b{n}", curated_at=NOON) for n in range(5)])
    assert not project.is_current()
    project.step()
    assert (count(views, SALES.signature), count(views, f"{SALES.signature}@1")) == (10, 11)


def test_a_generation_divided_by_position_is_fed_what_lies_beyond(views: MemoryViews) -> None:
    feed = MemoryCurated()
    project, generations = Project([SALES], feed, views), Generations(views)
    feed.insert([curated(f"a{n}", curated_at=100 - n) for n in range(10)])
    generations.begin([SALES], None, {"memory": 7})
    while project.step(4):
        pass
    assert count(views, f"{SALES.signature}@1") == 3


def test_folding_a_batch_reads_the_registry_once(views: MemoryViews) -> None:
    reads = []

    class Counted(MemoryViews):
        def load(self, view: str, keys: Sequence[RowKey]):  # type: ignore[no-untyped-def]
            reads.append(view)
            return super().load(view, keys)

    feed, rows = MemoryCurated(), Counted()
    feed.insert([curated(f"a{n}") for n in range(10)])
    project = Project([SALES, DAILY], feed, rows)
    project.fold(feed.changes("memory", 0, 99))
    project.step()
    assert reads.count(REGISTRY) == 2
