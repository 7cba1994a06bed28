"""``Platform``: the services of the core over one adapter's stores, wired."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import attrs

from ..core.catalog import Catalog
from ..core.pipeline.pipeline import Pipeline
from ..core.ports import Clock, Orchestrator, ReceiptIds, Stores
from ..core.services.archived import Archived
from ..core.services.ingest import Ingest
from ..core.services.jobs import Jobs
from ..core.services.process import Process
from ..core.services.project import Project
from ..core.services.reconcile import Reconcile, Verified
from ..core.services.work import Work

SETTLED_AT_ONCE: Final = 10_000


@attrs.frozen
class Platform:
    """A catalog at work on a store.

    ``mended`` is how many receipts were processed when it was opened, left over from a crash. ``busy`` says that
    another process was writing to the store, so that what it has in hand may be missing still. ``attended`` says that
    other processes work on the queue all the time, as a stack's functions do. Within ``together``, what is written is
    committed at once, where the store can: after an error nothing of it took effect.
    """

    catalog: Catalog
    stores: Stores
    clock: Clock
    pipeline: Pipeline
    ingest: Ingest
    process: Process
    project: Project
    work: Work
    reconcile: Reconcile
    jobs: Jobs
    mended: int = 0
    busy: bool = False
    attended: bool = False
    runner: Orchestrator | None = None
    together: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def orchestrator(self) -> Orchestrator:
        """What runs the jobs of a platform that was opened by name."""
        if self.runner is None:
            raise TypeError("This platform was assembled without an orchestrator.")
        return self.runner

    @classmethod
    def assemble(
        cls,
        catalog: Catalog,
        stores: Stores,
        clock: Clock,
        ids: ReceiptIds,
        *,
        margin: int = 0,
        pipeline: Pipeline | None = None,
    ) -> "Platform":
        """Wire the services. ``margin`` as of ``Archive``: 0 where nobody else inserts. ``pipeline`` is the catalog's
        where it is compiled already.

        Raises ``CatalogError`` where the catalog's declarations do not fit together.
        """
        pipeline = pipeline or Pipeline(catalog)
        ingest = Ingest(stores.raw, stores.queue, pipeline.decoder, clock, ids, catalog.name)
        archived = Archived(stores, margin=margin)
        process = Process(pipeline, stores.raw, stores.curated, stores.dead_letters, stores.ledger, clock, archived)
        project = Project(catalog.views.values(), stores.feed, stores.views)
        work = Work(stores.queue, process, project)
        jobs = Jobs(pipeline, process, stores, clock)
        return cls(catalog, stores, clock, pipeline, ingest, process, project, work, Reconcile(stores), jobs)

    def settle(self) -> None:
        """Note up to when every receipt has a ledger entry, so that readers look at few. It takes moments, and comes
        further with every call.
        """
        self.reconcile.note(self.reconcile.verify(self.clock.now(), at_most=SETTLED_AT_ONCE))

    def verify(self) -> Verified:
        """Which receipts are known to have a ledger entry by now. Only reads."""
        return self.reconcile.verify(self.clock.now())

    def mend(self) -> int:
        """Process what a crash has left: receipts without a ledger entry, queued ones, changes not in the views.

        Returns how many receipts there were.
        """
        self.reconcile.mend()
        return sum(1 for _ in self.work.drain())
