"""The limits that a load comes near to: those of AWS, of the template, and of one key."""

from collections.abc import Sequence
from math import inf
from typing import Final

import attrs

from .deployed import INGEST_RATE, LEDGER_PARTITIONS, MESSAGES_AT_ONCE, QUEUE_CONCURRENCY, RAW_PREFIXES, RESERVED
from .load import SHARDS, Load, Milliseconds

AS_OF: Final = "2025-07-01"
SOURCE: Final = "the quota pages of the services: defaults of an account in us-east-1"

API_RATE: Final = 10_000
CONCURRENCY: Final = 1_000
TABLE_WRITES: Final = 40_000
PARTITION_WRITES: Final = 1_000
PREFIX_PUTS: Final = 3_500
IN_FLIGHT: Final = 120_000

MOST_TIMES: Final = 1e15
PRECISION: Final = 50
"""Halvings: a part in 10**15."""


@attrs.frozen(kw_only=True)
class Quota:
    """A limit, how much of it the load uses at its busiest, and what to do about it.

    ``reached_at``: the events in a second, on average, at which it is reached if all grows alike; None: never.
    """

    name: str
    unit: str
    limit: float
    used: float
    raise_by: str
    reached_at: float | None = None

    @property
    def share(self) -> float:
        """Of the limit; beyond 1 it is exceeded."""
        return self.used / self.limit


def quotas(load: Load, took: Milliseconds) -> Sequence[Quota]:
    """Every limit, the one that is reached first at the top."""
    found = [
        attrs.evolve(quota, reached_at=_reached_at(number, load, took))
        for number, quota in enumerate(_quotas(load, took))
    ]
    return sorted(found, key=lambda quota: inf if quota.reached_at is None else quota.reached_at)


def _reached_at(number: int, load: Load, took: Milliseconds) -> float | None:
    """By halving: what is used grows with the load, though not always in proportion."""

    def exceeded(factor: float) -> bool:
        return _quotas(load.times(factor), took)[number].share > 1

    low, high = 0.0, 1.0
    while not exceeded(high):
        low, high = high, high * 2
        if high > MOST_TIMES:
            return None
    for _ in range(PRECISION):
        middle = (low + high) / 2
        low, high = (low, middle) if exceeded(middle) else (middle, high)
    return load.events_per_second * high


def _quotas(load: Load, took: Milliseconds) -> list[Quota]:
    peak, way = load.peak, load.way
    requests, events, queries = way.requests * peak, way.events * peak, load.queries_per_second * peak
    writes = events * load.item_writes
    running = {
        "ingestion": requests * took.ingestion / 1000,
        "transformation": requests * took.of_receipt(load) / 1000,
        "query": queries * took.query / 1000,
    }
    # One batch of a shard is under way at a time, so a shard has as much as one instance can do in a second.
    folding = took.analytics_change * events / SHARDS / 1000 + min(way.folds * peak / SHARDS, 1) * took.analytics / 1000
    view_writes = way.folds * way.rows
    return [
        _of("ingest rate of the API's stage", "requests/s", INGEST_RATE, requests, "parameter IngestRateLimit"),
        _of("rate of API Gateway", "requests/s", API_RATE, requests + queries, "quota of the account, in steps"),
        _of(
            "instances of ingestion-lambda",
            "at once",
            RESERVED["ingestion"],
            running["ingestion"],
            "millrace ops concurrency; more events in a request",
        ),
        _of(
            "instances of transformation-lambda",
            "at once",
            # Where instances run short, messages wait, and come in batches.
            QUEUE_CONCURRENCY * _gain(load, took),
            running["transformation"],
            "MaximumConcurrency of the queue's mapping",
        ),
        _of("instances of query-lambda", "at once", RESERVED["query"], running["query"], "millrace ops concurrency"),
        _of(
            "instances of all functions",
            "at once",
            CONCURRENCY,
            sum(running.values()) + min(SHARDS, folding * SHARDS),
            "quota of the account: concurrent executions",
        ),
        _of(
            "one shard of changes",
            "of a second",
            1,
            folding,
            "fewer views, or rows of them; memory of analytics-lambda",
        ),
        _of("writes of CuratedEvents", "units/s", TABLE_WRITES, writes, "quota of the account: on-demand table writes"),
        _of(
            "writes of one key of CuratedEvents",
            "units/s",
            PARTITION_WRITES * load.shards,
            writes * load.hottest_share,
            "shards=N of the hottest event type",
        ),
        _of("writes of one view", "units/s", PARTITION_WRITES, view_writes, "fewer groups, or longer windows"),
        _of("writes of Ledger", "units/s", PARTITION_WRITES * LEDGER_PARTITIONS, requests, "more events in a request"),
        _of("PUT to the raw log", "requests/s", PREFIX_PUTS * RAW_PREFIXES, requests, "more events in a request"),
        _of("messages in flight", "at once", IN_FLIGHT, running["transformation"], "quota of the queue"),
    ]


def _gain(load: Load, took: Milliseconds) -> float:
    """How much more one instance does when messages come in full batches: what an invocation costs is shared.

    Half of what is not an event's is taken to be an invocation's.
    """
    alone = took.of_receipt(load)
    together = took.transformation / 2 / MESSAGES_AT_ONCE + took.transformation / 2
    return alone / (together + took.transformation_event * load.events_per_request)


def _of(name: str, unit: str, limit: float, used: float, raise_by: str) -> Quota:
    return Quota(name=name, unit=unit, limit=limit, used=used, raise_by=raise_by)
