"""What the template deploys, as far as costs and quotas depend on it; tests compare it with the template."""

from types import MappingProxyType
from typing import Final

from ...core.records import Reason
from ..lambdas.measures import WRITTEN

MEMORY: Final = MappingProxyType({"ingestion": 512, "transformation": 1769, "analytics": 1024, "query": 512})
"""Megabytes of each function of the online lane."""

RESERVED: Final = MappingProxyType({"ingestion": 100, "analytics": 50, "query": 50})
"""Instances of a function that may run at once."""

QUEUE_CONCURRENCY: Final = 50
"""Instances of transformation-lambda that the queue may run at once."""

MESSAGES_AT_ONCE: Final = 10
CHANGES_AT_ONCE: Final = 1000
WINDOW_SECONDS: Final = 1
"""How long Lambda waits for more changes of a shard before it hands over what it has."""

INGEST_RATE: Final = 500
"""Requests to POST /ingest in a second: the parameter IngestRateLimit."""

ALARM_METRICS: Final = 77
"""Metrics that the alarms watch."""
COMPOSITE_ALARMS: Final = 8
LEDGER_PARTITIONS: Final = 16
RAW_PREFIXES: Final = 16

METRICS: Final = sum(len(written.services) for written in WRITTEN.values()) + len(Reason)
"""Metrics of the functions' own: one for each function that writes it, and dead letters by reason."""
