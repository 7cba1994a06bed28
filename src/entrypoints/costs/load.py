"""A load on the platform, what is assumed of it, and how much it makes each part do in a second."""

from math import ceil
from typing import Final

import attrs

from .deployed import CHANGES_AT_ONCE, WINDOW_SECONDS
from .requests import Way

KIB: Final = 1024
SHARDS: Final = 4
"""Shards of the stream: a new table on demand has four partitions (DynamoDB developer guide, "On-demand capacity
mode"), each with one."""


@attrs.frozen(kw_only=True)
class Load:
    """What comes in, on average, and what of it is assumed.

    ``bytes_per_event`` are those of its JSON. ``identity_share`` of the events have no time of their own, or a type
    that is declared ``identity="id"``. ``views`` a batch of changes goes into, ``rows`` of each that it touches.
    ``hottest_share`` of the events are of one type, which has ``shards``. ``peak``: how much more comes at the
    busiest time than on average. ``months_kept``: how long what was curated stays in the store.
    """

    events_per_second: float
    events_per_request: float = 1
    bytes_per_event: float = 500
    identity_share: float = 0
    views: float = 3
    rows: float = 10
    hottest_share: float = 1
    shards: int = 1
    queries_per_second: float = 0
    peak: float = 1
    months_kept: float = 1

    @property
    def way(self) -> Way:
        """What happens in a second."""
        requests = self.events_per_second / self.events_per_request
        return Way(
            requests=requests,
            receipts=requests,
            events=self.events_per_second,
            identities=self.events_per_second * self.identity_share,
            folds=self.folds,
            views=self.views,
            rows=min(self.rows, self.changes),
        )

    @property
    def changes(self) -> float:
        """Of a batch; it touches no more rows of a view than it has."""
        return self.events_per_second / self.folds if self.folds else 0

    def times(self, factor: float) -> "Load":
        """As much more of everything that comes in."""
        return attrs.evolve(
            self,
            events_per_second=self.events_per_second * factor,
            queries_per_second=self.queries_per_second * factor,
        )

    @property
    def folds(self) -> float:
        """Batches of changes in a second: each shard has one when its window is over, or it is full."""
        full = self.events_per_second / CHANGES_AT_ONCE
        return min(self.events_per_second, max(SHARDS / WINDOW_SECONDS, full))

    @property
    def item_bytes(self) -> float:
        """Of a curated event, about: its data, and some 300 bytes of envelope, key, lineage and hash."""
        return self.bytes_per_event + 300

    @property
    def item_writes(self) -> int:
        """Write units that a curated event takes: one for each KiB."""
        return max(ceil(self.item_bytes / KIB), 1)

    @property
    def message_requests(self) -> int:
        """Requests that SQS counts for a message: one for each 64 KiB; its bytes are base64, where they fit at all."""
        whole = self.bytes_per_event * self.events_per_request * 4 / 3 + 1000
        return ceil(whole / (64 * KIB)) if whole <= KIB * KIB else 1


@attrs.frozen(kw_only=True)
class Milliseconds:
    """How long an invocation takes. Assumed, until ``millrace ops performance`` has measured it.

    Ingestion and queries: as a whole. Transformation: for a receipt and each event. Analytics: for a batch and each
    change of it.
    """

    ingestion: float = 40
    transformation: float = 25
    transformation_event: float = 0.7
    analytics: float = 40
    analytics_change: float = 0.1
    query: float = 40

    def of_receipt(self, load: Load) -> float:
        """An invocation of transformation-lambda with one receipt."""
        return self.transformation + self.transformation_event * load.events_per_request

    def of_fold(self, load: Load) -> float:
        """An invocation of analytics-lambda."""
        return self.analytics + self.analytics_change * load.changes
