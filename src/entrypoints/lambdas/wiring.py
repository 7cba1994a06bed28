"""Wiring: the services of a function, made from its settings when they are first used, once in a process."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ...adapters.system import RandomReceiptIds, SystemClock
from ..http.site import Site
from .settings import Settings, read_settings

if TYPE_CHECKING:
    from ...adapters.aws.clients import Clients
    from ...core.catalog import Catalog
    from ...core.pipeline.pipeline import Pipeline
    from ...core.ports import Stores
    from ...core.services.ingest import Ingest
    from ...core.services.jobs import Jobs
    from ...core.services.process import Process
    from ...core.services.project import Project
    from ...core.services.reconcile import Reconcile


class Services(Site, Protocol):
    """The services that functions call. A ``Platform`` has them all."""

    @property
    def process(self) -> "Process": ...

    @property
    def project(self) -> "Project": ...

    @property
    def reconcile(self) -> "Reconcile": ...

    @property
    def jobs(self) -> "Jobs": ...


class Wired(NamedTuple):
    """A function's settings and its services."""

    settings: Settings
    services: Services


class StackServices:
    """The services over a stack's resources. Each is imported and made when it is asked for: a cold start pays for
    what the function does, not for what it could do.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.clock = SystemClock()

    def start(self, services: Iterable[str], clients: Iterable[str]) -> None:
        """Make these services, and clients by botocore's names, now rather than when they are first used."""
        for name in services:
            getattr(self, name)
        for name in clients:
            self._clients.get(name)

    @cached_property
    def catalog(self) -> "Catalog":
        from ..catalogs import load_catalog

        return load_catalog(self._settings.catalog)

    @cached_property
    def stores(self) -> "Stores":
        from ...adapters.aws.dynamodb import DynamoDB
        from ...adapters.aws.store import Resources, stores_of

        told = self._settings
        resources = Resources(
            raw_bucket=told.raw_bucket,
            analysis_bucket=told.analysis_bucket,
            curated_table=told.curated_table,
            identities_table=told.identities_table,
            views_table=told.views_table,
            ledger_table=told.ledger_table,
            queue_url=told.queue_url,
            dlq_url=told.dlq_url,
            state_machine_arn=told.state_machine_arn,
        )
        return stores_of(resources, self._clients, DynamoDB(self._clients), shards=self.catalog.shards)

    @cached_property
    def pipeline(self) -> "Pipeline":
        from ...core.pipeline.pipeline import Pipeline

        return Pipeline(self.catalog)

    @cached_property
    def ingest(self) -> "Ingest":
        # Not from ``stores``, nor with the pipeline's decoder: accepting events needs neither DynamoDB nor a pipeline.
        from ...adapters.aws.queue import SqsQueue
        from ...adapters.aws.raw import S3Raw
        from ...core.decoding.decoder import Decoder
        from ...core.services.ingest import Ingest

        raw = S3Raw(self._clients, self._settings.raw_bucket)
        queue = SqsQueue(self._clients, self._settings.queue_url)
        decoder = Decoder(self.catalog.sources)
        return Ingest(raw, queue, decoder, self.clock, RandomReceiptIds(), self.catalog.name)

    @cached_property
    def process(self) -> "Process":
        from ...core.services.archive import STACK_MARGIN
        from ...core.services.archived import Archived
        from ...core.services.boundary import REMEMBERED
        from ...core.services.process import Process

        it = self.stores
        archived = Archived(it, remember=REMEMBERED, margin=STACK_MARGIN)
        return Process(self.pipeline, it.raw, it.curated, it.dead_letters, it.ledger, self.clock, archived)

    @cached_property
    def project(self) -> "Project":
        from ...core.services.project import Project

        return Project(self.catalog.views.values(), self.stores.feed, self.stores.views)

    @cached_property
    def reconcile(self) -> "Reconcile":
        from ...core.services.reconcile import Reconcile

        return Reconcile(self.stores)

    @cached_property
    def jobs(self) -> "Jobs":
        from ...core.services.jobs import Jobs

        return Jobs(self.pipeline, self.process, self.stores, self.clock)

    @cached_property
    def _clients(self) -> "Clients":
        from ...adapters.aws.clients import Clients

        return Clients()


def start(needed: Sequence[str], services: Iterable[str], clients: Iterable[str]) -> None:
    """Wire what a function needs. Raises ``MissingSetting`` and ``CatalogError``: then the function does not start."""
    made = wired(*needed).services
    if isinstance(made, StackServices):
        made.start(services, clients)


_known: dict[tuple[str, ...], Wired] = {}
_given: list[Wired] = []


def wired(*needed: str) -> Wired:
    """The settings and services of this process. Raises ``MissingSetting``; then the next call reads again."""
    if _given:
        return _given[-1]
    if needed not in _known:
        settings = read_settings(*needed)
        _known[needed] = Wired(settings, StackServices(settings))
    return _known[needed]


def use(services: Services | None, settings: Settings | None = None) -> None:
    """Let every function of this process work with these services; None: with those of the stack again."""
    _given.clear()
    if services is not None:
        _given.append(Wired(settings or Settings(catalog=services.catalog.name), services))
