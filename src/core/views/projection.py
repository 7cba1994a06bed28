"""Folding changes into the rows of a view, and reading rows out of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from ..canonical import canonical_text
from ..decoding.strict_json import parse
from ..records import Changes, Curated, RowKey, Scalar, Value, ViewRow
from .view import View

Member = TypeVar("Member")
_NESTED = (list, dict)


class Result(msgspec.Struct, frozen=True):
    """A row as it is read: the window's start, the group's values by field, the measures' results by name."""

    window: int
    group: dict[str, Scalar]
    measures: dict[str, Value]


def bucket(view: View, events: Sequence[Curated]) -> dict[RowKey, list[Curated]]:
    """The events by the row they count in, each row's in the order given."""
    return grouped(view, [event.time for event in events], [event.fields for event in events], events)


def grouped(
    view: View, times: Iterable[int], fields: Sequence[Mapping[str, Value]], members: Iterable[Member]
) -> dict[RowKey, list[Member]]:
    """The members by the row they count in, each row's in the order given; ``times`` and ``fields`` are theirs."""
    every, width = view.every, len(view.by)
    columns: list[Sequence[Any]] = [[of.get(name) for of in fields] for name in view.by]
    kinds = [{*map(type, column)} for column in columns]
    for place, found in enumerate(kinds):
        if not found.isdisjoint(_NESTED):  # from before the view was declared
            columns[place] = [v if groupable(v) else canonical_text(v) for v in columns[place]]
    # Values of several classes are told apart by them, because 1, 1.0 and True are equal to Python.
    mixed = [map(type, column) for column, found in zip(columns, kinds, strict=True) if len(found) > 1]
    windows = [time // every for time in times]
    rows: dict[RowKey, list[Member]] = {}
    for values, some in _by_values([windows, *columns, *mixed], members):
        key = RowKey(values[0] * every, canonical_text([*values[1 : 1 + width]]))
        if key in rows:  # 1 and 1.0 are the same number
            rows[key] += some
        else:
            rows[key] = some
    return rows


def _by_values(
    columns: Sequence[Iterable[Any]], members: Iterable[Member]
) -> Iterator[tuple[Sequence[Any], list[Member]]]:
    """The members by their values in the columns, of which the first has few different ones, most often one."""
    first, *others = columns
    alike = {*first}
    found: defaultdict[Any, list[Member]] = defaultdict(list)
    if len(alike) == 1 and len(others) == 1:  # no tuple has to be made for each
        for value, member in zip(others[0], members, strict=True):
            found[value].append(member)
        head = alike.pop()
        yield from (((head, value), some) for value, some in found.items())
        return
    for values, member in zip(zip(*columns, strict=True), members, strict=True):
        found[values].append(member)
    yield from found.items()


def fold(view: View, key: RowKey, row: ViewRow | None, events: Sequence[Curated], changes: Changes) -> ViewRow | None:
    """The row with those of its events folded in that it has not seen; None where it has seen all.

    ``events`` are the row's among ``changes``, all of which count as seen afterwards.
    """
    seen = 0 if row is None else row.positions.get(changes.origin, 0)
    last = changes.positions[-1]
    if seen >= last:
        return None
    if seen >= changes.positions[0]:  # somebody folded the beginning of these changes already
        fresh = {id(r) for p, r in zip(changes.positions, changes.records, strict=True) if p > seen}
        events = [event for event in events if id(event) in fresh]
    measures = view.measures.values()
    states = tuple(m.start() for m in measures) if row is None else row.states
    folded = tuple(m.fold(state, events) for m, state in zip(measures, states, strict=True)) if events else states
    positions: Mapping[str, int] = {} if row is None else row.positions
    return ViewRow(key, folded, {**positions, changes.origin: last}, 0 if row is None else row.version)


def results(view: View, rows: Iterable[ViewRow], by: Sequence[str] | None = None) -> list[Result]:
    """The rows' results, in order of window and group; ``by`` merges them into groups of fewer fields."""
    names = view.by if by is None else tuple(by)
    merged: dict[RowKey, tuple[dict[str, Scalar], list[Value]]] = {}
    for row in rows:
        values = dict(zip(view.by, parse(row.key.group.encode()), strict=True))
        group = {name: values[name] for name in names}
        key = RowKey(row.key.window, canonical_text(list(group.values())))
        if key in merged:
            states = merged[key][1]
            for index, measure in enumerate(view.measures.values()):
                states[index] = measure.merge(states[index], row.states[index])
        else:
            merged[key] = group, list(row.states)
    return [
        Result(
            key.window,
            group,
            {name: m.result(state) for (name, m), state in zip(view.measures.items(), states, strict=True)},
        )
        for key, (group, states) in sorted(merged.items())
    ]


def groupable(value: Any) -> bool:
    """Whether a value can be grouped by: a single one, not an array or object."""
    return value is None or isinstance(value, str | bool | int | Decimal)
