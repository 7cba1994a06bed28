"""A stack whose views are rebuilt and dropped, and what its view store holds, for the tests of dropping."""

from millrace import Count
from millrace.adapters.memory import MemoryViews, memory_stores
from millrace.core.ports import Stores
from millrace.core.services.generations import REGISTRY, Generations
from millrace.core.services.project import Fed, Project
from millrace.core.services.rebuild import Rebuild, Task, progress_of
from millrace.core.views.view import View

from ..contracts.builders import HOUR, NOON, curated

SALES = View("sales", "purchase", HOUR, ("order",), {"many": Count()}, "here")
DAILY = View("daily", "purchase", 24 * HOUR, (), {"many": Count()}, "here")
VIEWS = (SALES, DAILY)
MARGIN = 100
OLD = [SALES.signature, DAILY.signature]


class SetClock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.at = 1000

    def now(self) -> int:
        return self.at


class Stack:
    """Stores of a stack with 30 events in two views, and a clock."""

    def __init__(self, stores: Stores | None = None, margin: int = MARGIN) -> None:
        self.stores, self.clock = stores or memory_stores(), SetClock()
        self.rebuild = Rebuild(self.stores, self.clock, margin=margin)
        self.margin, self._ids = margin, 0
        self.arrive(30)
        self.project()

    def arrive(self, count: int) -> None:
        self._ids += count
        ids = range(self._ids - count, self._ids)
        self.stores.curated.insert(
            [curated(f"{n}", time=NOON + n * HOUR, curated_at=self.clock.at, fields={"order": n % 3}) for n in ids]
        )

    def project(self) -> None:
        project = Project(VIEWS, self.stores.feed, self.stores.views)
        while project.step():
            pass

    def rebuilt(self, rebuild: Rebuild | None = None) -> list[Task]:
        """Both views, rebuilt and switched."""
        rebuild = rebuild or self.rebuild
        tasks = rebuild.begin(VIEWS)
        self.clock.at += rebuild.wait(tasks)
        while rebuild.step(tasks, 7):
            pass
        self.project()
        assert rebuild.finish(tasks)
        return tasks


def rows(stores: Stores, name: str) -> int:
    return len(stores.views.rows(name, since=-(10**18), until=10**18, after=None, limit=1000))


def held(stores: Stores) -> set[str]:
    """The names under which a view store in memory has anything."""
    views = stores.views
    assert isinstance(views, MemoryViews)
    return {name for name, found in views._views.items() if found} | {name for name, _ in views._cursors}


def known(stores: Stores) -> set[str]:
    """The names that the registry gives generations which nobody deletes, and what else there is beside them."""
    registry = Generations(stores.views).read()
    found = [(view, one) for view in VIEWS for one in registry.of(view) if registry.keeps(view, one.number)]
    progress = (progress_of(one.number) for _, one in found if one.number)
    return {REGISTRY, *(one.rows_of(view) for view, one in found), *progress}


def count(stores: Stores, view: View) -> int:
    return sum(row.states[0] for row in Generations(stores.views).rows(view, since=0, until=10**18))


class Late(Project):
    """A projector that read the registry some time ago."""

    def __init__(self, stores: Stores) -> None:
        super().__init__(VIEWS, stores.feed, stores.views)
        self._known = super()._fed()

    def _fed(self) -> list[Fed]:
        return self._known
