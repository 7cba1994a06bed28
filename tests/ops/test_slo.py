"""Objectives, measured: shares, budgets, spans, and everything that CloudWatch may answer."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from millrace.core.errors import StoreError, TransientError
from millrace.entrypoints.ops.objectives import OBJECTIVES, Objective, Series
from millrace.entrypoints.ops.readings import KEPT_DAYS, METRICS_A_CALL, SECOND, Span, read, span, total
from millrace.entrypoints.ops.slo import Measured, judged, percent

from .measuring import Scripted, api, forget, own, put
from .standing import Stand

NOW = 1_795_579_200_000_000
WITHIN = Span(NOW - 3600 * SECOND, NOW, 300)
NAMES = [objective.name for objective in OBJECTIVES]
counts = st.integers(0, 10**9).map(Fraction)


@pytest.fixture(autouse=True)
def _nothing_measured(request: pytest.FixtureRequest) -> None:
    if "cloud" in request.fixturenames:
        forget(request.getfixturevalue("cloud"))


# -------------------------------------------------------------------------------------------------------- budgets


@given(st.sampled_from(OBJECTIVES), counts, counts)
def test_an_objective_is_missed_exactly_when_more_was_bad_than_may_be(
    objective: Objective, bad: Fraction, good: Fraction
) -> None:
    assume(bad + good)
    measured = Measured(objective, bad, bad + good)
    assert (measured.missed is not None) == (bad / (bad + good) > objective.budget)
    assert measured.good is not None
    assert measured.left is not None
    assert (measured.left < 0) == (measured.good < objective.target)


@given(st.sampled_from(OBJECTIVES))
def test_without_traffic_an_objective_is_neither_met_nor_missed(objective: Objective) -> None:
    measured = Measured(objective, Fraction(0), Fraction(0))
    assert measured.missed is None
    assert measured.row()["measured"] == "no traffic"
    assert judged([measured], WITHIN).wrong == []


@given(st.fractions(0, 1))
def test_a_share_is_never_shown_better_than_it_is(share: Fraction) -> None:
    shown = Fraction(percent(share).removesuffix(" %")) / 100
    assert 0 <= share - shown < Fraction(1, 100_000)


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (Fraction(1), "100 %"),
        (Fraction(9_999_999, 10_000_000), "99.999 %"),
        (Fraction(999, 1000), "99.9 %"),
        (Fraction(9999, 10_000), "99.99 %"),
        (Fraction(-1, 2), "-50 %"),
        (Fraction(0), "0 %"),
    ],
)
def test_a_share_is_shown_in_per_cent(share: Fraction, shown: str) -> None:
    assert percent(share) == shown


# ---------------------------------------------------------------------------------------------------------- spans


@given(st.integers(1, KEPT_DAYS), st.integers(0, 10**11))
def test_a_span_begins_with_a_period_and_misses_nothing(days: int, later: int) -> None:
    now = NOW + later
    found = span(now, days * 86_400)
    assert found.until == now
    assert found.since % (found.period * SECOND) == 0
    asked = now - days * 86_400 * SECOND
    assert asked - found.period * SECOND < found.since <= asked


@given(st.integers(1, KEPT_DAYS))
def test_cloudwatch_still_has_periods_as_fine_as_those_asked_for(days: int) -> None:
    found = span(NOW, days * 86_400)
    kept = 63 if found.period < 3600 else KEPT_DAYS
    assert found.period % 300 == 0
    assert days <= kept


# ------------------------------------------------------------------------------------------------- CloudWatch's answers


def answer(id: str, *values: float, status: str = "Complete", start: int = 0) -> dict[str, Any]:
    moment = datetime(2026, 11, 25, tzinfo=UTC)
    instants = [moment + timedelta(minutes=5 * (start + number)) for number in range(len(values))]
    return {"Id": id, "Timestamps": instants, "Values": [*values], "StatusCode": status}


def scripted(*answers: list[dict[str, Any]]) -> Scripted:
    return Scripted({("cloudwatch", "get_metric_data"): answers})


def test_values_of_a_metric_on_several_pages_are_one_series() -> None:
    account = scripted([answer("m0", 1, 2, status="PartialData"), answer("m1"), answer("m0", 3, start=2)])
    found = read(account.stack(), [own("ingestion", "Accepted"), own("query", "Slow")], WITHIN)
    assert [total(points) for points in found] == [6, 0]


@pytest.mark.parametrize("status", ["PartialData", "InternalError"])
def test_metrics_that_are_there_only_in_part_are_not_taken_for_all(status: str) -> None:
    account = scripted([answer("m0", 1), answer("m1", 1, status=status)])
    with pytest.raises(TransientError, match="Millrace Slow"):
        read(account.stack(), [own("ingestion", "Accepted"), own("query", "Slow")], WITHIN)


def test_metrics_that_are_not_answered_for_are_not_taken_for_nothing() -> None:
    with pytest.raises(TransientError, match="missing"):
        read(scripted([]).stack(), [own("ingestion", "Accepted")], WITHIN)


def test_metrics_that_may_not_be_shown_are_said_to_be() -> None:
    with pytest.raises(StoreError, match="may not show"):
        read(scripted([answer("m0", status="Forbidden")]).stack(), [own("ingestion", "Accepted")], WITHIN)


def test_more_metrics_than_one_call_takes_are_asked_for_in_several() -> None:
    many = [own("ingestion", f"Accepted{number}") for number in range(METRICS_A_CALL + 2)]
    account = scripted([answer(f"m{n}", n) for n in range(METRICS_A_CALL)], [answer("m0", 7), answer("m1", 8)])
    found = read(account.stack(), many, WITHIN)
    assert [total(points) for points in found] == [*range(METRICS_A_CALL), 7, 8]
    assert [len(each["MetricDataQueries"]) for each in account.asked] == [METRICS_A_CALL, 2]


# -------------------------------------------------------------------------------------------------------- the command


def row(found: Any, name: str) -> Any:
    return next(each for each in found["rows"] if each["objective"] == name)


def measure(cloud: Stand, objective: Objective, bad: int, every: int, *, minutes_ago: int = 6) -> None:
    """So many bad ones of so many, in the first of the objective's series."""
    first, *_ = objective.every
    same = first in objective.bad  # what failed is among what ended
    if first.statistic == "SampleCount":
        put(cloud, first, *[1.0] * every, minutes_ago=minutes_ago)
    else:
        put(cloud, first, every - bad if same else every, minutes_ago=minutes_ago)
    put(cloud, objective.bad[0], bad, minutes_ago=minutes_ago)


def test_objectives_without_traffic_say_so_and_are_not_wrong(cloud: Stand) -> None:
    found = cloud.told("slo")
    assert [each["objective"] for each in found["rows"]] == NAMES
    assert {each["measured"] for each in found["rows"]} == {"no traffic"}
    assert "no traffic" in cloud.ops("slo").stdout


@pytest.mark.parametrize("name", ["availability", "latency", "functions", "queries"])
@pytest.mark.parametrize("missed", [False, True], ids=["just-met", "just-missed"])
def test_each_objective_is_measured_by_its_metrics(cloud: Stand, name: str, missed: bool) -> None:
    objective = next(each for each in OBJECTIVES if each.name == name)
    every = 1000
    bad = int(objective.budget * every) + missed
    measure(cloud, objective, bad, every)
    found = cloud.told("slo", code=int(missed))
    assert (row(found, name)["bad"], row(found, name)["of"]) == (bad, every)
    assert row(found, name)["budget_left"].startswith("-") == missed
    assert len(found["wrong"]) == missed
    assert {each["measured"] for each in found["rows"] if each["objective"] != name} == {"no traffic"}


def test_executions_that_failed_count_among_those_that_ended(cloud: Stand) -> None:
    machine = (("StateMachineArn", "{machine}"),)
    for metric, count in (("Succeeded", 97), ("Failed", 1), ("TimedOut", 1), ("Aborted", 1)):
        put(cloud, Series(namespace="AWS/States", metric=f"Executions{metric}", dimensions=machine), count)
    found = row(cloud.told("slo"), "workflows")
    assert (found["bad"], found["of"], found["budget_left"]) == (2, 100, "0 %")


def test_receipts_missing_and_receipts_that_do_not_add_up_are_data_loss(cloud: Stand) -> None:
    put(cloud, own("analytics", "Reconciled"), 10_000)
    put(cloud, own("analytics", "Missing"), 1)
    assert row(cloud.told("slo"), "data-loss")["budget_left"] == "0 %"
    put(cloud, own("analytics", "Unbalanced"), 1)
    found = row(cloud.told("slo", code=1), "data-loss")
    assert (found["measured"], found["bad"]) == ("99.98 %", 2)


def test_only_the_days_asked_for_count(cloud: Stand) -> None:
    put(cloud, api("Count"), 1000)
    put(cloud, api("Count"), 1000, minutes_ago=3 * 24 * 60)
    put(cloud, api("5XXError"), 3, minutes_ago=3 * 24 * 60)
    result = cloud.ops("slo", "--days", 7, code=1)
    assert result.stderr == ("millrace: The objective availability is missed: 0.1 % may be bad, 3 of 2000 were.\n")
    assert row(cloud.told("slo", "--days", 2), "availability")["of"] == 1000


@pytest.mark.parametrize("days", ["0", str(KEPT_DAYS + 1), "many"], ids=["none", "too-many", "no-number"])
def test_days_that_cloudwatch_does_not_keep_are_refused(cloud: Stand, days: str) -> None:
    assert "Invalid value for '--days'" in cloud.ops("slo", "--days", days, code=2).stderr
