"""The contract of ``ViewStore``."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.core.ports import Stores
from millrace.core.records import RowKey, ViewRow

from .builders import HOUR, NOON, row, typed
from .strategies import values


def stored(committed: ViewRow) -> ViewRow:
    """What a committed row is when it is loaded: one version on."""
    return msgspec.structs.replace(committed, version=committed.version + 1)


def test_a_committed_row_is_loaded_one_version_on(stores: Stores) -> None:
    first, second = row(), row(group='["USD"]', positions={"a": 1, "b": 10**30})
    assert list(stores.views.commit("v", [first, second])) == []
    assert stores.views.load("v", [first.key, second.key]) == {first.key: stored(first), second.key: stored(second)}


def test_rows_that_do_not_exist_are_not_loaded(stores: Stores) -> None:
    stores.views.commit("v", [row()])
    assert stores.views.load("v", [RowKey(NOON, "[]"), RowKey(0, '["EUR"]')]) == {}
    assert stores.views.load("other", [row().key]) == {}
    assert stores.views.load("v", []) == {}


def test_views_do_not_share_rows(stores: Stores) -> None:
    stores.views.commit("v", [row(states=(1,))])
    assert list(stores.views.commit("w", [row(states=(2,))])) == []
    assert stores.views.load("v", [row().key])[row().key].states == (1,)
    assert stores.views.load("w", [row().key])[row().key].states == (2,)


def test_each_commit_raises_the_version_by_one(stores: Stores) -> None:
    for version in range(4):
        assert list(stores.views.commit("v", [row(version=version, states=(version,))])) == []
    assert stores.views.load("v", [row().key])[row().key] == row(version=4, states=(3,))


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_row_of_another_version_loses_and_changes_nothing(stores: Stores, version: int) -> None:
    stores.views.commit("v", [row()])
    stores.views.commit("v", [row(version=1)])
    late = row(version=version, states=("late",), positions={"late": 1})
    assert list(stores.views.commit("v", [late])) == [late.key]
    assert stores.views.load("v", [late.key])[late.key] == row(version=2)


def test_a_row_that_is_gone_or_never_was_cannot_be_updated(stores: Stores) -> None:
    assert list(stores.views.commit("v", [row(version=1)])) == [row().key]
    assert stores.views.load("v", [row().key]) == {}


def test_losers_do_not_hold_up_the_others(stores: Stores) -> None:
    stores.views.commit("v", [row(group='["b"]')])
    rows = [row(group='["a"]'), row(group='["b"]'), row(group='["c"]')]
    assert list(stores.views.commit("v", rows)) == [RowKey(NOON, '["b"]')]
    assert set(stores.views.load("v", [r.key for r in rows])) == {r.key for r in rows}


def test_of_one_row_committed_twice_at_once_the_second_loses(stores: Stores) -> None:
    assert list(stores.views.commit("v", [row(states=(1,)), row(states=(2,))])) == [row().key]
    assert stores.views.load("v", [row().key])[row().key].states == (1,)


def test_of_two_writers_that_loaded_the_same_row_one_wins(stores: Stores) -> None:
    stores.views.commit("v", [row()])
    ours = theirs = stores.views.load("v", [row().key])[row().key]
    assert list(stores.views.commit("v", [msgspec.structs.replace(ours, states=("ours",))])) == []
    assert list(stores.views.commit("v", [msgspec.structs.replace(theirs, states=("theirs",))])) == [row().key]
    assert stores.views.load("v", [row().key])[row().key].states == ("ours",)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(states=st.lists(values, max_size=4).map(tuple))
def test_states_come_back_equal_and_of_the_same_types(stores: Stores, states: tuple[Any, ...]) -> None:
    held = stores.views.load("h", [row().key]).get(row().key, row())
    assert list(stores.views.commit("h", [msgspec.structs.replace(held, states=states)])) == []
    loaded = stores.views.load("h", [row().key])[row().key].states
    assert isinstance(loaded, tuple)
    assert typed(loaded) == typed(states)


def test_sums_beyond_38_digits_are_exact(stores: Stores) -> None:
    states = (Decimal("9" * 60 + ".01"), 10**70, Decimal(10**50), [Decimal("1E+200")])
    stores.views.commit("v", [row(states=states)])
    assert typed(stores.views.load("v", [row().key])[row().key].states) == typed(states)


def test_rows_come_in_order_of_window_then_group_by_code_point(stores: Stores) -> None:
    groups = ["[]", '["A"]', '["a"]', '["é"]', '["\uffff"]', '["\U0001f600"]', "[1]", "[null]"]
    keys = [RowKey(window, group) for window in (NOON, -HOUR, 0) for group in groups]
    stores.views.commit("v", [row(*key) for key in keys])
    found = stores.views.rows("v", since=-HOUR, until=NOON + 1, after=None, limit=1000)
    assert [r.key for r in found] == sorted(keys)
    assert {r.version for r in found} == {1}


def test_window_starts_are_inclusive_since_and_exclusive_until(stores: Stores) -> None:
    stores.views.commit("v", [row(window, "[]") for window in (0, HOUR, 2 * HOUR, 3 * HOUR)])
    found = stores.views.rows("v", since=HOUR, until=3 * HOUR, after=None, limit=9)
    assert [r.key.window for r in found] == [HOUR, 2 * HOUR]
    assert len(stores.views.rows("v", since=-(10**30), until=10**30, after=None, limit=9)) == 4
    assert list(stores.views.rows("w", since=0, until=NOON, after=None, limit=9)) == []


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_pages_of_rows_hold_everything_once(stores: Stores, limit: int) -> None:
    keys = [RowKey(window, f"[{group}]") for window in range(4) for group in range(5)]
    stores.views.commit("v", [row(*key) for key in reversed(keys)])
    found: list[RowKey] = []
    while page := stores.views.rows("v", since=1, until=3, after=found[-1] if found else None, limit=limit):
        assert len(page) <= limit
        found += [r.key for r in page]
    assert found == [key for key in keys if 1 <= key.window < 3]


def test_after_may_lie_outside_the_range(stores: Stores) -> None:
    stores.views.commit("v", [row(window, "[]") for window in range(5)])
    found = stores.views.rows("v", since=2, until=4, after=RowKey(-7, "[]"), limit=9)
    assert [r.key.window for r in found] == [2, 3]
    assert list(stores.views.rows("v", since=2, until=4, after=RowKey(9, "[]"), limit=9)) == []


def test_a_cursor_starts_at_zero_and_never_goes_back(stores: Stores) -> None:
    assert stores.views.cursor("v", "o") == 0
    for position, expected in [(5, 5), (3, 5), (5, 5), (0, 5), (2**62, 2**62)]:
        stores.views.advance("v", "o", position)
        assert stores.views.cursor("v", "o") == expected


def test_cursors_of_views_and_origins_are_apart(stores: Stores) -> None:
    stores.views.advance("v", "o", 5)
    stores.views.advance("v", "p", 6)
    stores.views.advance("w", "o", 7)
    assert [stores.views.cursor(*names) for names in [("v", "o"), ("v", "p"), ("w", "o"), ("w", "p")]] == [5, 6, 7, 0]


# ---------------------------------------------------------------------------------------------------------- forgetting


def forget(stores: Stores, view: str, limit: int) -> list[int]:
    """How many each call deleted, until none is left."""
    counts = []
    while count := stores.views.forget(view, limit):
        counts.append(count)
    return counts


def keys_of(stores: Stores, view: str) -> list[RowKey]:
    return [r.key for r in stores.views.rows(view, since=-(10**18), until=10**18, after=None, limit=1000)]


@pytest.mark.parametrize("limit", [1, 3, 26, 1000])
def test_a_forgotten_view_has_no_rows_and_no_cursors_and_others_keep_theirs(stores: Stores, limit: int) -> None:
    keys = [RowKey(window * HOUR, f"[{group}]") for window in range(-2, 4) for group in range(5)]
    for view in ("v", "w", "v@1"):
        stores.views.commit(view, [row(*key) for key in keys])
        for origin in ("o", "p", "q"):
            stores.views.advance(view, origin, 7)
    counts = forget(stores, "v", limit)
    assert sum(counts) == 33
    assert max(counts) <= limit
    assert [stores.views.cursor("v", origin) for origin in ("o", "p", "q")] == [0, 0, 0]
    assert keys_of(stores, "v") == []
    assert stores.views.load("v", keys) == {}
    for view in ("w", "v@1"):
        assert keys_of(stores, view) == sorted(keys)
        assert [stores.views.cursor(view, origin) for origin in ("o", "p", "q")] == [7, 7, 7]


def test_cursors_are_forgotten_before_rows(stores: Stores) -> None:
    """So nothing is ever taken for folded whose row is gone."""
    stores.views.commit("v", [row(), row(0)])
    stores.views.advance("v", "o", 7)
    assert stores.views.forget("v", 1) == 1
    assert stores.views.cursor("v", "o") == 0
    assert keys_of(stores, "v") == [RowKey(0, '["EUR"]'), row().key]
    assert stores.views.forget("v", 1) == 1
    assert len(keys_of(stores, "v")) == 1


def test_forgetting_what_never_was_or_is_gone_is_no_error(stores: Stores) -> None:
    assert stores.views.forget("v", 9) == 0
    stores.views.commit("v", [row()])
    assert [stores.views.forget("v", limit) for limit in (0, -1)] == [0, 0]
    assert [stores.views.forget("v", 9), stores.views.forget("v", 9)] == [1, 0]


def test_a_view_that_was_forgotten_begins_again_like_a_new_one(stores: Stores) -> None:
    stores.views.commit("v", [row()])
    stores.views.commit("v", [row(version=1)])
    stores.views.advance("v", "o", 7)
    held = stores.views.load("v", [row().key])[row().key]
    forget(stores, "v", 9)
    assert list(stores.views.commit("v", [held])) == [row().key], "whoever loaded the row before has lost"
    assert list(stores.views.commit("v", [row()])) == []
    assert stores.views.load("v", [row().key]) == {row().key: row(version=1)}
    stores.views.advance("v", "o", 3)
    assert stores.views.cursor("v", "o") == 3


def test_rows_with_long_groups_are_forgotten_too(stores: Stores) -> None:
    groups = [f'["{"é" * 400}{end}"]' for end in "abc"]
    stores.views.commit("v", [row(group=group) for group in groups])
    assert forget(stores, "v", 2) == [2, 1]
    assert stores.views.load("v", [RowKey(NOON, group) for group in groups]) == {}
