"""The health of a stack: its parts, what went through it, failed executions, alarms; and the report over a day."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

import attrs

from ...core.errors import TransientError
from ...core.times import to_micros
from ..lambdas.measures import NAMESPACE, Measure
from . import alarms, slo
from .components import components
from .conditions import Severity
from .findings import Report
from .flow import flow
from .objectives import Series
from .readings import SECOND, read, span, to_the_second, total
from .stack import Stack

LATELY: Final = 15 * 60
"""Seconds that error rates are looked at over."""

DAY: Final = 86_400
SHOWN_EXECUTIONS: Final = 10
REDRIVABLE: Final = 15 * DAY
"""Seconds after its start within which an execution can still fail: it runs for a day at most, and can be redriven for
two weeks after it ended.
"""

EXECUTIONS = ("ended", "execution", "status")
ALARMS = ("severity", "alarm", "since", "means", "run")
REASONS = ("reason", "events")

_REASON: Final = "reason"


@attrs.frozen
class Execution:
    """One that ended badly. Instants in microseconds."""

    name: str
    status: str
    started: int
    ended: int


def health(stack: Stack) -> list[Report]:
    """How the stack is now, by the last quarter of an hour and what is left of the five minutes before."""
    within = span(stack.clock.now(), LATELY)
    return [
        components(stack),
        *flow(stack, within),
        _executions(stack, lately=LATELY),
        _alarms(stack),
    ]


def daily(stack: Stack) -> list[Report]:
    """How the stack was over the last 24 hours, and how it is now."""
    within = span(stack.clock.now(), DAY)
    return [
        components(stack),
        *flow(stack, within),
        _reasons(stack),
        slo.objectives(stack, 1),
        _executions(stack, lately=DAY),
        _alarms(stack),
    ]


def failed_executions(stack: Stack, since: int) -> list[Execution]:
    """Executions that failed or timed out from an instant on, the latest first."""
    found = [each for status in ("FAILED", "TIMED_OUT") for each in _ended(stack, status, since)]
    return sorted(found, key=lambda each: -each.ended)


def watch(
    look: Callable[[], int], seconds: float, *, sleep: Callable[[float], None], note: Callable[[str], None]
) -> Iterator[int]:
    """Look again and again, for ever; what each look came to. What fails for the moment is noted."""
    while True:
        try:
            yield look()
        except TransientError as error:
            note(str(error))
        sleep(seconds)


def _ended(stack: Stack, status: str, since: int) -> Iterator[Execution]:
    executions = stack.account.pages(
        "stepfunctions",
        "list_executions",
        "executions",
        stateMachineArn=stack.outputs["StateMachineArn"],
        statusFilter=status,
    )
    for found in executions:  # by their start, the latest first
        execution = _execution(found)
        if execution.started < since - REDRIVABLE * SECOND:
            return
        if execution.ended >= since:
            yield execution


def _execution(found: Mapping[str, Any]) -> Execution:
    started = to_micros(found["startDate"])
    ended = found.get("stopDate")
    return Execution(found["name"], found["status"], started, started if ended is None else to_micros(ended))


def _executions(stack: Stack, *, lately: int) -> Report:
    now = stack.clock.now()
    found = failed_executions(stack, now - DAY * SECOND)
    fresh = sum(each.ended >= now - lately * SECOND for each in found)
    rows = [
        {"ended": to_the_second(each.ended), "execution": each.name, "status": each.status}
        for each in found[:SHOWN_EXECUTIONS]
    ]
    run = f"Run: millrace ops executions failures --store aws:{stack.name}"
    many = f"{fresh} executions" if fresh > 1 else "An execution"
    time = "24 hours" if lately == DAY else f"{lately // 60} minutes"
    wrong = [f"{many} failed in the last {time}. {run}"] if fresh else []
    title = "Executions that failed in the last 24 hours"
    if len(found) > len(rows):
        title += f", {len(rows)} of {len(found)}"
    return Report(title=title, columns=EXECUTIONS, rows=rows, wrong=wrong)


def _alarms(stack: Stack) -> Report:
    raised = alarms.raised(alarms.alarms(stack), stack)
    return Report(
        title="Alarms in ALARM",
        columns=ALARMS,
        rows=[
            {
                "severity": meaning.severity or "",
                "alarm": alarm.name,
                "since": to_the_second(alarm.since),
                "means": meaning.means,
                "run": meaning.run,
            }
            for alarm, meaning in raised
        ],
        wrong=[alarms.sentence(alarm, meaning) for alarm, meaning in raised if meaning.severity is not Severity.P3],
    )


def _reasons(stack: Stack) -> Report:
    """Dead letters of a day by their reason: CloudWatch knows which reasons there are."""
    place = [
        {"Name": "service", "Value": "transformation"},
        {"Name": "environment", "Value": stack.environment},
        {"Name": _REASON},
    ]
    known = stack.account.pages(
        "cloudwatch",
        "list_metrics",
        "Metrics",
        Namespace=NAMESPACE,
        MetricName=Measure.DEAD_LETTERED.value,
        Dimensions=place,
    )
    reasons: dict[str, Series] = {}
    for metric in known:
        dimensions = tuple((each["Name"], each["Value"]) for each in metric["Dimensions"])
        reasons[dict(dimensions)[_REASON]] = Series(
            namespace=NAMESPACE, metric=Measure.DEAD_LETTERED.value, dimensions=dimensions
        )
    within = span(stack.clock.now(), DAY)
    counts: dict[str, Fraction] = {
        reason: total(points) for reason, points in zip(reasons, read(stack, [*reasons.values()], within), strict=True)
    }
    rows = [
        {_REASON: reason, "events": int(count)}
        for reason, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        if count
    ]
    return Report(title="Dead letters in the last 24 hours", columns=REASONS, rows=rows)
