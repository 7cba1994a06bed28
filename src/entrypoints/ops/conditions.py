"""Conditions that alarms watch for: what each means, how grave it is, and what to run first."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import attrs

from ..lambdas.measures import FUNCTIONS


class Severity(StrEnum):
    """How soon somebody has to look."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"

    @property
    def means(self) -> str:
        """What is expected of the person on call."""
        return _MEANS[self]


_MEANS: Final[Mapping[Severity, str]] = MappingProxyType(
    {
        Severity.P0: "The service fails its users: look at once, at any hour.",
        Severity.P1: "The service is about to fail, or data is at stake: look within the hour, at any hour.",
        Severity.P2: "The service is slower or weaker than it promises: look the same day.",
        Severity.P3: "Something is worth knowing: look this week.",
    }
)


@attrs.frozen(kw_only=True)
class Condition:
    """Something wrong that has alarms. Its name is part of theirs, and the anchor of its section in the runbook.

    Alarms are named ``millrace[-ENVIRONMENT]/NAME``; where a condition has several, ``/PART`` follows. ``first`` is the
    command to run first, with what has to be filled in in capitals.
    """

    name: str
    severity: Severity
    means: str
    threshold: str
    first: str
    parts: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    """Alarms ``/WINDOW`` that notify nobody: that of the condition is a composite of them."""

    def alarms(self, suffix: str) -> tuple[str, ...]:
        """The names of the alarms that notify somebody. ``suffix`` is that of the stack's names: "" in production."""
        name = f"{prefix(suffix)}{self.name}"
        return tuple(f"{name}/{part}" for part in self.parts) or (name,)


def prefix(suffix: str) -> str:
    """What the names of all alarms of a stack start with, and those of no other."""
    return f"millrace{suffix}/"


_LEDGER: Final = "The ledger does not account for receipts that the raw log holds"

CONDITIONS: Final = (
    # -------------------------------------------------------------------------------------------------------------- P0
    Condition(
        name="api-errors",
        severity=Severity.P0,
        means="The API answers requests with 5xx: clients cannot send events, or cannot read them.",
        threshold="over 5 % of requests in 3 of 5 minutes, each with 20 requests or more",
        first="millrace ops health",
    ),
    Condition(
        name="function-errors",
        severity=Severity.P0,
        means="Invocations of a function fail.",
        threshold="over 10 % of invocations in 2 of 3 times 5 minutes, each with 10 invocations or more",
        first="millrace ops errors FUNCTION",
        parts=FUNCTIONS,
    ),
    # -------------------------------------------------------------------------------------------------------------- P1
    Condition(
        name="availability-burning-fast",
        severity=Severity.P1,
        means="The API spends its error budget so fast that a month's is gone in two days.",
        threshold="14.4 times as fast as it may, over an hour (100 requests or more) and over the last 5 minutes",
        first="millrace ops slo --days 1",
        windows=("1h", "5m"),
    ),
    Condition(
        name="workflow-failures",
        severity=Severity.P1,
        means="Executions of the state machine of jobs fail or time out.",
        threshold="over 20 % of the executions that ended within 6 hours, 5 or more",
        first="millrace ops executions failures",
    ),
    Condition(
        name="dead-letters-many",
        severity=Severity.P1,
        means="So many events cannot be processed that a client or the catalog is wrong rather than an event.",
        threshold="over 100 messages in processing-dlq",
        first="millrace dead-letters summary",
    ),
    Condition(
        name="data-loss",
        severity=Severity.P1,
        means=f"{_LEDGER}: they were lost on their way, or their numbers do not add up. The sweep has sent them again.",
        threshold="a receipt that is missing or does not add up, in a sweep within the last hour",
        first="millrace reconcile --since 6h",
    ),
    Condition(
        name="changes-undelivered",
        severity=Severity.P1,
        means="The stream forgot changes before the views could fold them, or the timer could not call the sweep.",
        threshold="a message in changes-dlq",
        first="millrace ops undelivered",
    ),
    Condition(
        name="changes-refused",
        severity=Severity.P1,
        means="Items were inserted into CuratedEvents that are no curated events; the views passed them over.",
        threshold="an item within the last hour",
        first="millrace ops logs analytics --errors --since 2h",
    ),
    Condition(
        name="events-deleted",
        severity=Severity.P1,
        means="Curated events were deleted that the archive does not have; queries miss them, views still count them.",
        threshold="an event within the last hour",
        first="millrace reconcile",
    ),
    Condition(
        name="stream-expiring",
        severity=Severity.P1,
        means="The views are so far behind that the stream, which remembers 24 hours, will soon forget changes.",
        threshold="12 hours behind, in 2 of 2 times 5 minutes",
        first="millrace ops errors analytics",
    ),
    # -------------------------------------------------------------------------------------------------------------- P2
    Condition(
        name="availability-burning-slow",
        severity=Severity.P2,
        means="The API spends its error budget so fast that a month's is gone in five days.",
        threshold="6 times as fast as it may, over 6 hours (200 requests or more) and over the last 30 minutes",
        first="millrace ops slo --days 1",
        windows=("6h", "30m"),
    ),
    Condition(
        name="latency-burning-fast",
        severity=Severity.P2,
        means="Most receipts take longer from request to curated than the objective allows.",
        threshold="14.4 times as many as may, over an hour (20 receipts or more) and over the last 5 minutes",
        first="millrace ops slo --days 1",
        windows=("1h", "5m"),
    ),
    Condition(
        name="curation-slow",
        severity=Severity.P2,
        means="Receipts take long from request to curated.",
        threshold="p95 over 1 s in 2 of 3 times 5 minutes, each with 20 receipts or more",
        first="millrace ops performance",
    ),
    Condition(
        name="queue-waiting",
        severity=Severity.P2,
        means="Accepted receipts wait in processing-queue: they are not fetched, or their processing is deferred.",
        threshold="the oldest for over 5 minutes, in 5 of 5 minutes",
        first="millrace ops health",
    ),
    Condition(
        name="receipts-failing",
        severity=Severity.P2,
        means="Receipts fail for a reason that another try will not mend; each comes again until it is dead-lettered.",
        threshold="a failure within the last hour",
        first="millrace ops errors transformation",
    ),
    Condition(
        name="view-lag",
        severity=Severity.P2,
        means="Views show less than was curated: changes wait in the stream, or folding them takes long.",
        threshold="over 60 s in 5 of 5 minutes",
        first="millrace ops health",
        parts=("folded", "waiting"),
    ),
    Condition(
        name="function-throttles",
        severity=Severity.P2,
        means="Functions are throttled: they have reached their reserved concurrency, or the account its limit.",
        threshold="over 1 % of calls in 2 of 3 times 5 minutes, each with 100 calls or more",
        first="millrace ops concurrency",
    ),
    Condition(
        name="table-throttles",
        severity=Severity.P2,
        means="DynamoDB throttles reads or writes of a table.",
        threshold="over 10 throttled in 2 of 3 times 5 minutes",
        first="millrace ops capacity",
    ),
    Condition(
        name="sweep-missing",
        severity=Severity.P2,
        means="No sweep has come to its end, so nothing proves that no receipt is lost. A new stack begins with this.",
        threshold="none in 3 hours",
        first="millrace ops errors analytics",
    ),
    Condition(
        name="new-version-errors",
        severity=Severity.P2,
        means="The version of a function that is being deployed fails; CodeDeploy goes back to the one before.",
        threshold="an error of the new version within a minute",
        first="millrace ops errors FUNCTION",
        parts=FUNCTIONS,
    ),
    # -------------------------------------------------------------------------------------------------------------- P3
    Condition(
        name="latency-burning-slow",
        severity=Severity.P3,
        means="Many receipts take longer from request to curated than the objective allows.",
        threshold="6 times as many as may, over 6 hours (20 receipts or more) and over the last 30 minutes",
        first="millrace ops slo --days 1",
        windows=("6h", "30m"),
    ),
    Condition(
        name="cold-starts-slow",
        severity=Severity.P3,
        means="Functions take long to start.",
        threshold="one over 2 s in 3 of 12 times 5 minutes",
        first="millrace ops performance",
    ),
    Condition(
        name="queries-slow",
        severity=Severity.P3,
        means="Queries of events and views take long.",
        threshold="p95 over 2 s in 2 of 3 times 15 minutes, each with 20 queries or more",
        first="millrace ops performance query",
    ),
    Condition(
        name="dead-letters",
        severity=Severity.P3,
        means="Events could not be processed, or a job failed; they wait to be mended and redriven.",
        threshold="a message in processing-dlq",
        first="millrace dead-letters summary",
    ),
)
"""Every condition that a stack has alarms for, the gravest first."""
