"""``Partial``: the rows of all views over some of the events, folded in memory, to be merged with those over others."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Protocol

from ..records import RowKey, Value, ViewRow
from .measures import FieldMeasure
from .projection import bucket, grouped
from .view import View

_type = attrgetter("type")


class Columns(Protocol):
    """Events of one type, column by column: each one's time and curated fields, and when asked for the events."""

    @property
    def type(self) -> str: ...
    @property
    def times(self) -> Sequence[int]: ...
    @property
    def fields(self) -> Sequence[Mapping[str, Value]]: ...

    def events(self) -> Sequence[Any]:
        """The events, of a kind that measures can read."""
        ...


class Partial:
    """States of rows by view. Events must be distinct; nothing is remembered of them."""

    def __init__(self, views: Iterable[View]) -> None:
        self._by_type: dict[str, list[View]] = defaultdict(list)
        self._views = tuple(views)
        for view in self._views:
            self._by_type[view.over].append(view)
        self._states: dict[str, dict[RowKey, tuple[Value, ...]]] = {view.name: {} for view in self._views}

    def fold(self, events: Sequence[Any]) -> None:
        """Add events: of a kind that measures can read."""
        types = {*map(_type, events)}
        for name in types:
            mine = events if len(types) == 1 else [event for event in events if event.type == name]
            for view in self._by_type.get(name, ()):
                self._fold(view, bucket(view, mine))

    def fold_columns(self, columns: Columns) -> None:
        """Add events that are there column by column, which takes half of the time."""
        for view in self._by_type.get(columns.type, ()):
            rows = self._states[view.name]
            measures = [measure for measure in view.measures.values() if isinstance(measure, FieldMeasure)]
            if len(measures) < len(view.measures):
                self._fold(view, bucket(view, columns.events()))
                continue
            for key, some in grouped(view, columns.times, columns.fields, columns.fields).items():
                before = rows.get(key) or tuple(measure.start() for measure in measures)
                values = {
                    name: some if name is None else [value for of in some if (value := of.get(name)) is not None]
                    for name in {measure.field for measure in measures}
                }
                rows[key] = tuple(m.add(state, values[m.field]) for m, state in zip(measures, before, strict=True))

    def _fold(self, view: View, rows: Mapping[RowKey, Sequence[Any]]) -> None:
        states, measures = self._states[view.name], view.measures.values()
        for key, members in rows.items():
            before = states.get(key) or tuple(measure.start() for measure in measures)
            states[key] = tuple(m.fold(state, members) for m, state in zip(measures, before, strict=True))

    def merge(self, states: dict[str, dict[RowKey, tuple[Value, ...]]]) -> None:
        """Add the states that another one has of other events."""
        for view in self._views:
            mine, measures = self._states[view.name], view.measures.values()
            for key, theirs in states[view.name].items():
                if (before := mine.get(key)) is not None:
                    merged = zip(measures, before, theirs, strict=True)
                    theirs = tuple(measure.merge(one, other) for measure, one, other in merged)
                mine[key] = theirs

    @property
    def states(self) -> dict[str, dict[RowKey, tuple[Value, ...]]]:
        """The states by view's name and row; they survive pickling."""
        return {name: {**rows} for name, rows in self._states.items()}

    def rows(self, view: View) -> list[ViewRow]:
        """The rows of a view in order."""
        return [ViewRow(key, states, {}) for key, states in sorted(self._states[view.name].items())]
