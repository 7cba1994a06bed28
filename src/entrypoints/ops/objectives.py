"""Objectives of the service: what it promises over 30 days, which metrics tell, and how fast is too fast."""

from fractions import Fraction
from typing import Final, NamedTuple

import attrs

from ..lambdas.measures import ALLOWED, FUNCTIONS, NAMESPACE, Measure


@attrs.frozen(kw_only=True)
class Series:
    """A metric as CloudWatch has it, of any stack.

    In the values of its dimensions ``{suffix}``, ``{environment}`` and ``{machine}`` (the state machine's ARN) stand
    for what differs between stacks.
    """

    namespace: str
    metric: str
    statistic: str = "Sum"
    dimensions: tuple[tuple[str, str], ...]

    def of(self, *, suffix: str, environment: str, machine: str) -> list[dict[str, str]]:
        """The dimensions in one stack, in the form of CloudWatch's calls."""
        known = {"suffix": suffix, "environment": environment, "machine": machine}
        return [{"Name": name, "Value": value.format_map(known)} for name, value in self.dimensions]


@attrs.frozen(kw_only=True)
class Objective:
    """What share of something has to be good: 1 - bad / every, each the sum of its series over some time.

    The budget is the share that may be bad. What is spent of it, of 1: (bad / every) / (1 - target).
    """

    name: str
    promises: str
    measured: str
    target: Fraction
    bad: tuple[Series, ...]
    every: tuple[Series, ...]

    @property
    def budget(self) -> Fraction:
        """The share that may be bad."""
        return 1 - self.target


def _own(service: str, measure: Measure, statistic: str = "Sum") -> Series:
    return Series(
        namespace=NAMESPACE,
        metric=measure.value,
        statistic=statistic,
        dimensions=(("service", service), ("environment", "{environment}")),
    )


def _api(metric: str) -> Series:
    dimensions = (("ApiName", "ServerlessDataAPI{suffix}"), ("Stage", "prod"))
    return Series(namespace="AWS/ApiGateway", metric=metric, dimensions=dimensions)


def _functions(metric: str) -> tuple[Series, ...]:
    return tuple(
        Series(namespace="AWS/Lambda", metric=metric, dimensions=(("FunctionName", f"{name}-lambda{{suffix}}"),))
        for name in FUNCTIONS
    )


def _executions(*ends: str) -> tuple[Series, ...]:
    return tuple(
        Series(namespace="AWS/States", metric=f"Executions{end}", dimensions=(("StateMachineArn", "{machine}"),))
        for end in ends
    )


OBJECTIVES: Final = (
    Objective(
        name="availability",
        promises="99.9 % of requests to the API are answered without 5xx",
        measured="5xx against all requests, as API Gateway counts them",
        target=Fraction(999, 1000),
        bad=(_api("5XXError"),),
        every=(_api("Count"),),
    ),
    Objective(
        name="latency",
        promises=f"95 % of receipts are curated within {ALLOWED[Measure.RECEIVED_TO_CURATED]} ms of their request",
        measured="receipts that took as long or longer, against all that came through the queue",
        target=Fraction(95, 100),
        bad=(_own("transformation", Measure.SLOW),),
        every=(_own("transformation", Measure.RECEIVED_TO_CURATED, "SampleCount"),),
    ),
    Objective(
        name="functions",
        promises="99.5 % of invocations succeed",
        measured="errors against invocations of all five functions",
        target=Fraction(995, 1000),
        bad=_functions("Errors"),
        every=_functions("Invocations"),
    ),
    Objective(
        name="workflows",
        promises="98 % of executions of the state machine succeed",
        measured="executions that failed or timed out against all that ended; one that was stopped has not failed",
        target=Fraction(98, 100),
        bad=_executions("Failed", "TimedOut"),
        every=_executions("Succeeded", "Failed", "TimedOut", "Aborted"),
    ),
    Objective(
        name="data-loss",
        promises="less than 0.01 % of receipts are not accounted for",
        measured="receipts that the hourly sweep found missing or unbalanced against those it looked at",
        target=Fraction(9999, 10000),
        bad=(_own("analytics", Measure.MISSING), _own("analytics", Measure.UNBALANCED)),
        every=(_own("analytics", Measure.RECONCILED),),
    ),
    Objective(
        name="queries",
        promises=f"95 % of queries of events and views take less than {ALLOWED[Measure.QUERY_TIME] / 1000:g} s",
        measured="queries that took as long or longer, in the function, against all that were answered",
        target=Fraction(95, 100),
        bad=(_own("query", Measure.SLOW),),
        every=(_own("query", Measure.QUERY_TIME, "SampleCount"),),
    ),
)
"""What the service promises over 30 days."""


class Burn(NamedTuple):
    """A speed at which a budget is spent that is worth an alarm, over a long window and a short one, in seconds.

    1 is the speed that spends it in exactly the 30 days. Both windows have to show it: the long one that it matters,
    the short one that it goes on. From "The Site Reliability Workbook" (Google, O'Reilly 2018), chapter 5, "Alerting
    on SLOs", section "Multiwindow, Multi-Burn-Rate Alerts".
    """

    speed: Fraction
    long: int
    short: int

    def threshold(self, objective: Objective) -> Fraction:
        """The share of bad ones above which the budget is spent that fast."""
        return self.speed * objective.budget


FAST: Final = Burn(Fraction(144, 10), 3600, 300)
"""2 % of the budget in an hour."""

SLOW: Final = Burn(Fraction(6), 6 * 3600, 1800)
"""5 % of the budget in 6 hours."""
