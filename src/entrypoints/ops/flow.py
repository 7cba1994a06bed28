"""What went through a stack within some time: shares that failed, counts and times, each with its verdict."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import attrs

from ...core.times import format_time
from ..lambdas.measures import FUNCTIONS, NAMESPACE, Measure
from .findings import Report
from .objectives import OBJECTIVES, Series
from .readings import SECOND, Points, Span, highest, latest, read, total
from .slo import percent
from .stack import Stack
from .verdicts import NOTHING, WELL, Verdict, meets, wrongs

RATES = ("rate", "bad", "of", "share", "verdict")
VALUES = ("value", "is", "unit", "verdict")

SETTLING: Final = 5 * 60 * 1_000_000
"""Microseconds within which what was accepted should have been processed."""


@attrs.frozen
class Rate:
    """A share: bad ones of all, too many above ``limit`` per cent of at least ``least``, as the alarms have it."""

    name: str
    bad: tuple[Series, ...]
    every: tuple[Series, ...]
    condition: str = ""
    part: str = ""
    limit: int = 0
    least: int = 0

    def verdict(self, bad: Fraction, every: Fraction, stack: str) -> Verdict:
        """What the numbers mean."""
        if not self.condition:
            return NOTHING
        if every < self.least or bad * 100 <= self.limit * every:
            return WELL
        share = f"{int(bad)} of {int(every)} ({percent(bad / every)})"
        return meets(self.condition, f"{self.name}: {share}", stack, part=self.part)


@attrs.frozen
class Value:
    """A number: how it comes of the points of its series, and above what it is too much."""

    name: str
    unit: str
    series: tuple[Series, ...]
    of: Callable[[Points], float | None]
    condition: str = ""
    limit: float = 0
    samples: Series | None = None
    """What has to come twenty times within a period for the limit to count."""

    def verdict(self, points: Points, samples: Points | None, stack: str) -> Verdict:
        """What the numbers mean."""
        if not self.condition:
            return NOTHING
        counting = points if samples is None else {at: x for at, x in points.items() if samples.get(at, 0) >= _MANY}
        value = self.of(counting)
        if value is None or value <= self.limit:
            return WELL
        return meets(self.condition, f"{self.name} is {value:g} {self.unit}", stack)


_MANY: Final = 20


def _own(service: str, measure: Measure, statistic: str = "Sum") -> Series:
    dimensions = (("service", service), ("environment", "{environment}"))
    return Series(namespace=NAMESPACE, metric=measure.value, statistic=statistic, dimensions=dimensions)


def _function(role: str, metric: str, statistic: str = "Sum") -> Series:
    dimensions = (("FunctionName", f"{role}-lambda{{suffix}}"),)
    return Series(namespace="AWS/Lambda", metric=metric, statistic=statistic, dimensions=dimensions)


def _api(metric: str, statistic: str = "Sum") -> Series:
    dimensions = (("ApiName", "ServerlessDataAPI{suffix}"), ("Stage", "prod"))
    return Series(namespace="AWS/ApiGateway", metric=metric, statistic=statistic, dimensions=dimensions)


def _throttled() -> tuple[Series, ...]:
    tables = ("CuratedEvents", "Identities", "Views", "Ledger")
    return tuple(
        Series(namespace="AWS/DynamoDB", metric=metric, dimensions=(("TableName", f"{table}{{suffix}}"),))
        for table in tables
        for metric in ("ReadThrottleEvents", "WriteThrottleEvents")
    )


_OBJECTIVES: Final = {objective.name: objective for objective in OBJECTIVES}
_INVOCATIONS: Final = _OBJECTIVES["functions"].every
_THROTTLES: Final = tuple(_function(role, "Throttles") for role in FUNCTIONS)

EVERY_RATE: Final = (
    Rate(
        name="requests answered with 5xx",
        bad=_OBJECTIVES["availability"].bad,
        every=_OBJECTIVES["availability"].every,
        condition="api-errors",
        limit=5,
        least=20,
    ),
    Rate(name="requests answered with 4xx", bad=(_api("4XXError"),), every=(_api("Count"),)),
    *(
        Rate(
            name=f"invocations of {role} that failed",
            bad=(_function(role, "Errors"),),
            every=(_function(role, "Invocations"),),
            condition="function-errors",
            part=role,
            limit=10,
            least=10,
        )
        for role in FUNCTIONS
    ),
    Rate(
        name="calls of functions that were throttled",
        bad=_THROTTLES,
        every=(*_INVOCATIONS, *_THROTTLES),
        condition="function-throttles",
        limit=1,
        least=100,
    ),
    Rate(
        name="executions that failed",
        bad=_OBJECTIVES["workflows"].bad,
        every=_OBJECTIVES["workflows"].every,
        condition="workflow-failures",
        limit=20,
        least=5,
    ),
    Rate(name="receipts that were slow", bad=_OBJECTIVES["latency"].bad, every=_OBJECTIVES["latency"].every),
    Rate(name="queries that were slow", bad=_OBJECTIVES["queries"].bad, every=_OBJECTIVES["queries"].every),
)


def _sum(points: Points) -> float:
    return float(total(points))


_QUEUE: Final = (("QueueName", "processing-queue{suffix}"),)
_AGE: Final = Series(
    namespace="AWS/SQS", metric="ApproximateAgeOfOldestMessage", statistic="Maximum", dimensions=_QUEUE
)
_RECEIPTS: Final = _own("transformation", Measure.RECEIVED_TO_CURATED, "SampleCount")
_QUERIES: Final = _own("query", Measure.QUERY_TIME, "SampleCount")
_OUTCOMES: Final = (Measure.CURATED, Measure.DUPLICATE, Measure.FILTERED, Measure.DEAD_LETTERED)

EVERY_VALUE: Final = (
    Value("accepted", "events", (_own("ingestion", Measure.ACCEPTED),), _sum),
    Value("rejected", "events", (_own("ingestion", Measure.REJECTED),), _sum),
    *(Value(str(each).lower(), "events", (_own("transformation", each),), _sum) for each in _OUTCOMES[:3]),
    Value("dead-lettered", "events", (_own("transformation", Measure.DEAD_LETTERED),), _sum),
    Value("failed", "receipts", (_own("transformation", Measure.FAILED),), _sum, "receipts-failing"),
    Value("deferred", "receipts", (_own("transformation", Measure.DEFERRED),), _sum),
    Value("oldest message in the queue", "s", (_AGE,), latest, "queue-waiting", 300),
    Value(
        "worst p95 from request to curated",
        "ms",
        (_own("transformation", Measure.RECEIVED_TO_CURATED, "p95"),),
        highest,
        "curation-slow",
        1000,
        _RECEIPTS,
    ),
    Value(
        "worst p95 of queries",
        "ms",
        (_own("query", Measure.QUERY_TIME, "p95"),),
        highest,
        "queries-slow",
        2000,
        _QUERIES,
    ),
    Value("view lag", "ms", (_own("analytics", Measure.VIEW_LAG, "Maximum"),), latest, "view-lag", 60_000),
    Value("changes waiting", "ms", (_function("analytics", "IteratorAge", "Maximum"),), latest, "view-lag", 60_000),
    Value("refused changes", "changes", (_own("analytics", Measure.REFUSED),), _sum, "changes-refused"),
    Value("events deleted", "events", (_own("analytics", Measure.DELETED),), _sum, "events-deleted"),
    Value("receipts missing", "receipts", (_own("analytics", Measure.MISSING),), _sum, "data-loss"),
    Value("receipts that do not add up", "receipts", (_own("analytics", Measure.UNBALANCED),), _sum, "data-loss"),
    Value("throttled by DynamoDB", "calls", _throttled(), _sum, "table-throttles", 10),
)


def flow(stack: Stack, within: Span) -> list[Report]:
    """The rates and the values within a span."""
    title = f"since {format_time(within.since)}"
    wanted: dict[Series, None] = {}
    for rate in EVERY_RATE:
        wanted |= dict.fromkeys((*rate.bad, *rate.every))
    for value in EVERY_VALUE:
        wanted |= dict.fromkeys((*value.series, *([value.samples] if value.samples else [])))
    series = list(wanted)
    points = dict(zip(series, read(stack, series, within), strict=True))
    return [_rates(points, stack.name, title), _values(points, stack.name, title, within)]


def _rates(points: Mapping[Series, Points], stack: str, title: str) -> Report:
    rows, verdicts = [], []
    for rate in EVERY_RATE:
        bad, every = _total(points, rate.bad), _total(points, rate.every)
        verdicts.append(rate.verdict(bad, every, stack))
        share = percent(bad / every) if every else "no traffic"
        rows.append(
            {"rate": rate.name, "bad": int(bad), "of": int(every), "share": share, "verdict": verdicts[-1].label}
        )
    return Report(title=f"Rates {title}", columns=RATES, rows=rows, wrong=wrongs(verdicts))


def _values(points: Mapping[Series, Points], stack: str, title: str, within: Span) -> Report:
    rows: list[dict[str, Any]] = []
    verdicts: list[Verdict] = []
    for value in EVERY_VALUE:
        together = _together([points[each] for each in value.series])
        samples = points[value.samples] if value.samples else None
        verdicts.append(value.verdict(together, samples, stack))
        found = value.of(together)
        shown = None if found is None else int(found) if found.is_integer() else round(found, 1)
        rows.append({"value": value.name, "is": shown, "unit": value.unit, "verdict": verdicts[-1].label})
    return Report(
        title=f"Events and times {title}",
        columns=VALUES,
        rows=rows,
        wrong=[*dict.fromkeys(wrongs([*verdicts, stalled(points, stack, within)]))],
    )


def stalled(points: Mapping[Series, Points], stack: str, within: Span) -> Verdict:
    """Whether events were accepted, and after enough time not one was processed."""
    due = within.until - SETTLING - within.period * SECOND
    early = [count for at, count in points[_own("ingestion", Measure.ACCEPTED)].items() if at <= due]
    done = _total(points, tuple(_own("transformation", each) for each in _OUTCOMES))
    if not sum(early) or done:
        return WELL
    return meets("queue-waiting", f"{sum(early):g} events were accepted, and none was processed", stack)


def _total(points: Mapping[Series, Points], series: Sequence[Series]) -> Fraction:
    return sum((total(points[each]) for each in series), Fraction(0))


def _together(several: Sequence[Points]) -> Points:
    """Series that are added up, period by period."""
    every: dict[int, float] = {}
    for points in several:
        for at, value in points.items():
            every[at] = every.get(at, 0.0) + value
    return every
