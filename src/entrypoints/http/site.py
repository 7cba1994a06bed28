"""``Site``: what requests are answered from, a whole platform or as much of one as a function needs."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ...core.catalog import Catalog
    from ...core.pipeline.pipeline import Pipeline
    from ...core.ports import Clock, Stores
    from ...core.services.ingest import Ingest


class Site(Protocol):
    """A ``Platform`` is one. Each route asks for what it needs and no more, so the others may be made when asked."""

    @property
    def catalog(self) -> "Catalog": ...

    @property
    def clock(self) -> "Clock": ...

    @property
    def stores(self) -> "Stores": ...

    @property
    def pipeline(self) -> "Pipeline": ...

    @property
    def ingest(self) -> "Ingest": ...
