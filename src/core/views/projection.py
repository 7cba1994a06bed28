"""Folding changes into the rows of a view, and reading rows out of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from ..canonical import canonical_text
from ..decoding.strict_json import parse
from ..records import Changes, Curated, RowKey, Scalar, Value, ViewRow
from .view import View


class Result(msgspec.Struct, frozen=True):
    """A row as it is read: the window's start, the group's values by field, the measures' results by name."""

    window: int
    group: dict[str, Scalar]
    measures: dict[str, Value]


def bucket(view: View, events: Iterable[Curated]) -> dict[RowKey, list[Curated]]:
    """The events by the row they count in, each row's in the order given."""
    every, by, width = view.every, view.by, len(view.by)
    found: defaultdict[tuple[Any, ...], list[Curated]] = defaultdict(list)
    # The class is part of the key because 1, 1.0 and True are equal to Python; canonical text sorts that out below.
    try:
        if width == 1:
            name = by[0]
            for event in events:
                value = event.fields.get(name)
                found[event.time // every, value, value.__class__].append(event)
        else:
            for event in events:
                values = [event.fields.get(name) for name in by]
                found[event.time // every, *values, *[value.__class__ for value in values]].append(event)
    except TypeError:  # an array or object, from before the view was declared
        found.clear()
        for event in events:
            values = [v if groupable(v) else canonical_text(v) for v in map(event.fields.get, by)]
            found[event.time // every, *values, *[value.__class__ for value in values]].append(event)
    rows: dict[RowKey, list[Curated]] = {}
    for (window, *rest), members in found.items():
        key = RowKey(window * every, canonical_text(rest[:width]))
        if key in rows:
            rows[key] += members
        else:
            rows[key] = members
    return rows


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
