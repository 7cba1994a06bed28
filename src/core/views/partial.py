"""``Partial``: the rows of all views over some of the events, folded in memory, to be merged with those over others."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from ..records import RowKey, Value, ViewRow
from .projection import bucket
from .view import View

_type = attrgetter("type")


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
                states, measures = self._states[view.name], view.measures.values()
                for key, members in bucket(view, mine).items():
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
