"""The sites of the server: the platform as those who answer requests see it, for each kind of store."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from ...adapters.local import open_local
from ...adapters.memory import memory_stores, shared
from ...adapters.system import RandomReceiptIds, SystemClock
from ...core.catalog import Catalog
from ...core.errors import StoreError
from ...core.pipeline.pipeline import Pipeline
from ...core.ports import Clock, Stores
from ...core.redriving import Choice
from ...core.services.ingest import Ingest
from ..bootstrap import open_platform
from ..logs import Log
from ..platform import Platform
from .handover import Handover, Watch
from .in_process import Elsewhere, Thread
from .supervisor import Supervisor


@attrs.frozen
class ServedSite:
    """What requests are answered from. Whoever answers only reads, but for the raw log; ``handover`` does the rest."""

    catalog: Catalog
    stores: Stores
    clock: Clock
    pipeline: Pipeline
    ingest: Ingest
    handover: Handover

    @property
    def redrive(self) -> Callable[[Choice, bool], dict[str, Any]]:
        return self.handover.redrive

    @classmethod
    def over(cls, catalog: Catalog, stores: Stores, clock: Clock, handover: Handover) -> "ServedSite":
        """The site over stores; what is accepted goes to ``handover``."""
        pipeline = Pipeline(catalog)
        ingest = Ingest(stores.raw, handover, pipeline.decoder, clock, RandomReceiptIds(), catalog.name)
        return cls(catalog, stores, clock, pipeline, ingest, handover)


@contextmanager
def open_site(store: str, catalog: Catalog, name: str, watch: Watch, log: Log) -> Iterator[ServedSite]:
    """The site over the store that a URL names; ``name`` is the catalog's. What is accepted within is processed:
    by a worker process on a file store, by a thread in memory, by its functions on a stack. Raises ``StoreError``.
    """
    scheme, _, rest = store.partition(":")
    clock = SystemClock()
    with ExitStack() as ends:
        handover: Handover
        if scheme == "file" and rest:
            handover = Supervisor(store, name, watch, log)
            ends.callback(handover.close)
            # Opened once the worker holds the writer's lock, for both.
            stores = ends.enter_context(open_local(Path(rest), write="raw-log")).stores
        elif scheme == "memory":
            stores = shared(memory_stores())
            handover = Thread(Platform.assemble(catalog, stores, clock, RandomReceiptIds()), watch, log)
            ends.callback(handover.close)
        elif scheme == "aws" and rest:
            platform = ends.enter_context(open_platform(store, catalog, write=True))
            stores, handover = platform.stores, Elsewhere(platform.stores.queue, platform)
        else:
            raise StoreError(f"{store!r} names no store; use file:PATH, aws:STACK or memory: .")
        yield ServedSite.over(catalog, stores, clock, handover)
