"""A view as a chart of text: bars where they fit on the screen, else a line of blocks for each group."""

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import click
from rich.cells import cell_len, set_cell_size

from ...core.numbers import plain
from ...core.times import format_time
from .exits import Fault
from .output import brief, cell, printable

if TYPE_CHECKING:
    from ...core.views.projection import Result
    from ...core.views.view import View

Number: TypeAlias = int | Decimal
Series: TypeAlias = Mapping[int, Number | None]
"""Values by window; None where a measure has none. A window that is not there had no events."""

_MINUTE, _DAY = 60_000_000, 86_400_000_000
_NARROWEST: Final = 4
_LONGEST_LABEL: Final = 24


class Marks(NamedTuple):
    """What charts are drawn with: parts of a bar that grows to the right and of one that grows to the left, the heights
    of a line, what stands for no value.
    """

    right: str
    left: str
    heights: str
    nothing: str


BLOCKS: Final = Marks("▏▎▍▌▋▊▉█", "▐█", "▁▂▃▄▅▆▇█", "·")
ASCII: Final = Marks("#", "#", "_.-=+*%#", "?")


class Paper(NamedTuple):
    """Columns and lines there are, and what can be drawn there. Without ``lines``, as many as it takes."""

    columns: int
    lines: int | None
    marks: Marks = BLOCKS


def measure_of(view: "View", rows: Sequence["Result"], name: str | None) -> str:
    """The measure to plot: that of the name, else the first that has numbers. Raises ``Fault``."""
    if name is not None and name not in view.measures:
        raise Fault(f"View {view.name!r} has no measure {name!r}; it has {', '.join(view.measures)}.")
    for each in view.measures if name is None else [name]:
        values = [row.measures[each] for row in rows if row.measures[each] is not None]
        if all(map(_is_number, values)) and (values or name is not None):
            return each
    which = f"Measure {name!r} has" if name is not None else "Each measure has"
    raise Fault(f"{which} values that are no numbers; there is nothing to plot in view {view.name!r}.")


def print_plot(view: "View", measure: str, rows: Iterable["Result"], *, whole: bool) -> None:
    """Plot a measure of numbers: on one screen, or ``whole``, every window as a bar."""
    groups: dict[str, dict[int, Number | None]] = {}
    for row in rows:
        label = ", ".join(printable(cell(value)) or "null" for value in row.group.values())
        groups.setdefault(label, {})[row.window] = row.measures[measure]
    size = shutil.get_terminal_size()
    paper = Paper(size.columns, None if whole else size.lines, BLOCKS if _can_write(BLOCKS) else ASCII)
    click.echo(f"{printable(view.name)}: {printable(measure)}")
    for line in chart(groups, view.every, paper):
        click.echo(line.rstrip())


def chart(groups: Mapping[str, Series], every: int, paper: Paper) -> Iterator[str]:
    """The lines of a chart, below a title and above a prompt: windows are ``every`` microseconds long."""
    lines = _bars(groups, every, paper)
    if paper.lines is None:
        yield from lines
        return
    most = max(paper.lines - 2, 3)
    first = [*islice(lines, most + 1)]
    yield from first if len(first) <= most else _lines(groups, every, paper, most)


def _bars(groups: Mapping[str, Series], every: int, paper: Paper) -> Iterator[str]:
    values = [value for series in groups.values() for value in series.values() if value is not None]
    low, high = min([0, *values]), max([0, *values])
    texts = [brief(value) for value in values]
    number_width = max(map(len, [*texts, paper.marks.nothing]))
    time_width = len(_time(0, every))
    room = paper.columns - time_width - number_width - 4
    for label, series in groups.items():
        if label:
            yield _fitted(label, paper.columns).rstrip()
        windows = sorted(series)
        for before, window in pairwise([None, *windows]):
            if before is not None and window is not None and (gap := (window - before) // every - 1) > 0:
                yield f"{paper.marks.nothing * 3} {gap:,} without events" if gap > 1 else _time(before + every, every)
            if window is not None:
                value = series[window]
                number = paper.marks.nothing if value is None else brief(value)
                bar = "" if value is None or room < _NARROWEST else _bar(value, low, high, room, paper.marks)
                yield f"{_time(window, every)}  {number.rjust(number_width)}  {bar}".rstrip()


def _bar(value: Number, low: Number, high: Number, room: int, marks: Marks) -> str:
    """A bar from zero to a value, where ``room`` columns stand for low to high; none at zero."""
    if not value:
        return ""
    span = Decimal(high) - Decimal(low)
    zero = round(-Decimal(low) / span * room)
    parts = marks.right if value > 0 else marks.left
    # What is not nothing is seen.
    length = max(round(abs(Decimal(value)) / span * room * len(parts)), 1)
    full, rest = divmod(min(length, (room - zero if value > 0 else zero or 1) * len(parts)), len(parts))
    end = parts[rest - 1] if rest else ""
    return " " * zero + parts[-1] * full + end if value > 0 else (end + parts[-1] * full).rjust(zero)


def _lines(groups: Mapping[str, Series], every: int, paper: Paper, most: int) -> Iterator[str]:
    """A line for each group: windows from left to right, the latest that fit, then the lowest, highest and last."""
    last = max(map(max, groups.values()))
    first = min(map(min, groups.values()))
    shown = [*islice(groups.items(), most - 2 if len(groups) > most - 1 else None)]
    label_width = min(max((cell_len(label) for label, _ in shown), default=0), _LONGEST_LABEL)
    ends = [_ends(series) for _, series in shown]
    room = paper.columns - label_width - max(map(len, ends)) - 2 * (2 if label_width else 1)
    count = min((last - first) // every + 1, max(room, _NARROWEST))
    windows = range(last - (count - 1) * every, last + 1, every)
    seen = [value for _, series in shown for window in windows if (value := series.get(window)) is not None]
    low, high = min([0, *seen]), max([0, *seen])
    earlier = (windows[0] - first) // every
    more = f"; {earlier:,} earlier left out" if earlier else ""
    yield f"{_time(windows[0], every)} to {_time(last, every)}, {_length(every)} a column{more}"
    for (label, series), end in zip(shown, ends, strict=True):
        line = "".join(_height(series, window, low, high, paper.marks) for window in windows)
        yield f"{_fitted(label, label_width)}  {line}  {end}" if label_width else f"{line}  {end}"
    if len(groups) > len(shown):
        yield f"and {len(groups) - len(shown):,} more groups; --all shows every one"


def _height(series: Series, window: int, low: Number, high: Number, marks: Marks) -> str:
    if window not in series:
        return " "
    value = series[window]
    if value is None:
        return marks.nothing
    span = Decimal(high) - Decimal(low)
    step = int((Decimal(value) - Decimal(low)) / span * len(marks.heights)) if span else 0
    return marks.heights[min(step, len(marks.heights) - 1)]


def _ends(series: Series) -> str:
    values = [value for window in sorted(series) if (value := series[window]) is not None]
    if not values:
        return ""
    return f"low {brief(min(values))}  high {brief(max(values))}  last {brief(values[-1])}"


def _time(window: int, every: int) -> str:
    """The start of a window, as short as the windows' length allows."""
    text = format_time(window)
    if every % _DAY == 0:
        return text[:10]
    return f"{text[:16]}Z" if every % _MINUTE == 0 else text.ljust(20)


def _length(every: int) -> str:
    for unit, size in (("d", _DAY), ("h", 60 * _MINUTE), ("min", _MINUTE), ("s", 1_000_000)):
        if every % size == 0:
            return f"{every // size} {unit}"
    return f"{plain(Decimal(every) / 1_000_000)} s"


def _fitted(label: str, width: int) -> str:
    """The label in exactly so many columns; a character may take two."""
    return set_cell_size(label, width) if cell_len(label) <= width else f"{set_cell_size(label, width - 1)}…"


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _can_write(marks: Marks) -> bool:
    """Whether standard output's encoding has all the marks."""
    try:
        "".join(marks).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
