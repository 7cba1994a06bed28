"""Metrics of functions: CloudWatch's embedded metric format, written by Powertools, one line an invocation."""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from .measures import ALLOWED, COUNT, MILLISECONDS, NAMESPACE, Measure


class Outcomes(Protocol):
    """A ledger entry, or the tally of a job's shard."""

    @property
    def curated(self) -> int: ...

    @property
    def duplicate(self) -> int: ...

    @property
    def filtered(self) -> int: ...

    @property
    def dead_lettered(self) -> int: ...

    @property
    def dead_letters(self) -> Mapping[str, int]: ...


class Metrics:
    """What one invocation counts and times; nothing is written before ``flush``.

    Dimensions are ``service`` (the function) and ``environment``; for ``DeadLettered`` also with ``reason``.
    """

    def __init__(self, function: str) -> None:
        self._function = function
        self._counts: Counter[Measure] = Counter()
        self._reasons: Counter[str] = Counter()
        self._times: list[tuple[Measure, int]] = []

    def count(self, measure: Measure, number: int = 1) -> None:
        """Add to a count; adding 0 writes it too."""
        self._counts[measure] += number

    def milliseconds(self, measure: Measure, duration: int) -> None:
        """Time something; of clocks that disagree, nothing below 0. Counts it as slow where an objective says so."""
        self._times.append((measure, max(duration, 0)))
        if measure in ALLOWED:
            self.count(Measure.SLOW, int(duration >= ALLOWED[measure]))

    def outcomes(self, outcomes: Outcomes) -> None:
        """Count what became of events."""
        self.count(Measure.CURATED, outcomes.curated)
        self.count(Measure.DUPLICATE, outcomes.duplicate)
        self.count(Measure.FILTERED, outcomes.filtered)
        self.count(Measure.DEAD_LETTERED, outcomes.dead_lettered)
        self.count(Measure.CONFLICTS, outcomes.dead_letters.get("conflict", 0))
        self._reasons.update(outcomes.dead_letters)

    def flush(self, environment: str) -> None:
        """Write them to standard output."""
        provider = self._provider(environment)
        for measure, number in self._counts.items():
            provider.add_metric(measure.value, COUNT, number)
        for measure, duration in self._times:
            provider.add_metric(measure.value, MILLISECONDS, duration)
        if provider.metric_set:
            provider.flush_metrics()
        for reason, number in self._reasons.items():
            one = self._provider(environment, reason=reason)
            one.add_metric(Measure.DEAD_LETTERED.value, COUNT, number)
            one.flush_metrics()

    def _provider(self, environment: str, **dimensions: str) -> AmazonCloudWatchEMFProvider:
        # The provider rather than Powertools' ``Metrics``, whose state all functions of a process would share.
        return AmazonCloudWatchEMFProvider(
            namespace=NAMESPACE,
            service=self._function,
            default_dimensions={"environment": environment, **dimensions},
        )
