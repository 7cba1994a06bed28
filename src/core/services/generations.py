"""Generations of views: the registry that says which rows readers see, and which changes each generation is fed.

A view begins with generation 0, which nobody has to register: it is fed every change. A rebuild registers another one
beside it, fills it, and switches; numbers are never given twice. The registry is one row of the view store, so that
one read shows all of it, and every change of it is one conditional write.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import PermanentError, TransientError
from ..ports import ViewStore
from ..records import Changes, Curated, RowKey, ViewRow
from ..views.view import View

REGISTRY = "generations"
KEY = RowKey(0, "[]")
MAX_RACES = 100
PAGE = 1000

BUILDING, CURRENT, RETIRED, DROPPED = "building", "current", "retired", "dropped"
"""What becomes of a generation: a rebuild fills it, readers see it, it is kept in case that it is wanted again, and it
is to be deleted: the registry has it until its rows are gone, so that no crash in between makes them nobody's. One that
is being built is dropped where another rebuild begins anew.
"""


class Superseded(PermanentError):
    """A generation is being built no longer: another rebuild began anew."""


class Generation(NamedTuple):
    """One set of rows of a view.

    What it is fed live divides its events from those that its rebuild reads from the curated store. ``cut_off``: it
    is fed what was curated at this instant (microseconds) or later. Where that is None it is fed what lies beyond the
    position that ``beyond`` has for an origin; origins that are not in it are fed from their first change.
    ``ended``: an instant at which it was fed no longer, by the clock of whoever saw that; None where it is fed, or
    nobody wrote one down.
    """

    number: int
    state: str
    cut_off: int | None
    beyond: Mapping[str, int] = {}
    ended: int | None = None

    @property
    def fed(self) -> bool:
        """Whether the live feed is folded into it."""
        return self.state in (BUILDING, CURRENT)

    @property
    def unended(self) -> bool:
        """Whether it is fed no longer, and nobody has written down since when."""
        return not self.fed and self.ended is None

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
        """All generations of a view, also those that are fed no longer, in order of number."""
        return self.views.get(view.signature, (FIRST,))

    def active(self, view: View) -> Sequence[Generation]:
        """Those that the live feed is folded into."""
        return [generation for generation in self.of(view) if generation.fed]

    def current(self, view: View) -> Generation:
        """The one that readers see."""
        return next(generation for generation in self.of(view) if generation.state == CURRENT)

    def building(self, view: View) -> Generation | None:
        """The one that a rebuild fills, if there is one."""
        return next((generation for generation in self.of(view) if generation.state == BUILDING), None)

    def keeps(self, view: View, number: int) -> bool:
        """Whether there is a generation of that number that nobody deletes."""
        return any(one.number == number and one.state != DROPPED for one in self.of(view))


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

    def rows(self, view: View, *, since: int, until: int) -> Iterator[ViewRow]:
        """The rows that readers see, with window start in [since, until), in order of key.

        Raises ``TransientError`` where their generation was dropped meanwhile: some rows may have been gone already.
        """
        current = self.read().current(view)
        name, after = current.rows_of(view), None
        while True:
            page = self._rows.rows(name, since=since, until=until, after=after, limit=PAGE)
            # Only a look after the page was read can tell that it is whole: what is deleted was marked before.
            if not self.read().keeps(view, current.number):
                raise TransientError(f"View {view.name!r} was rebuilt while it was read")
            if not page:
                return
            yield from page
            after = page[-1].key

    def begin(
        self,
        views: Iterable[View],
        cut_off: int | None,
        beyond: Mapping[str, int] | None = None,
        *,
        anew: bool = False,
    ) -> Registry:
        """Register a generation to be built for each view, all in one write; one that is being built already is kept
        as it is, or with ``anew`` dropped.

        A write whose answer was lost is found on the next try, unless ``anew``.
        """
        wanted = [*views]

        def changed(registry: Registry) -> Registry:
            last, found = registry.last, dict(registry.views)
            for view in wanted:
                if registry.building(view) is not None and not anew:
                    continue
                last += 1
                others = [*map(_moved({BUILDING: DROPPED}), registry.of(view))]
                found[view.signature] = [*others, Generation(last, BUILDING, cut_off, dict(beyond or {}))]
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
                found[view.signature] = [*map(_moved({BUILDING: CURRENT, CURRENT: RETIRED}), registry.of(view))]
            return registry._replace(views=found)

        return self._change(changed)

    def end(self, views: Iterable[View], now: Callable[[], int]) -> Registry:
        """Write down of each generation that is fed no longer, where nobody did before, that this is so ``now``.

        The clock is asked after the registry was read, so that the instant is none at which it was fed still.
        """
        wanted = [*views]

        def changed(registry: Registry) -> Registry:
            found = dict(registry.views)
            for view in wanted:
                known = registry.of(view)
                if any(one.unended for one in known):
                    found[view.signature] = [one._replace(ended=now()) if one.unended else one for one in known]
            return registry._replace(views=found)

        return self._change(changed)

    def drop(self, views: Iterable[View]) -> Registry:
        """Drop the retired generations of views: nobody will want them again."""
        wanted = [*views]

        def changed(registry: Registry) -> Registry:
            found = dict(registry.views)
            for view in wanted:
                if any(one.state == RETIRED for one in registry.of(view)):
                    found[view.signature] = [*map(_moved({RETIRED: DROPPED}), registry.of(view))]
            return registry._replace(views=found)

        return self._change(changed)

    def forget(self, view: View, number: int) -> Registry:
        """Strike a dropped generation off: its rows are gone."""

        def changed(registry: Registry) -> Registry:
            left = [one for one in registry.of(view) if (one.number, one.state) != (number, DROPPED)]
            if len(left) == len(registry.of(view)):
                return registry
            return registry._replace(views={**registry.views, view.signature: left})

        return self._change(changed)

    def _change(self, change: Callable[[Registry], Registry]) -> Registry:
        for _ in range(MAX_RACES):
            before = self.read()
            after = change(before)
            if after == before:
                return before
            if not self._rows.commit(REGISTRY, [_row(after)]):
                return after
        raise TransientError(f"The registry of generations lost {MAX_RACES} races.")


def _moved(states: Mapping[str, str]) -> Callable[[Generation], Generation]:
    """A function that moves a generation on to the state that is named for its own, if one is."""
    return lambda one: one._replace(state=states.get(one.state, one.state))


def _row(registry: Registry) -> ViewRow:
    views = {signature: [[*one] for one in generations] for signature, generations in registry.views.items()}
    return ViewRow(KEY, (registry.last, views), {}, registry.version)


def _registry(row: ViewRow) -> Registry:
    last, views = row.states
    read: dict[str, Any] = {signature: [Generation(*one) for one in found] for signature, found in views.items()}
    return Registry(last, read, row.version)
