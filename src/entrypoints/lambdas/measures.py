"""What the functions measure: every metric of their own by name, with its unit and who writes it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

NAMESPACE: Final = "Millrace"


class Measure(StrEnum):
    """The name of a metric. Its dimensions are ``service`` (the function) and ``environment``."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    CURATED = "Curated"
    DUPLICATE = "Duplicate"
    FILTERED = "Filtered"
    DEAD_LETTERED = "DeadLettered"
    """Written a second time with ``reason`` as a further dimension."""

    CONFLICTS = "Conflicts"
    RECEIVED_TO_CURATED = "ReceivedToCurated"
    """Of a receipt, once: from its acceptance until all of its events are processed."""

    QUERY_TIME = "QueryTime"
    """Of a query of events or a view that was answered with rows: as long as the function took."""

    SLOW = "Slow"
    """How many of those times reach what their objective allows. Written with each of them, 0 too: against the number
    of times it makes a ratio.
    """

    DEFERRED = "Deferred"
    FAILED = "Failed"
    FOLDED = "Folded"
    VIEW_LAG = "ViewLag"
    """Of a batch of changes: from the insertion of the oldest until all are folded."""

    REFUSED = "Refused"
    """Changes passed over, since what was inserted is no curated event."""

    DELETED = "Deleted"
    """Curated events that were deleted and are not archived."""

    RECONCILED = "Reconciled"
    """Receipts that a sweep has looked at."""

    MISSING = "Missing"
    UNBALANCED = "Unbalanced"
    RESENT = "Resent"
    COLD_START = "ColdStart"
    INITIALIZATION = "Initialization"
    """Of a process, with its first invocation: from its start until it can take one."""


class Written(NamedTuple):
    """How a metric is written: CloudWatch's unit, and the functions that do."""

    unit: str
    services: tuple[str, ...]


COUNT: Final = "Count"
MILLISECONDS: Final = "Milliseconds"
FUNCTIONS: Final = ("ingestion", "validation", "transformation", "analytics", "query")

WRITTEN: Final[Mapping[Measure, Written]] = MappingProxyType(
    {
        Measure.ACCEPTED: Written(COUNT, ("ingestion",)),
        Measure.REJECTED: Written(COUNT, ("ingestion",)),
        Measure.CURATED: Written(COUNT, ("transformation",)),
        Measure.DUPLICATE: Written(COUNT, ("transformation",)),
        Measure.FILTERED: Written(COUNT, ("transformation",)),
        Measure.DEAD_LETTERED: Written(COUNT, ("transformation",)),
        Measure.CONFLICTS: Written(COUNT, ("transformation",)),
        Measure.RECEIVED_TO_CURATED: Written(MILLISECONDS, ("transformation",)),
        Measure.QUERY_TIME: Written(MILLISECONDS, ("query",)),
        Measure.SLOW: Written(COUNT, ("transformation", "query")),
        Measure.DEFERRED: Written(COUNT, ("transformation", "analytics")),
        Measure.FAILED: Written(COUNT, ("transformation",)),
        Measure.FOLDED: Written(COUNT, ("analytics",)),
        Measure.VIEW_LAG: Written(MILLISECONDS, ("analytics",)),
        Measure.REFUSED: Written(COUNT, ("analytics",)),
        Measure.DELETED: Written(COUNT, ("analytics",)),
        Measure.RECONCILED: Written(COUNT, ("analytics",)),
        Measure.MISSING: Written(COUNT, ("analytics",)),
        Measure.UNBALANCED: Written(COUNT, ("analytics",)),
        Measure.RESENT: Written(COUNT, ("analytics",)),
        Measure.COLD_START: Written(COUNT, FUNCTIONS),
        Measure.INITIALIZATION: Written(MILLISECONDS, FUNCTIONS),
    }
)

ALLOWED: Final[Mapping[Measure, int]] = MappingProxyType({Measure.RECEIVED_TO_CURATED: 500, Measure.QUERY_TIME: 2000})
"""Milliseconds that an objective allows: what takes as long or longer is ``SLOW``."""
