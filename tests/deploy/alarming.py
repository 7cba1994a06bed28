"""Alarms as CloudWatch evaluates them: statistics of windows, metric math, M of N datapoints, missing data, composites.

As the user guide has it ("Using math expressions with CloudWatch metrics", "Alarm evaluation", "Configuring how
CloudWatch alarms treat missing data"), for the part of it that the templates use; what they do not use raises.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from .stacks import Node, of_type, text

Window = Mapping[float, int]
"""The values that came within some time, each with how often it came."""

Samples = Mapping[str, Mapping[int, Window]]
"""By the id of a metric in its alarm: what came in which minute; minute 0 is the last one, 1 the one before."""

WATCHED: Final = "watched"
"""The id of what an alarm watches: an expression, or the only metric."""

STATISTICS: Final[Mapping[str, Callable[[Window], float]]] = {
    "Sum": lambda window: sum(value * count for value, count in window.items()),
    "SampleCount": lambda window: sum(window.values()),
    "Maximum": max,
    "p95": lambda window: _percentile(window, 0.95),
}
_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
}
_OPERATORS: Final[Mapping[type[ast.AST], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.GtE: operator.ge,
}


@attrs.frozen
class Query:
    """A metric that an alarm reads."""

    id: str
    namespace: str
    metric: str
    statistic: str
    period: int
    dimensions: Mapping[str, str]


@attrs.frozen
class Alarm:
    """A metric alarm of the template."""

    properties: dict[str, Node]

    @property
    def name(self) -> str:
        return str(self.properties["AlarmName"])

    @property
    def queries(self) -> list[Query]:
        """The metrics it reads."""
        told = self.properties
        if "MetricName" in told:
            return [_query(WATCHED, told, told["Statistic"], told["Period"])]
        stats = {item["Id"]: item["MetricStat"] for item in told["Metrics"] if "MetricStat" in item}
        return [_query(name, stat["Metric"], stat["Stat"], stat["Period"]) for name, stat in stats.items()]

    @property
    def expressions(self) -> dict[str, str]:
        """Its expressions by id, what is watched among them; none where it watches a metric as it is."""
        return {item["Id"]: item["Expression"] for item in self.properties.get("Metrics", ()) if "Expression" in item}

    @property
    def period(self) -> int:
        """Seconds; all of its metrics have the same."""
        [period] = {query.period for query in self.queries}
        return period

    @property
    def evaluated(self) -> int:
        """N: how many datapoints it looks at."""
        return int(self.properties["EvaluationPeriods"])

    @property
    def needed(self) -> int:
        """M: how many of them have to breach."""
        return int(self.properties.get("DatapointsToAlarm", self.evaluated))

    def points(self, samples: Samples, *, lenient: bool = False) -> list[float | None]:
        """The datapoints that it looks at, the newest first; None is missing.

        Two things the user guide leaves open: what SUM and MAX of several series are where one has no value, and IF
        where what it does not choose has none. ``lenient`` passes over what is missing, the default does not.
        """
        minutes = self.period // 60
        return [self._point(samples, range(n * minutes, (n + 1) * minutes), lenient) for n in range(self.evaluated)]

    def state(self, samples: Samples, *, before: str = "OK", lenient: bool = False) -> str:
        """Its state after these samples; ``before``: that in which they find it."""
        told = self.properties
        points = self.points(samples, lenient=lenient)
        if None in points and any(query.namespace == "AWS/DynamoDB" for query in self.queries):
            return before  # whatever the template says (API reference, PutMetricAlarm, TreatMissingData)
        missing = {"breaching": True, "notBreaching": False}[told["TreatMissingData"]]
        breaches = _COMPARISONS[told["ComparisonOperator"]]
        count = sum(missing if point is None else breaches(point, float(told["Threshold"])) for point in points)
        return "ALARM" if count >= self.needed else "OK"

    def _point(self, samples: Samples, minutes: range, lenient: bool) -> float | None:
        known: dict[str, float | None] = {}
        for query in self.queries:
            window: dict[float, int] = {}
            for minute in minutes:
                for value, count in samples.get(query.id, {}).get(minute, {}).items():
                    window[value] = window.get(value, 0) + count
            known[query.id] = STATISTICS[query.statistic](window) if window else None
        for name, expression in _ordered(self.expressions):
            known[name] = evaluate(expression, known, lenient=lenient)
        return known[WATCHED]


def alarms(template: dict[str, Node]) -> dict[str, Alarm]:
    """The metric alarms of a template by name."""
    found = [Alarm(properties) for properties in of_type(template, "AWS::CloudWatch::Alarm").values()]
    return {alarm.name: alarm for alarm in found}


def composites(template: dict[str, Node]) -> dict[str, str]:
    """The rules of the composite alarms by name, with alarms in them by name."""
    names = {
        key: resource["Properties"]["AlarmName"]
        for key, resource in template["Resources"].items()
        if resource["Type"].startswith("AWS::CloudWatch::") and "AlarmName" in resource["Properties"]
    }
    return {
        properties["AlarmName"]: re.sub(r"\$\{(\w+)\}", lambda m: names[m[1]], text(properties["AlarmRule"]))
        for properties in of_type(template, "AWS::CloudWatch::CompositeAlarm").values()
    }


def members(rule: str) -> list[str]:
    """The alarms that a rule names."""
    return re.findall(r'ALARM\("([^"]+)"\)', rule)


def holds(rule: str, alarming: set[str]) -> bool:
    """Whether a rule of ALARM("…"), all joined by OR or all by AND, holds while these alarms are in ALARM."""
    words = re.sub(r'ALARM\("[^"]+"\)', "x", rule).split()
    joined = {*words[1::2]}
    if {*words[::2]} != {"x"} or joined not in ({"OR"}, {"AND"}):
        raise NotImplementedError(rule)
    told = [name in alarming for name in members(rule)]
    return any(told) if joined == {"OR"} else all(told)


def evaluate(expression: str, known: Mapping[str, float | None], *, lenient: bool = False) -> float | None:
    """An expression of metric math at one instant; None is missing, and so is what was divided by 0.

    SUM of one series is its sum over all instants, which is its value where there is but one.
    """

    def of(node: ast.AST) -> float | None:
        match node:
            case ast.Expression(body=body):
                return of(body)
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(id=name):
                return known[name]
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                one, other = of(left), of(right)
                if one is None or other is None or (isinstance(op, ast.Div) and other == 0):
                    return None
                return _OPERATORS[type(op)](one, other)
            case ast.Call(func=ast.Name(id="FILL"), args=[series, ast.Constant(value=int() | float() as value)]):
                return value if (found := of(series)) is None else found
            case ast.Call(func=ast.Name(id="IF"), args=[condition, yes, no]):
                asked, *both = of(condition), of(yes), of(no)
                if asked is None or (None in both and not lenient):
                    return None
                return both[0 if asked else 1]
            case ast.Call(func=ast.Name(id=("SUM" | "MAX") as name), args=[ast.List(elts=several)]):
                values = [of(each) for each in several]
                there = [value for value in values if value is not None]
                if not there or (len(there) < len(values) and not lenient):
                    return None
                return sum(there) if name == "SUM" else max(there)
            case ast.Call(func=ast.Name(id="SUM" | "TIME_SERIES"), args=[series]):
                return of(series)
        raise NotImplementedError(ast.dump(node))

    return of(ast.parse(expression.strip(), mode="eval"))


def names(expression: str) -> set[str]:
    """The ids that an expression refers to."""
    tree = ast.parse(expression.strip(), mode="eval")
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - called


def _ordered(expressions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The expressions, each after those that it refers to."""
    waiting = dict(expressions)
    while waiting:
        ready = [name for name, expression in waiting.items() if not names(expression) & set(waiting)]
        for name in ready:
            yield name, waiting.pop(name)
        if not ready:
            raise ValueError(f"{', '.join(waiting)} refer to each other")


def _query(name: str, metric: Mapping[str, Node], statistic: str, period: int) -> Query:
    dimensions = {item["Name"]: text(item["Value"]) for item in metric["Dimensions"]}
    return Query(name, metric["Namespace"], metric["MetricName"], statistic, int(period), dimensions)


def _percentile(window: Window, share: float) -> float:
    ordered: Sequence[tuple[float, int]] = sorted(window.items())
    rank, seen = share * sum(window.values()), 0
    for value, count in ordered:
        seen += count
        if seen >= rank:
            return value
    return ordered[-1][0]
