"""Project: changes of the curated store into view rows, each counted exactly once.

A row and the position up to which it has seen its origin are one write; a batch folded twice, by two workers or after
a crash, changes nothing the second time.
"""

from collections.abc import Iterable

from ..errors import TransientError
from ..ports import ChangeFeed, ViewStore
from ..records import Changes, Curated
from ..views.projection import bucket, fold
from ..views.view import View

MAX_RACES = 100


class Project:
    """Folds what was curated into the views of a catalog."""

    def __init__(self, views: Iterable[View], feed: ChangeFeed, rows: ViewStore) -> None:
        self._views, self._feed, self._rows = tuple(views), feed, rows

    def step(self, limit: int = 5000) -> int:
        """Fold the next changes that some view has not seen, at most ``limit`` of each origin, and say how many: 0 if
        there are none.

        A view that is new starts from the first change.
        """
        if not self._views:
            return 0
        return sum(self._step(origin, limit) for origin in self._feed.origins())

    def is_current(self) -> bool:
        """Whether every view has seen all changes. Only reads."""
        return not any(
            self._feed.changes(origin, self._rows.cursor(view.signature, origin), 1).records
            for origin in self._feed.origins()
            for view in self._views
        )

    def _step(self, origin: str, limit: int) -> int:
        cursors = {view: self._rows.cursor(view.signature, origin) for view in self._views}
        start = min(cursors.values())
        changes = self._feed.changes(origin, start, limit)
        if not changes.records:
            return 0
        self.fold(changes, [view for view, cursor in cursors.items() if cursor < changes.positions[-1]])
        for view, cursor in cursors.items():
            if cursor < changes.positions[-1]:
                self._rows.advance(view.signature, origin, changes.positions[-1])
        return len(changes.records)

    def fold(self, changes: Changes, views: Iterable[View]) -> None:
        """Fold changes into views. Changes of one origin must come without gaps; coming again is harmless."""
        types = {record.type for record in changes.records}
        by_type: dict[str, list[Curated]] = {name: [] if len(types) > 1 else [*changes.records] for name in types}
        if len(types) > 1:
            for record in changes.records:
                by_type[record.type].append(record)
        for view in views:
            if events := by_type.get(view.over):
                self._fold_view(view, events, changes)

    def _fold_view(self, view: View, events: list[Curated], changes: Changes) -> None:
        waiting = bucket(view, events)
        for _ in range(MAX_RACES):
            stored = self._rows.load(view.signature, [*waiting])
            folded = [fold(view, key, stored.get(key), members, changes) for key, members in waiting.items()]
            lost = self._rows.commit(view.signature, [row for row in folded if row is not None])
            if not lost:
                return
            waiting = {key: waiting[key] for key in lost}
        raise TransientError(f"View {view.name!r} lost {MAX_RACES} races for its rows.")
