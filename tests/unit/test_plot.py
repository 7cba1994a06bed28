"""Claims about a view as a chart of text."""

import re
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from millrace.entrypoints.cli.output import brief
from millrace.entrypoints.cli.plot import ASCII, BLOCKS, Marks, Paper, chart

HOUR = 3_600_000_000
EIGHT = 8 * HOUR  # 1970-01-01T08:00Z

numbers = st.one_of(st.none(), st.integers(-(10**9), 10**9), st.decimals(-1000, 1000, places=2))
series = st.dictionaries(st.integers(0, 60).map(lambda hour: hour * HOUR), numbers, min_size=1, max_size=40)
labels = st.text(st.characters(exclude_categories=["C", "Zl", "Zp", "M"]), max_size=30)
groups = st.dictionaries(labels, series, min_size=1, max_size=20)


def drawn(groups: Any, columns: int = 80, lines: int | None = None, marks: Marks = BLOCKS) -> list[str]:
    return [line.rstrip() for line in chart(groups, HOUR, Paper(columns, lines, marks))]


@settings(deadline=None, max_examples=50)
@given(groups, st.integers(80, 200), st.integers(5, 60), st.sampled_from([BLOCKS, ASCII]))
def test_a_chart_never_takes_more_than_the_screen(groups: Any, columns: int, lines: int, marks: Marks) -> None:
    found = drawn(groups, columns, lines, marks)
    assert 0 < len(found) <= max(lines - 2, 3)
    assert max(map(cell_len, found)) <= columns


@settings(deadline=None, max_examples=50)
@given(groups)
def test_the_whole_chart_has_a_line_with_the_number_of_every_window(groups: Any) -> None:
    found = drawn(groups, 120)
    timed = [line for line in found if re.match(r"19\d\d-\d\d-\d\dT\d\d:00Z  ", line)]
    values = [series[window] for series in groups.values() for window in sorted(series)]
    shown = [BLOCKS.nothing if value is None else brief(value) for value in values]
    assert [line.split("Z  ", 1)[1].split()[0] for line in timed] == shown


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20))
def test_longer_bars_stand_for_greater_numbers(values: list[int]) -> None:
    found = drawn({"": {place * HOUR: value for place, value in enumerate(values)}})
    bars = [line[17 + 2 + max(len(str(v)) for v in values) + 2 :] for line in found]
    lengths = [sum(mark in "".join(BLOCKS[:2]) for mark in bar) for bar in bars]
    for value, length in zip(values, lengths, strict=True):
        assert (length > 0) == (value != 0)
        for other, others in zip(values, lengths, strict=True):
            if value * other > 0 and abs(value) > abs(other):
                assert length >= others


def test_bars_stand_beside_their_numbers() -> None:
    assert drawn({"": {EIGHT: 4, EIGHT + HOUR: Decimal("2.50"), EIGHT + 2 * HOUR: 0}}, columns=33) == [
        "1970-01-01T08:00Z    4  █████████"[:33],
        "1970-01-01T09:00Z  2.5  █████▋",
        "1970-01-01T10:00Z    0",
    ]


def test_negative_numbers_grow_to_the_left_of_zero() -> None:
    assert drawn({"": {EIGHT: -2, EIGHT + HOUR: 2}}, columns=31, marks=ASCII) == [
        "1970-01-01T08:00Z  -2  ####",
        "1970-01-01T09:00Z   2      ####",
    ]


def test_gaps_and_missing_values_are_shown_as_such() -> None:
    assert drawn({"EUR": {EIGHT: 1, EIGHT + 2 * HOUR: None, EIGHT + 9 * HOUR: 1}}, columns=26, marks=ASCII) == [
        "EUR",
        "1970-01-01T08:00Z  1  ####",
        "1970-01-01T09:00Z",
        "1970-01-01T10:00Z  ?",
        "??? 6 without events",
        "1970-01-01T17:00Z  1  ####",
    ]


def test_what_needs_more_than_a_screen_is_a_line_for_each_group_with_gaps() -> None:
    found = drawn({"EUR": {EIGHT + n * HOUR: n for n in range(9) if n != 4}, "USD": {EIGHT: None}}, lines=8)
    assert found == [
        "1970-01-01T08:00Z to 1970-01-01T16:00Z, 1 h a column",
        "EUR  ▁▂▃▄ ▆▇██  low 0  high 8  last 8",
        "USD  ·",
    ]


def test_the_latest_windows_are_shown_where_not_all_fit_and_the_others_are_told() -> None:
    found = drawn({"": {n * HOUR: 1 for n in range(1000)}}, columns=60, lines=10)
    assert "left out" in found[0]
    assert found[1].count("█") + int(re.findall(r"; ([\d,]+) earlier", found[0])[0].replace(",", "")) == 1000


def test_groups_that_do_not_fit_are_counted() -> None:
    found = drawn({f"g-{n:03}": {0: n, HOUR: n} for n in range(100)}, lines=12)
    assert len(found) == 10
    assert found[-1] == "and 92 more groups; --all shows every one"


def test_windows_centuries_apart_are_no_trouble() -> None:
    far = {"": {0: 1, 250_000 * 24 * HOUR: 2}}
    assert "5,999,999 without events" in drawn(far)[1]
    assert drawn({**far, **{str(n): {0: 1} for n in range(20)}}, lines=12)[1].startswith(" ")
