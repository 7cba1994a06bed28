"""The service graph of X-Ray: who calls whom, how often, how fast, and with what end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import attrs

from ...core.times import EPOCH, format_time
from .findings import Report
from .stack import Stack
from .traces import pieces

MANY_FAULTS: Final = 5
"""Per cent of the calls of a node with a fault that are wrong…"""

LEAST_CALLS: Final = 20
"""…where there were as many calls."""

NODES = ("node", "kind", "calls", "errors", "throttled", "faults", "faults_percent", "mean_ms")
EDGES = ("from", "to", "calls", "errors", "throttled", "faults", "mean_ms")

Node = tuple[str, str]
"""A node by its name and kind: its number is another one in every answer."""


@attrs.frozen
class Calls:
    """How many calls there were, how many ended badly, and how many seconds all took."""

    every: int = 0
    errors: int = 0
    throttled: int = 0
    faults: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Calls") -> "Calls":
        return Calls(
            self.every + other.every,
            self.errors + other.errors,
            self.throttled + other.throttled,
            self.faults + other.faults,
            self.seconds + other.seconds,
        )

    @property
    def mean(self) -> int | None:
        """Milliseconds a call; None without calls."""
        return round(self.seconds / self.every * 1000) if self.every else None

    def row(self) -> dict[str, Any]:
        """As columns."""
        return {
            "calls": self.every,
            "errors": self.errors,
            "throttled": self.throttled,
            "faults": self.faults,
            "mean_ms": self.mean,
        }


@attrs.frozen
class Graph:
    """Nodes and edges with their calls."""

    nodes: Mapping[Node, Calls]
    edges: Mapping[tuple[Node, Node], Calls]

    def around(self, names: Iterable[str]) -> "Graph":
        """The nodes of these names, all that they call and all that call them, however far.

        What else calls the same nodes is left out: S3 is one node for every stack of the account.
        """
        wanted = set(names)
        ours = {node for node in self.nodes if node[0] in wanted}
        there = _reached(ours, self.edges) | _reached(ours, [(end, start) for start, end in self.edges])
        return Graph(
            {node: calls for node, calls in self.nodes.items() if node in there},
            {edge: calls for edge, calls in self.edges.items() if there.issuperset(edge)},
        )


def graph(stack: Stack, since: int, until: int) -> Graph:
    """The graph of the stack from one instant to before another."""
    found = [
        merged(
            stack.account.pages(
                "xray",
                "get_service_graph",
                "Services",
                StartTime=EPOCH + timedelta(microseconds=start),
                EndTime=EPOCH + timedelta(microseconds=end),
            )
        )
        for start, end in pieces(since, until)
    ]
    return united(found).around([*stack.functions, f"ServerlessDataAPI{stack.suffix}/prod"])


def merged(services: Iterable[Mapping[str, Any]]) -> Graph:
    """The graph of one answer; a service that comes on several pages is one node."""
    every = list(services)
    names: dict[int, Node] = {each["ReferenceId"]: _node(each) for each in every}
    nodes: dict[Node, Calls] = {}
    edges: dict[tuple[Node, Node], Calls] = {}
    for service in every:
        here = _node(service)
        nodes[here] = nodes.get(here, Calls()) + _calls(service)
        for edge in service.get("Edges") or ():
            if (there := names.get(edge["ReferenceId"])) is not None:
                edges[here, there] = edges.get((here, there), Calls()) + _calls(edge)
    return Graph(nodes, edges)


def united(graphs: Sequence[Graph]) -> Graph:
    """Graphs of one time after the other as one."""
    nodes: dict[Node, Calls] = {}
    edges: dict[tuple[Node, Node], Calls] = {}
    for each in graphs:
        for node, calls in each.nodes.items():
            nodes[node] = nodes.get(node, Calls()) + calls
        for edge, calls in each.edges.items():
            edges[edge] = edges.get(edge, Calls()) + calls
    return Graph(nodes, edges)


def reports(found: Graph, since: int) -> list[Report]:
    """The nodes, those with most faults first, and the edges."""
    wrong = [
        f"{_percent(calls):g} % of the calls of {name} ({kind}) had a fault"
        for (name, kind), calls in found.nodes.items()
        if calls.every >= LEAST_CALLS and calls.faults * 100 > MANY_FAULTS * calls.every
    ]
    nodes = sorted(found.nodes.items(), key=lambda each: (-each[1].faults, -each[1].every, each[0]))
    edges = sorted(found.edges.items(), key=lambda each: (-each[1].faults, -each[1].every, each[0]))
    return [
        Report(
            title=f"Nodes since {format_time(since)}",
            columns=NODES,
            rows=[
                {"node": name, "kind": kind, **calls.row(), "faults_percent": _percent(calls)}
                for (name, kind), calls in nodes
            ],
            wrong=wrong,
        ),
        Report(
            title="Edges",
            columns=EDGES,
            rows=[{"from": _named(one), "to": _named(other), **calls.row()} for (one, other), calls in edges],
        ),
    ]


def _reached(start: Iterable[Node], edges: Iterable[tuple[Node, Node]]) -> set[Node]:
    nexts: dict[Node, list[Node]] = {}
    for one, other in edges:
        nexts.setdefault(one, []).append(other)
    there, waiting = set(start), list(start)
    while waiting:
        fresh = [node for node in nexts.get(waiting.pop(), ()) if node not in there]
        there.update(fresh)
        waiting += fresh
    return there


def _percent(calls: Calls) -> float | None:
    return round(calls.faults / calls.every * 100, 1) if calls.every else None


def _named(node: Node) -> str:
    return f"{node[0]} ({node[1]})" if node[1] else node[0]


def _node(service: Mapping[str, Any]) -> Node:
    return str(service.get("Name", "")), str(service.get("Type") or "")


def _calls(counted: Mapping[str, Any]) -> Calls:
    told = counted.get("SummaryStatistics") or {}
    errors, faults = told.get("ErrorStatistics") or {}, told.get("FaultStatistics") or {}
    return Calls(
        every=int(told.get("TotalCount") or 0),
        errors=int(errors.get("TotalCount") or 0),
        throttled=int(errors.get("ThrottleCount") or 0),
        faults=int(faults.get("TotalCount") or 0),
        seconds=float(told.get("TotalResponseTime") or 0),
    )
