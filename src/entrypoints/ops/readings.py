"""Readings: what CloudWatch has of metrics within a span of time; of the whole of it, or an error."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple

from ...core.errors import StoreError, TransientError
from ...core.times import EPOCH, format_time, to_micros
from .objectives import Series
from .stack import Stack

METRICS_A_CALL: Final = 500
"""How many metrics one GetMetricData may ask for (API reference)."""

KEPT_DAYS: Final = 455
"""How long CloudWatch keeps metrics, by the hour (API reference, GetMetricData)."""

SECOND: Final = 1_000_000
_HOUR: Final = 3600

Points = Mapping[int, float]
"""The values of one series by the instant, in microseconds, at which their period begins."""


class Span(NamedTuple):
    """Instants in microseconds, since ≤ t < until, in periods of so many seconds."""

    since: int
    until: int
    period: int


def span(now: int, seconds: int) -> Span:
    """The last ``seconds`` before an instant, and what of the first period lies before them.

    Periods are five minutes, those of most alarms, for up to a day, else an hour: CloudWatch keeps five minutes for 63
    days and an hour for 455.
    """
    period = 300 if seconds <= 24 * _HOUR else _HOUR
    since = now - seconds * SECOND
    return Span(since - since % (period * SECOND), now, period)


def to_the_second(at: int) -> str:
    """An instant for people, without a fraction."""
    return format_time(at - at % SECOND)


def read(stack: Stack, series: Sequence[Series], within: Span) -> list[Points]:
    """The points of each series, in the order of the series; none where nothing was measured.

    Raises ``TransientError`` where CloudWatch has only a part of them for the moment, ``StoreError`` where it may not
    show them.
    """
    found: list[Points] = []
    for start in range(0, len(series), METRICS_A_CALL):
        found += _read(stack, series[start : start + METRICS_A_CALL], within)
    return found


def total(points: Points) -> Fraction:
    """The sum of all values, exactly; 0 of none."""
    return sum(map(Fraction, points.values()), Fraction(0))


def latest(points: Points) -> float | None:
    """The value of the last period that has one."""
    return points[max(points)] if points else None


def highest(points: Points) -> float | None:
    """The greatest value."""
    return max(points.values(), default=None)


def _read(stack: Stack, series: Sequence[Series], within: Span) -> Iterator[Points]:
    place = {
        "suffix": stack.suffix,
        "environment": stack.environment,
        "machine": stack.outputs["StateMachineArn"],
    }
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": each.namespace,
                    "MetricName": each.metric,
                    "Dimensions": each.of(**place),
                },
                "Period": within.period,
                "Stat": each.statistic,
            },
        }
        for number, each in enumerate(series)
    ]
    points: list[dict[int, float]] = [{} for _ in series]
    ends: dict[int, Any] = {}
    results = stack.account.pages(
        "cloudwatch",
        "get_metric_data",
        "MetricDataResults",
        MetricDataQueries=queries,
        StartTime=EPOCH + timedelta(microseconds=within.since),
        EndTime=EPOCH + timedelta(microseconds=within.until),
        ScanBy="TimestampAscending",
    )
    for result in results:
        number = int(result["Id"][1:])
        ends[number] = result  # "PartialData" says that a later page has more
        instants = map(to_micros, result["Timestamps"])
        points[number] |= dict(zip(instants, map(float, result["Values"]), strict=True))
    for number, each in enumerate(series):
        _require_whole(each, ends.get(number))
    yield from points


def _require_whole(series: Series, end: Mapping[str, Any] | None) -> None:
    status = "missing" if end is None else end.get("StatusCode", "Complete")
    if status == "Complete":
        return
    name = f"{series.namespace} {series.metric}"
    if status == "Forbidden":
        raise StoreError(f"CloudWatch may not show the metric {name}")
    raise TransientError(f"CloudWatch has the metric {name} only in part for the moment ({status})")
