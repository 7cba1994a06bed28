"""Rebuild: a view from scratch into a new generation, while events go on arriving, and then the switch.

Every curated event must be counted once in the new generation: by the live feed, or by the rebuild, which reads the
curated store. There are two ways to divide them.

Where others insert meanwhile, by the instant of insertion (``margin`` > 0). The cut-off lies in the future by the
margin, the longest that an insertion or a fold can be under way plus what clocks may differ by. So when the first event
comes that the feed is to bring, every projector knows the generation; and once the cut-off is past by the margin, all
that was curated before it is in the store, and stays the same however often it is read. An interrupted rebuild goes
on, and several at once do the same work twice, which harms nothing.

Where nobody else can insert from ``begin`` to ``finish`` (``margin`` 0; on one machine the writer's lock sees to that),
by position: what the feed has shown is in the store, whole; what comes later is beyond that position. No clock is
asked, so none can be wrong, and there is nothing to wait for. A rebuild that was interrupted begins anew, since others
may have inserted meanwhile.

What is dropped is deleted when nobody can write it any more, since rows that come later would stay for ever: nobody
asks for them. Who could is whoever has read in the registry that the generation is fed: a projector, which lives no
longer than a function does. So where others project, the margin must pass from an instant at which the registry was
seen to say otherwise. A reader is never shown half of what is deleted: ``Generations.rows``. Only a rebuild of the
dropped generation itself may last longer, on a machine that was asleep: it looks, after whatever it wrote, whether its
generation is still there, and deletes what it wrote if not. What it wrote stays only if it dies before it looks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from ..errors import TransientError
from ..identity import EARLIEST, TIE, record_key
from ..ports import Clock, Stores, ViewStore
from ..records import Changes, Curated, RowKey, ViewRow
from ..views.view import View
from .archived import Archived
from .generations import DROPPED, MAX_RACES, Generation, Generations, Registry, Superseded
from .project import fold_rows

PROGRESS = RowKey(0, "[]")
"""The row that says how far a generation is built: [position as text, whether that is all]."""

TOGETHER = 1000
"""Rows that are deleted with one call."""

BEFORE_ALL = EARLIEST * TIE - 1
"""A position is a sort key less this, so that it is above 0."""

LONGEST_INSERTION = 15 * 60_000_000
"""No function lives longer (AWS Lambda developer guide, "Lambda quotas"), so no insertion or fold on a stack does."""

GREATEST_SKEW = 5 * 60_000_000
"""How far off any clock is taken to be. One that is farther off is noticed: AWS denies most requests whose time stamp
is (IAM user guide, "AWS Signature Version 4 for API requests")."""

STACK_MARGIN = LONGEST_INSERTION + 2 * GREATEST_SKEW
"""Two clocks may be off in opposite directions."""

History = Callable[[str, int | None, int], Sequence[Curated]]
"""Up to so many (third) curated events of a type, in order of sort key, beyond one."""


def progress_of(number: int) -> str:
    """The name under which the view store has how far the generation of that number is built."""
    return f"rebuild:{number}"


@attrs.frozen
class Task:
    """A generation of a view that is being built."""

    view: View
    generation: Generation

    @property
    def rows(self) -> str:
        return self.generation.rows_of(self.view)


class Rebuild:
    """Builds new generations of views. ``margin`` in microseconds: see above; 0 is for whoever inserts alone.

    ``history`` reads all curated events of a type, by default the stored ones and the archived ones.
    """

    def __init__(self, stores: Stores, clock: Clock, *, margin: int, history: History | None = None) -> None:
        self._stores, self._clock, self._margin = stores, clock, margin
        self._views, self._generations = stores.views, Generations(stores.views)
        self._history = history or Archived(stores).page

    def begin(self, views: Iterable[View], *, anew: bool = False) -> list[Task]:
        """The generations to build, registered from now on.

        One that is being built already is joined, unless ``anew``: that is for whoever changed what is stored, since
        the other may have read it before. Who inserts alone always begins anew.
        """
        wanted = [*views]
        if self._margin:
            registry = self._generations.begin(wanted, self._clock.now() + self._margin, anew=anew)
            self._end(wanted)
            return _tasks(registry, wanted)
        ends = self._ends(wanted)
        tasks = _tasks(self._generations.begin(wanted, None, ends, anew=True), wanted)
        for task in tasks:
            for origin, position in ends.items():
                self._views.advance(task.rows, origin, position)  # so that the feed need not be read up to there
        return tasks

    def wait(self, tasks: Iterable[Task]) -> int:
        """Microseconds until there may be a first ``step``, as the clock has it now."""
        cut_offs = [task.generation.cut_off for task in tasks]
        ready_at = max((at + self._margin for at in cut_offs if at is not None), default=None)
        return 0 if ready_at is None else max(ready_at - self._clock.now(), 0)

    def step(self, tasks: Sequence[Task], limit: int = 5000) -> int:
        """Fold the next curated events, at most ``limit`` of each type, and say how many were read: 0 when all were.

        Raises ``TransientError`` where it is too early, ``Superseded`` where another rebuild of a view began anew.
        """
        if wait := self.wait(tasks):
            raise TransientError(f"The rebuild may not read yet, but in {wait / 60_000_000:.1f} minutes.")
        self._require(tasks)
        progress = self._progress(tasks)
        by_type: defaultdict[str, list[Task]] = defaultdict(list)
        for task in tasks:
            if not progress[task.generation.number].done:
                by_type[task.view.over].append(task)
        try:
            read = sum(self._step(name, together, progress, limit) for name, together in by_type.items())
        except TransientError:
            self._require(tasks)
            raise
        self._require(tasks)
        return read

    def finish(self, tasks: Sequence[Task]) -> bool:
        """Switch readers to the new generations, all at once, if they are whole; say whether they are.

        They are not while ``step`` has something to read, or the live feed has brought less to a new generation than
        to the one that readers see. Raises ``Superseded``.
        """
        self._require(tasks)
        if not all(each.done for each in self._progress(tasks).values()) or self._behind(tasks):
            return False
        self._generations.switch({task.view: task.generation.number for task in tasks})
        self._end([task.view for task in tasks])
        return True

    def drop(self, views: Iterable[View]) -> Sequence[str]:
        """Drop the generations that readers saw before, and ``sweep``."""
        wanted = [*views]
        self._generations.drop(wanted)
        return self.sweep(wanted)

    def sweep(self, views: Iterable[View]) -> Sequence[str]:
        """Delete the rows of dropped generations, those that earlier rebuilds left among them, as far as nobody can
        write them any more; returns the names that their rows had. Cut off, it is finished by sweeping again.
        """
        wanted, gone = [*views], list[str]()
        for view, generation in self._dropped(wanted):
            if self._deletable_in(generation) == 0:
                self._delete(view, generation)
                self._generations.forget(view, generation.number)
                gone.append(generation.rows_of(view))
        return gone

    def unswept(self, views: Iterable[View]) -> int | None:
        """Microseconds until ``sweep`` can delete something, as the clock has it now; None where nothing is left."""
        return min((self._deletable_in(generation) for _, generation in self._dropped([*views])), default=None)

    # ------------------------------------------------------------------------------------------------------------ parts

    def _ends(self, views: Sequence[View]) -> dict[str, int]:
        """The last position of each origin. Raises ``TransientError`` unless the views have seen all changes."""
        registry, ends = self._generations.read(), dict[str, int]()
        for origin in self._stores.feed.origins():
            for view in views:
                cursor = self._views.cursor(registry.current(view).rows_of(view), origin)
                if self._stores.feed.changes(origin, cursor, 1).records:
                    raise TransientError(f"View {view.name!r} has not seen all changes yet.")
                ends[origin] = max(cursor, ends.get(origin, 0))
        return ends

    def _require(self, tasks: Iterable[Task]) -> None:
        """Raise ``Superseded`` where a generation was dropped, once what was written of it since then is deleted."""
        registry = self._generations.read()
        dropped = [task for task in tasks if not registry.keeps(task.view, task.generation.number)]
        for task in dropped:
            self._delete(task.view, task.generation)
        for task in dropped:
            raise Superseded(f"View {task.view.name!r} is being rebuilt anew by somebody else.")

    def _end(self, views: Sequence[View]) -> Registry:
        """The registry, with instants from which on the margin is counted; who is alone counts none."""
        return self._generations.end(views, self._clock.now) if self._margin else self._generations.read()

    def _dropped(self, views: Sequence[View]) -> list[tuple[View, Generation]]:
        registry = self._end(views)
        return [(view, one) for view in views for one in registry.of(view) if one.state == DROPPED]

    def _deletable_in(self, generation: Generation) -> int:
        """Microseconds until nobody can write the rows of a dropped generation any more."""
        if not self._margin or generation.ended is None:
            return self._margin
        return max(generation.ended + self._margin - self._clock.now(), 0)

    def _delete(self, view: View, generation: Generation) -> None:
        for name in (generation.rows_of(view), progress_of(generation.number)):
            while self._views.forget(name, TOGETHER):
                pass

    def _step(self, name: str, tasks: Sequence[Task], progress: Mapping[int, "_Progress"], limit: int) -> int:
        start = min(progress[task.generation.number].position for task in tasks)
        records = self._history(name, start + BEFORE_ALL if start else None, limit)
        positions = [record_key(record) - BEFORE_ALL for record in records]
        for task in tasks:
            number, cut_off = task.generation.number, task.generation.cut_off
            if positions and positions[-1] <= progress[number].position:
                continue
            if events := [r for r in records if cut_off is None or r.curated_at < cut_off]:
                fold_rows(self._views, task.view, task.rows, events, Changes(progress_of(number), positions, records))
            self._advance(number, _Progress(positions[-1] if positions else start, not positions))
        return len(records)

    def _behind(self, tasks: Iterable[Task]) -> bool:
        registry = self._generations.read()
        return any(
            self._views.cursor(task.rows, origin)
            < self._views.cursor(registry.current(task.view).rows_of(task.view), origin)
            for origin in self._stores.feed.origins()
            for task in tasks
        )

    def _progress(self, tasks: Iterable[Task]) -> dict[int, "_Progress"]:
        return {task.generation.number: _progress(self._views, task.generation.number)[0] for task in tasks}

    def _advance(self, number: int, reached: "_Progress") -> None:
        for _ in range(MAX_RACES):
            known, version = _progress(self._views, number)
            if known.done or (reached.position <= known.position and not reached.done):
                return  # somebody else is ahead
            states = (str(max(reached.position, known.position)), reached.done)
            if not self._views.commit(progress_of(number), [ViewRow(PROGRESS, states, {}, version)]):
                return
        raise TransientError(f"The progress of generation {number} lost {MAX_RACES} races.")


def _tasks(registry: Registry, views: Iterable[View]) -> list[Task]:
    found = ((view, registry.building(view)) for view in views)
    return [Task(view, generation) for view, generation in found if generation is not None]


@attrs.frozen
class _Progress:
    """Up to which position a generation was built; ``done``: there is nothing beyond."""

    position: int
    done: bool


def _progress(views: ViewStore, number: int) -> tuple[_Progress, int]:
    """How far a generation is, and the version of the row that says so."""
    row = views.load(progress_of(number), [PROGRESS]).get(PROGRESS)
    if row is None:
        return _Progress(0, done=False), 0
    position, done = row.states
    return _Progress(int(position), bool(done)), row.version
