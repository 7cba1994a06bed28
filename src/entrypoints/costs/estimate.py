"""What a load costs: dollars by service, per million events and per month."""

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from .deployed import ALARM_METRICS, COMPOSITE_ALARMS, MEMORY, METRICS
from .load import KIB, Load, Milliseconds
from .prices import DOLLARS
from .requests import ANALYTICS, INGESTION, LAMBDA_AND_SQS, TRANSFORMATION, Asked, counted

SECONDS_A_MONTH: Final = 30 * 86_400
GIGABYTE: Final = KIB**3
LOG_BYTES: Final = 1500
"""Of an invocation: a line of its own, Lambda's three, and one of metrics."""
COMPRESSED: Final = 0.5
"""What gzip leaves of a request, about; of large ones less."""
READS_OF_A_QUERY: Final = 10
"""Read units: a page of 40 KB."""
SAMPLED: Final = 0.05
"""X-Ray records the first request of each second and this share of the others (X-Ray developer guide, "Sampling")."""


@attrs.frozen(kw_only=True)
class Line:
    """What is charged for, how much of it in a month, and at what price in dollars."""

    service: str
    what: str
    month: float
    price: float
    fixed: bool = False
    """Whether it is the same whatever the load."""

    @property
    def dollars(self) -> float:
        """In a month."""
        return self.month * self.price


def lines(load: Load, took: Milliseconds) -> Sequence[Line]:
    """All that is charged for at this load. Not in it: data that leaves AWS, jobs, backups, a second region."""
    return [*_requests(load), *_functions(load, took), *_tables(load), *_kept(load), *_watching(load)]


def per_million(line: Line, load: Load) -> float:
    """Dollars of a line for a million events; what is fixed is shared by those of the month."""
    return line.dollars / (load.events_per_second * SECONDS_A_MONTH) * 1_000_000


def _requests(load: Load) -> Iterator[Line]:
    way, queries = load.way, load.queries_per_second
    yield _line("API Gateway", "requests", way.requests + queries, "api-call")
    ingestion, by_lambda = counted(INGESTION, way), counted(LAMBDA_AND_SQS, way)
    yield _line("S3", "PUT of raw objects", ingestion["PutObject"], "s3-put")
    # Receiving counts by size as sending does; deleting does not.
    sized = (ingestion["SendMessage"] + by_lambda["ReceiveMessage"]) * load.message_requests
    yield _line("SQS", "send, receive, delete", sized + by_lambda["DeleteMessage"], "sqs-request")


def _functions(load: Load, took: Milliseconds) -> Iterator[Line]:
    way = load.way
    invoked = {
        "ingestion": (way.requests, took.ingestion),
        "transformation": (way.receipts, took.of_receipt(load)),
        "analytics": (way.folds, took.of_fold(load)),
        "query": (load.queries_per_second, took.query),
    }
    for name, (invocations, milliseconds) in invoked.items():
        if not invocations:
            continue
        yield _line("Lambda", f"invocations of {name}-lambda", invocations, "invocation")
        gigabyte_seconds = invocations * milliseconds / 1000 * MEMORY[name] / 1024
        yield _line("Lambda", f"GB-seconds of {name}-lambda", gigabyte_seconds, "gigabyte-second")


def _tables(load: Load) -> Iterator[Line]:
    units = {"curated": load.item_writes}
    for table in ("curated", "identities", "ledger"):
        puts = sum(_puts(TRANSFORMATION, table, load))
        if puts:
            yield _line("DynamoDB", f"writes of {table}", puts * units.get(table, 1), "dynamodb-write")
    yield _line("DynamoDB", "writes of views", sum(_puts(ANALYTICS, "views", load)), "dynamodb-write")
    # Each row that is read is a unit at least, and so is a row that is not there.
    reads = load.folds * (1 + load.views * load.way.rows) + load.queries_per_second * READS_OF_A_QUERY
    yield _line("DynamoDB", "reads of views and queries", reads, "dynamodb-read")


def _kept(load: Load) -> Iterator[Line]:
    month = load.events_per_second * SECONDS_A_MONTH * load.months_kept
    curated = month * (load.item_bytes + 100) / GIGABYTE  # an item is charged with 100 bytes more than it has
    raw = month * load.bytes_per_event * COMPRESSED / GIGABYTE
    yield Line(service="DynamoDB", what="GB kept", month=curated, price=DOLLARS["dynamodb-gigabyte-month"])
    point = DOLLARS["point-in-time-gigabyte-month"]
    yield Line(service="DynamoDB", what="GB that can go back in time", month=curated, price=point)
    yield Line(service="S3", what="GB of raw objects kept", month=raw, price=DOLLARS["s3-gigabyte-month"])


def _watching(load: Load) -> Iterator[Line]:
    way = load.way
    invocations = way.requests + way.receipts + way.folds + load.queries_per_second
    yield _line("CloudWatch", "GB of logs", invocations * LOG_BYTES / GIGABYTE, "log-gigabyte")
    requests = way.requests + load.queries_per_second
    traces = min(requests, 1) + max(requests - 1, 0) * SAMPLED
    yield _line("X-Ray", "traces", traces, "trace")
    for what, number, price in (
        ("metrics of the functions", METRICS, "metric-month"),
        ("metrics that alarms watch", ALARM_METRICS, "alarm-metric-month"),
        ("composite alarms", COMPOSITE_ALARMS, "composite-alarm-month"),
        ("dashboard", 1, "dashboard-month"),
    ):
        yield Line(service="CloudWatch", what=what, month=number, price=DOLLARS[price], fixed=True)


def _puts(asked: tuple[Asked, ...], table: str, load: Load) -> Iterator[float]:
    return (each.of(load.way) for each in asked if each.table == table and each.operation == "PutItem")


def _line(service: str, what: str, each_second: float, price: str) -> Line:
    return Line(service=service, what=what, month=each_second * SECONDS_A_MONTH, price=DOLLARS[price])
