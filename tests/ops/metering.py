"""``Meters``: the metrics that come out of a stack at work, and the alarms of the template that they set off.

Time is the game's own, in minutes. What is put must be a metric that the deployed template has
(``tests.deploy.emitted``), so that no alarm goes off on a metric that nobody writes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from millrace.entrypoints.lambdas.measures import MILLISECONDS, Measure
from tests.deploy.alarming import Alarm, Samples, alarms, composites, holds
from tests.deploy.emitted import emitted
from tests.deploy.stacks import Node

Metric = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, dimensions."""


@attrs.define
class Meters:
    """Samples of one stack, of which ``template`` is the translated template."""

    template: dict[str, Node]
    minute: int = 0
    _there: set[Metric] = attrs.field(init=False)
    _samples: "defaultdict[Metric, defaultdict[int, Counter[float]]]" = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._there = emitted(self.template)
        self._samples = defaultdict(lambda: defaultdict(Counter))

    def put(self, namespace: str, metric: str, dimensions: Mapping[str, str], *values: float) -> None:
        """What is measured in this minute."""
        key = namespace, metric, frozenset(dimensions.items())
        assert key in self._there, f"nobody writes {key}"
        self._samples[key][self.minute].update(values)

    def put_embedded(self, line: Mapping[str, Any]) -> None:
        """What a line of a function's log tells in CloudWatch's embedded metric format."""
        for told in line["_aws"]["CloudWatchMetrics"]:
            for names in told["Dimensions"]:
                dimensions = {name: line[name] for name in names}
                if "reason" in dimensions:
                    continue  # for people who look; no alarm reads it
                for metric in told["Metrics"]:
                    values = line[metric["Name"]]
                    several = values if isinstance(values, list) else [values]
                    if metric["Name"] == Measure.SLOW.value or metric["Unit"] == MILLISECONDS:
                        several = [0] * len(several)  # how long it takes here tells nothing of a stack at work
                    self.put(told["Namespace"], metric["Name"], dimensions, *several)

    def alarming(self) -> set[str]:
        """The names of the alarms of conditions that are in ALARM now, without what all names begin with."""
        found = {name for name, alarm in alarms(self.template).items() if alarm.state(self._of(alarm)) == "ALARM"}
        rules = composites(self.template)
        found |= {name for name, rule in rules.items() if holds(rule, found)}
        return {name.removeprefix("millrace/") for name in found}

    def latest(self) -> Iterable[tuple[Metric, float, int]]:
        """What was measured in this minute: metric, value, how often."""
        for key, minutes in self._samples.items():
            for value, count in minutes.get(self.minute, Counter()).items():
                yield key, value, count

    def _of(self, alarm: Alarm) -> Samples:
        """What an alarm sees, by the age in minutes."""
        return {
            query.id: {
                self.minute - at: dict(values)
                for at, values in self._samples.get(_key(query), {}).items()
                if at <= self.minute
            }
            for query in alarm.queries
        }


def _key(query: Any) -> Metric:
    return query.namespace, query.metric, frozenset(query.dimensions.items())
