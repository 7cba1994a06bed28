"""Project: changes of the curated store into view rows, each counted exactly once.

A row and the position up to which it has seen its origin are one write; a batch folded twice, by two workers or after
a crash, changes nothing the second time. A view that is being rebuilt has two generations of rows, and each change
goes into all that it belongs to.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..errors import TransientError
from ..ports import ChangeFeed, ViewStore
from ..records import Changes, Curated
from ..views.projection import bucket, fold
from ..views.view import View
from .generations import Generation, Generations

MAX_RACES = 100


class Fed(NamedTuple):
    """A generation of a view that changes are folded into, and the name of its rows."""

    view: View
    generation: Generation
    rows: str


class Project:
    """Folds what was curated into the views of a catalog."""

    def __init__(self, views: Iterable[View], feed: ChangeFeed, rows: ViewStore) -> None:
        self._views, self._feed, self._rows = tuple(views), feed, rows
        self._generations = Generations(rows)

    def step(self, limit: int = 5000) -> int:
        """Fold the next changes that some view has not seen, at most ``limit`` of each origin, and say how many: 0 if
        there are none.

        A view that is new starts from the first change that the feed still has; where changes expire, it is whole only
        after a rebuild.
        """
        if not self._views:
            return 0
        fed = self._fed()
        return sum(self._step(origin, limit, fed) for origin in self._feed.origins())

    def is_current(self) -> bool:
        """Whether every generation of every view has seen all changes. Only reads."""
        if not self._views:
            return True
        fed = self._fed()
        return not any(
            self._feed.changes(origin, self._rows.cursor(each.rows, origin), 1).records
            for origin in self._feed.origins()
            for each in fed
        )

    def _fed(self) -> list[Fed]:
        registry = self._generations.read()
        return [Fed(view, one, one.rows_of(view)) for view in self._views for one in registry.active(view)]

    def _step(self, origin: str, limit: int, fed: Sequence[Fed]) -> int:
        cursors = [self._rows.cursor(each.rows, origin) for each in fed]
        changes = self._feed.changes(origin, min(cursors), limit)
        if not changes.records:
            return 0
        last = changes.positions[-1]
        behind = [each for each, cursor in zip(fed, cursors, strict=True) if cursor < last]
        self._fold(changes, behind)
        for each in behind:
            self._rows.advance(each.rows, origin, last)
        return len(changes.records)

    def fold(self, changes: Changes) -> None:
        """Fold changes into every generation of every view that there is now. Changes of one origin must come without
        gaps; coming again is harmless.
        """
        # The registry is read after the changes were: a generation that is not in it yet has a cut-off still to come.
        self._fold(changes, self._fed())

    def _fold(self, changes: Changes, fed: Iterable[Fed]) -> None:
        types = {record.type for record in changes.records}
        by_type: dict[str, list[Curated]] = {name: [] if len(types) > 1 else [*changes.records] for name in types}
        if len(types) > 1:
            for record in changes.records:
                by_type[record.type].append(record)
        for view, generation, rows in fed:
            if events := generation.own(changes, by_type.get(view.over, ())):
                fold_rows(self._rows, view, rows, events, changes)


def fold_rows(views: ViewStore, view: View, rows: str, events: Sequence[Curated], changes: Changes) -> None:
    """Fold events of a view, which are among the changes, into the rows of that name that have not seen them."""
    waiting = bucket(view, events)
    for _ in range(MAX_RACES):
        stored = views.load(rows, [*waiting])
        folded = [fold(view, key, stored.get(key), members, changes) for key, members in waiting.items()]
        lost = views.commit(rows, [row for row in folded if row is not None])
        if not lost:
            return
        waiting = {key: waiting[key] for key in lost}
    raise TransientError(f"View {view.name!r} lost {MAX_RACES} races for its rows.")
