"""Generations of views: the registry that says which rows readers see, and which changes each generation is fed.

A view begins with generation 0, which nobody has to register: it is fed every change. A rebuild registers another one
beside it, fills it, and switches; numbers are never given twice. The registry is one row of the view store, so that
one read shows all of it, and every change of it is one conditional write.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import PermanentError, TransientError
from ..ports import ViewStore
from ..records import Changes, Curated, RowKey, ViewRow
from ..views.view import View

REGISTRY = "generations"
KEY = RowKey(0, "[]")
MAX_RACES = 100

BUILDING, CURRENT, RETIRED = "building", "current", "retired"


class Superseded(PermanentError):
    """A generation is being built no longer: another rebuild began anew."""


class Generation(NamedTuple):
    """One set of rows of a view.

    What it is fed live divides its events from those that its rebuild reads from the curated store. ``cut_off``: it
    is fed what was curated at this instant (microseconds) or later. Where that is None it is fed what lies beyond the
    position that ``beyond`` has for an origin; origins that are not in it are fed from their first change.
    """

    number: int
    state: str
    cut_off: int | None
    beyond: Mapping[str, int] = {}

    def rows_of(self, view: View) -> str:
        """The name of its rows in the view store; no signature ends like this."""
        return f"{view.signature}@{self.number}" if self.number else view.signature

    def own(self, changes: Changes, events: Sequence[Curated]) -> Sequence[Curated]:
        """Those of the events, which are among the changes, that it is fed. The others are its rebuild's."""
        if self.cut_off is not None:
            return [e for e in events if e.curated_at >= self.cut_off] if self.cut_off else events
        beyond = self.beyond.get(changes.origin, 0)
        if changes.positions[0] > beyond:
            return events
        fed = {id(r) for p, r in zip(changes.positions, changes.records, strict=True) if p > beyond}
        return [event for event in events if id(event) in fed]


FIRST = Generation(0, CURRENT, 0)
"""What a view has that was never rebuilt."""


class Registry(NamedTuple):
    """The generations by the views' signatures, and the last number given away."""

    last: int
    views: Mapping[str, Sequence[Generation]]
    version: int = 0

    def of(self, view: View) -> Sequence[Generation]:
        """All generations of a view, the retired ones too, in order of number."""
        return self.views.get(view.signature, (FIRST,))

    def active(self, view: View) -> Sequence[Generation]:
        """Those that the live feed is folded into."""
        return [generation for generation in self.of(view) if generation.state != RETIRED]

    def current(self, view: View) -> Generation:
        """The one that readers see."""
        return next(generation for generation in self.of(view) if generation.state == CURRENT)

    def building(self, view: View) -> Generation | None:
        """The one that a rebuild fills, if there is one."""
        return next((generation for generation in self.of(view) if generation.state == BUILDING), None)


class Generations:
    """The registry in a view store. It is read anew each time: a rebuild relies on nobody remembering it for long."""

    def __init__(self, rows: ViewStore) -> None:
        self._rows = rows

    def read(self) -> Registry:
        """The registry as it is now. One read of one row."""
        row = self._rows.load(REGISTRY, [KEY]).get(KEY)
        return Registry(0, {}) if row is None else _registry(row)

    def current_rows(self, view: View) -> str:
        """The name under which the view store has the rows that readers see."""
        return self.read().current(view).rows_of(view)

    def begin(
        self,
        views: Iterable[View],
        cut_off: int | None,
        beyond: Mapping[str, int] | None = None,
        *,
        anew: bool = False,
    ) -> Registry:
        """Register a generation to be built for each view, all in one write; one that is being built already is kept
        as it is, or with ``anew`` given up.

        A write whose answer was lost is found on the next try, unless ``anew``.
        """
        wanted = [*views]

        def changed(registry: Registry) -> Registry:
            last, found = registry.last, dict(registry.views)
            for view in wanted:
                if registry.building(view) is not None and not anew:
                    continue
                last += 1
                kept = [generation for generation in registry.of(view) if generation.state != BUILDING]
                found[view.signature] = [*kept, Generation(last, BUILDING, cut_off, dict(beyond or {}))]
            return registry._replace(last=last, views=found)

        return self._change(changed)

    def switch(self, built: Mapping[View, int]) -> Registry:
        """Let readers see these generations from now on, all in one write; those they saw before are retired.

        Generations that are current already stay so. Raises ``Superseded``.
        """

        def changed(registry: Registry) -> Registry:
            found = dict(registry.views)
            for view, number in built.items():
                if registry.current(view).number == number:
                    continue
                building = registry.building(view)
                if building is None or building.number != number:
                    raise Superseded(f"View {view.name!r} is being rebuilt anew by somebody else.")
                states = {BUILDING: CURRENT, CURRENT: RETIRED, RETIRED: RETIRED}
                found[view.signature] = [one._replace(state=states[one.state]) for one in registry.of(view)]
            return registry._replace(views=found)

        return self._change(changed)

    def drop(self, views: Iterable[View]) -> Sequence[str]:
        """Forget the retired generations of views; returns the names of their rows, which nobody reads or writes any
        more.
        """
        wanted, names = [*views], dict[str, None]()

        def changed(registry: Registry) -> Registry:
            found = dict(registry.views)
            for view in wanted:
                retired = [generation for generation in registry.of(view) if generation.state == RETIRED]
                names.update(dict.fromkeys(generation.rows_of(view) for generation in retired))
                if retired:
                    found[view.signature] = registry.active(view)
            return registry._replace(views=found)

        self._change(changed)
        return [*names]

    def _change(self, change: Callable[[Registry], Registry]) -> Registry:
        for _ in range(MAX_RACES):
            before = self.read()
            after = change(before)
            if after == before:
                return before
            if not self._rows.commit(REGISTRY, [_row(after)]):
                return after
        raise TransientError(f"The registry of generations lost {MAX_RACES} races.")


def _row(registry: Registry) -> ViewRow:
    views = {signature: [[*one] for one in generations] for signature, generations in registry.views.items()}
    return ViewRow(KEY, (registry.last, views), {}, registry.version)


def _registry(row: ViewRow) -> Registry:
    last, views = row.states
    read: dict[str, Any] = {signature: [Generation(*one) for one in found] for signature, found in views.items()}
    return Registry(last, read, row.version)
