"""The dashboard: valid JSON, a row for each stage, metrics that are written, and budgets that are right."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from millrace.entrypoints.lambdas.measures import WRITTEN, Measure
from millrace.entrypoints.ops.objectives import OBJECTIVES, Objective

from .alarming import evaluate, names
from .emitted import emitted, machines
from .stacks import EVERYTHING, Node, of_type, text, translated
from .test_alarms import told

ROWS = ["API", "Ingestion", "Queue", "Transformation", "Stream", "Views", "Workflow", "DLQ", "Objectives"]
Widget = Mapping[str, Any]


def dashboard(template: dict[str, Node]) -> tuple[str, dict[str, Any]]:
    [properties] = of_type(template, "AWS::CloudWatch::Dashboard").values()
    body: dict[str, Any] = json.loads(text(properties["DashboardBody"]))
    return properties["DashboardName"], body


@pytest.fixture(scope="module")
def widgets(staging: dict[str, Node]) -> list[Widget]:
    _, body = dashboard(staging)
    found: list[Widget] = body["widgets"]
    return found


def metrics(widget: Widget) -> Iterator[tuple[str, str, frozenset[tuple[str, str]], Mapping[str, Any]]]:
    """The metrics of a widget: namespace, name, dimensions, options."""
    for entry in widget["properties"]["metrics"]:
        options = entry[-1] if isinstance(entry[-1], dict) else {}
        plain = entry[:-1] if options else entry
        if plain:
            namespace, name, *pairs = plain
            yield namespace, name, frozenset(zip(pairs[::2], pairs[1::2], strict=True)), options


def expressions(widget: Widget) -> dict[str, str]:
    return {entry[0]["id"]: entry[0]["expression"] for entry in widget["properties"]["metrics"] if len(entry) == 1}


def test_it_has_a_name_of_its_own_in_each_environment(production: dict[str, Node], staging: dict[str, Node]) -> None:
    for template, name in ((production, "ServerlessDataPipeline"), (staging, "ServerlessDataPipeline-staging")):
        assert dashboard(template)[0] == name == template["Outputs"]["DashboardName"]["Value"]


def test_it_has_a_row_for_each_stage_and_none_overlap(widgets: list[Widget]) -> None:
    headings = [
        re.match(r"## (\w+)", widget["properties"]["markdown"]) for widget in widgets if widget["type"] == "text"
    ]
    assert [heading[1] for heading in headings if heading] == ROWS
    taken: set[tuple[int, int]] = set()
    for widget in widgets:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_it_keeps_within_what_cloudwatch_takes(widgets: list[Widget]) -> None:
    """User guide, "CloudWatch service quotas": 500 widgets, 500 metrics each, 2500 in all."""
    shown = [len(widget["properties"]["metrics"]) for widget in widgets if widget["type"] == "metric"]
    assert len(widgets) <= 500
    assert max(shown) <= 500
    assert sum(shown) <= 2500
    assert {widget["type"] for widget in widgets} == {"text", "metric", "alarm"}


@pytest.mark.parametrize("parameters", [{}, EVERYTHING], ids=["production", "staging"])
def test_every_metric_that_it_shows_is_written(parameters: dict[str, str]) -> None:
    template = translated(**parameters)
    there, shown = emitted(template), 0
    for widget in dashboard(template)[1]["widgets"]:
        if widget["type"] == "metric":
            assert widget["properties"]["region"] == "${AWS::Region}"
            for namespace, name, dimensions, _ in metrics(widget):
                assert (namespace, name, dimensions) in there
                shown += 1
    assert shown > 80


def test_every_measure_of_the_functions_is_shown(widgets: list[Widget]) -> None:
    shown = {name for widget in widgets if widget["type"] == "metric" for _, name, _, _ in metrics(widget)}
    assert {measure.value for measure in Measure} - shown == {"ColdStart"}  # how often matters less than how long


def test_expressions_refer_to_what_their_widget_has(widgets: list[Widget]) -> None:
    for widget in widgets:
        if widget["type"] != "metric":
            continue
        ids = [options["id"] for *_, options in metrics(widget) if "id" in options]
        assert len(set(ids)) == len(ids)
        for expression in expressions(widget).values():
            if not expression.startswith("SEARCH"):
                assert names(expression) == set(ids)


def test_reasons_are_searched_for_with_the_dimensions_that_they_are_written_with(widgets: list[Widget]) -> None:
    found = [e for w in widgets if w["type"] == "metric" for e in expressions(w).values() if e.startswith("SEARCH")]
    [search] = found
    parts = re.fullmatch(
        r"SEARCH\('\{Millrace,([\w,]+)\} MetricName=\"(\w+)\" environment=\"staging\"', 'Sum', 60\)", search
    )
    assert parts
    assert parts[1].split(",") == ["environment", "reason", "service"]
    assert Measure(parts[2]) is Measure.DEAD_LETTERED
    assert WRITTEN[Measure.DEAD_LETTERED].unit == "Count"


def test_the_alarms_that_it_shows_are_there(staging: dict[str, Node], widgets: list[Widget]) -> None:
    shown = [arn for widget in widgets if widget["type"] == "alarm" for arn in widget["properties"]["alarms"]]
    start = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    assert {arn.removeprefix(start) for arn in shown} <= set(told(staging))
    assert {f"millrace-staging/P{n}" for n in range(4)} <= {arn.removeprefix(start) for arn in shown}


# ---------------------------------------------------------------------------------------------------------- objectives


def budget_widget(widgets: list[Widget], objective: Objective) -> Widget:
    """The widget of an objective: the one that shows a value and reads its metrics."""
    found = [
        widget
        for widget in widgets
        if widget["type"] == "metric"
        and widget["properties"]["view"] == "singleValue"
        and "left" in expressions(widget)
    ]
    assert len(found) == len(OBJECTIVES)
    return found[OBJECTIVES.index(objective)]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.name)
def test_the_budget_left_is_that_of_the_objective(
    staging: dict[str, Node], widgets: list[Widget], objective: Objective
) -> None:
    widget, [machine] = budget_widget(widgets, objective), machines(staging)
    assert widget["properties"]["setPeriodToTimeRange"] is True
    expected = []
    for each in (*objective.bad, *objective.every):
        dimensions = each.of(suffix="-staging", environment="staging", machine=machine)
        pairs = frozenset((item["Name"], item["Value"]) for item in dimensions)
        expected.append((each.namespace, each.metric, pairs, each.statistic))
    read = [*metrics(widget)]
    assert [(namespace, name, pairs, options["stat"]) for namespace, name, pairs, options in read] == expected
    ids = [options["id"] for *_, options in read]
    bad, every = ids[: len(objective.bad)], ids[len(objective.bad) :]

    def left(failed: float, succeeded: float) -> float | None:
        known: dict[str, float | None] = dict.fromkeys(ids)
        known |= {bad[0]: failed, every[0]: succeeded}
        return evaluate(expressions(widget)["left"], known)

    allowed = float(1_000_000 * objective.budget)
    assert left(0, 1_000_000) == pytest.approx(100)
    assert left(allowed / 4, 1_000_000) == pytest.approx(75)
    assert left(allowed, 1_000_000) == pytest.approx(0, abs=1e-9)
    assert left(2 * allowed, 1_000_000) == pytest.approx(-100)
    assert left(0, 0) is None  # nothing came, so nothing is shown
