"""The map of who calls whom."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.ops.graph import EDGES, NODES, Graph, merged, reports, united

from .standing import Stand
from .tracing import mapped


def service(number: int, name: str, kind: str, *edges: int, calls: int = 100, faults: int = 0) -> dict[str, Any]:
    """As GetServiceGraph answers."""
    counted = {
        "OkCount": calls - faults,
        "ErrorStatistics": {"ThrottleCount": 1, "OtherCount": 1, "TotalCount": 2},
        "FaultStatistics": {"OtherCount": faults, "TotalCount": faults},
        "TotalCount": calls,
        "TotalResponseTime": calls * 0.02,
    }
    return {
        "ReferenceId": number,
        "Name": name,
        "Type": kind,
        "Edges": [{"ReferenceId": each, "SummaryStatistics": counted} for each in edges],
        "SummaryStatistics": counted,
    }


SERVICES = [
    service(0, "client", "client", 1),
    service(1, "ServerlessDataAPI/prod", "AWS::ApiGateway::Stage", 2),
    service(2, "ingestion-lambda", "AWS::Lambda", 3, faults=6),
    service(3, "ingestion-lambda", "AWS::Lambda::Function", 4),
    service(4, "S3", "AWS::S3"),
    service(5, "somebody-else", "AWS::Lambda::Function", 4, faults=100),
]


def test_the_map_has_the_stack_with_what_it_calls_and_who_calls_it(cloud: Stand) -> None:
    with mapped(SERVICES) as asked:
        nodes, edges = cloud.told("map", "--since", "13h", code=1)
    assert len(asked) == 3
    assert all(end - start <= 6 * 3600 for start, end in asked)
    assert [row["node"] for row in nodes["rows"]] == [
        "ingestion-lambda",
        "S3",
        "ServerlessDataAPI/prod",
        "client",
        "ingestion-lambda",
    ]
    assert nodes["rows"][0] == {
        "node": "ingestion-lambda",
        "kind": "AWS::Lambda",
        "calls": 300,
        "errors": 6,
        "throttled": 3,
        "faults": 18,
        "faults_percent": 6,
        "mean_ms": 20,
    }
    assert (edges["rows"][0]["from"], edges["rows"][0]["to"]) == (
        "ingestion-lambda (AWS::Lambda)",
        "ingestion-lambda (AWS::Lambda::Function)",
    )
    assert nodes["wrong"] == ["6 % of the calls of ingestion-lambda (AWS::Lambda) had a fault"]


def test_an_empty_map_is_well(cloud: Stand) -> None:
    assert cloud.ops("map").stdout.count("Nothing.") == 2


@pytest.mark.parametrize(
    ("calls", "faults", "wrong"),
    [(19, 19, False), (20, 1, False), (20, 2, True), (100, 5, False), (100, 6, True), (0, 0, False)],
)
def test_faults_are_wrong_above_five_per_cent_of_enough_calls(calls: int, faults: int, wrong: bool) -> None:
    nodes, _ = reports(merged([service(0, "query-lambda", "AWS::Lambda", calls=calls, faults=faults)]), 0)
    assert bool(nodes.wrong) == wrong


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=4))
def test_graphs_of_several_spans_add_up_whatever_the_numbers_of_their_nodes(called: list[list[int]]) -> None:
    graphs = []
    for turn, edges in enumerate(called):
        numbers = {name: (name + turn) % 5 for name in range(5)}
        graphs.append(
            merged([service(numbers[name], f"n{name}", "", *[numbers[e] for e in edges]) for name in range(5)])
        )
    found = united(graphs)
    assert found.nodes.keys() == {(f"n{name}", "") for name in range(5)}
    assert {calls.every for calls in found.nodes.values()} == {100 * len(called)}
    for (_, (end, _)), calls in found.edges.items():
        assert calls.every == 100 * sum(edges.count(int(end[1:])) for edges in called)


def test_tables_have_every_column_of_their_rows() -> None:
    graph: Graph = merged(SERVICES)
    nodes, edges = reports(graph, 0)
    assert all(set(row) == set(NODES) for row in nodes.rows)
    assert all(set(row) == set(EDGES) for row in edges.rows)
