"""Generations that are dropped: when they are deleted, and that late writers leave nothing."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from millrace.core.errors import TransientError
from millrace.core.ports import ViewStore
from millrace.core.records import Curated, RowKey, ViewRow
from millrace.core.services.generations import REGISTRY, Generations, Superseded
from millrace.core.services.rebuild import Rebuild, progress_of

from .rebuilt import DAILY, MARGIN, OLD, SALES, VIEWS, Late, Stack, count, held, known, rows

# ------------------------------------------------------------------------------------------------------- when, and what


def test_on_a_stack_what_readers_saw_before_is_deleted_a_margin_after_the_switch() -> None:
    stack = Stack()
    tasks = stack.rebuilt()
    assert stack.rebuild.unswept(VIEWS) is None, "it is kept until it is dropped"
    stack.clock.at += 30
    assert stack.rebuild.drop(VIEWS) == []
    assert stack.rebuild.unswept(VIEWS) == MARGIN - 30
    stack.clock.at += MARGIN - 31
    assert stack.rebuild.sweep(VIEWS) == []
    assert rows(stack.stores, OLD[0]) == 30
    stack.clock.at += 1
    assert stack.rebuild.unswept(VIEWS) == 0
    assert stack.rebuild.sweep(VIEWS) == OLD
    assert (stack.rebuild.sweep(VIEWS), stack.rebuild.unswept(VIEWS)) == ([], None)
    assert held(stack.stores) == known(stack.stores) == {
        REGISTRY, *(task.rows for task in tasks), *(progress_of(task.generation.number) for task in tasks)
    }  # fmt: skip
    assert [count(stack.stores, view) for view in VIEWS] == [30, 30]


def test_what_was_kept_longer_than_the_margin_is_deleted_at_once() -> None:
    stack = Stack()
    stack.rebuilt()
    stack.clock.at += MARGIN
    assert stack.rebuild.drop([DAILY]) == [DAILY.signature]
    assert rows(stack.stores, SALES.signature) == 30, "only what is named is dropped"


def test_the_margin_is_counted_from_when_the_switch_was_seen_not_from_when_it_was_asked_for() -> None:
    """Whoever switches may be stopped between the look at the clock and the write."""
    stack = Stack()
    generations = Generations(stack.stores.views)
    generations.begin(VIEWS, 5)
    generations.switch({SALES: 1, DAILY: 2})
    stack.clock.at += 5 * MARGIN
    assert stack.rebuild.drop(VIEWS) == []
    assert stack.rebuild.unswept(VIEWS) == MARGIN


def test_who_is_alone_deletes_at_once_also_what_an_interrupted_rebuild_has_left() -> None:
    stack = Stack(margin=0)
    interrupted = stack.rebuild.begin(VIEWS)
    assert stack.rebuild.step(interrupted, 9)
    assert {task.rows for task in interrupted} <= held(stack.stores)
    tasks = stack.rebuilt()
    assert [*stack.rebuild.sweep(VIEWS)] == [task.rows for task in interrupted]
    assert held(stack.stores) == known(stack.stores) == {
        REGISTRY, *OLD, *(task.rows for task in tasks), *(progress_of(task.generation.number) for task in tasks)
    }  # fmt: skip
    assert stack.rebuild.drop(VIEWS) == OLD
    assert held(stack.stores).isdisjoint(OLD)


def test_a_rebuild_that_is_superseded_is_swept_a_margin_later_without_being_dropped() -> None:
    stack = Stack()
    old = stack.rebuild.begin(VIEWS)
    stack.clock.at += stack.rebuild.wait(old)
    stack.rebuild.step(old)
    assert stack.rebuild.begin(VIEWS, anew=True) != old
    assert stack.rebuild.unswept(VIEWS) == MARGIN
    stack.clock.at += MARGIN
    assert stack.rebuild.sweep(VIEWS) == [task.rows for task in old]
    assert rows(stack.stores, OLD[0]) == 30
    with pytest.raises(Superseded):
        stack.rebuild.finish(old)


# -------------------------------------------------------------------------------------------------------- late writers


def late(stack: Stack) -> Late:
    """A projector that read the registry before the switch, and then was slow."""
    slow = Late(stack.stores)
    stack.rebuilt()
    stack.rebuild.drop(VIEWS)
    stack.arrive(5)
    return slow


def test_what_a_late_projector_writes_within_the_margin_is_deleted_with_the_rest() -> None:
    stack = Stack()
    slow = late(stack)
    stack.clock.at += MARGIN - 1
    assert stack.rebuild.sweep(VIEWS) == []
    while slow.step():
        pass
    assert rows(stack.stores, SALES.signature) == 35
    stack.clock.at += 1
    assert stack.rebuild.sweep(VIEWS) == OLD
    stack.project()
    assert held(stack.stores) == known(stack.stores)
    assert count(stack.stores, DAILY) == 35


def test_a_projector_that_lives_longer_than_the_margin_leaves_rows_for_ever() -> None:
    """So the margin must be longer than any lives."""
    stack = Stack()
    slow = late(stack)
    stack.clock.at += MARGIN
    assert stack.rebuild.sweep(VIEWS) == OLD
    while slow.step():
        pass
    stack.clock.at += 9 * MARGIN
    assert stack.rebuild.drop(VIEWS) == []
    assert held(stack.stores) - known(stack.stores) == {*OLD}


@pytest.mark.parametrize("fails", [False, True], ids=["goes on", "fails"])
def test_a_rebuild_that_slept_through_being_superseded_and_swept_deletes_what_it_writes_then(fails: bool) -> None:
    stack = Stack()

    def history(name: str, after: int | None, limit: int) -> Sequence[Curated]:
        found = stack.stores.curated.query(name, since=0, until=10**18, after=after, limit=limit)
        if after is not None:  # the second step: everything else happens between its reading and its writing
            other = Rebuild(stack.stores, stack.clock, margin=MARGIN)
            other.begin(VIEWS, anew=True)
            stack.rebuilt(other)
            stack.clock.at += MARGIN
            assert {*other.drop(VIEWS)} == {*OLD, *(task.rows for task in tasks)}
            assert held(stack.stores) == known(stack.stores)
        return found

    failing: Any = _FailingAfter(stack.stores.views)
    asleep = Rebuild(attrs.evolve(stack.stores, views=failing), stack.clock, margin=MARGIN, history=history)
    tasks = asleep.begin(VIEWS)
    stack.clock.at += asleep.wait(tasks)
    asleep.step(tasks, 20)
    failing.left = 1 if fails else 99
    with pytest.raises(Superseded):
        asleep.step(tasks, 20)
    assert failing.written >= 2 - fails, "it did write"
    assert held(stack.stores) == known(stack.stores)
    assert [count(stack.stores, view) for view in VIEWS] == [30, 30]


class _FailingAfter:
    """A view store that takes some commits of rows, and then fails for the moment; it has taken the last one, too."""

    def __init__(self, views: ViewStore) -> None:
        self._views, self.left, self.written = views, 99, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._views, name)

    def commit(self, view: str, found: Sequence[ViewRow]) -> Sequence[RowKey]:
        self.written += 1
        self.left -= 1
        result = self._views.commit(view, found)
        if self.left == 0:
            raise TransientError("the answer was lost")
        return result
