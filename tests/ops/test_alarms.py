"""Alarms as they stand: the gravest in ALARM first, what each means and what to run; and those that nobody hears."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.ops.alarms import Alarm, alarms, judged, known, raised
from millrace.entrypoints.ops.conditions import CONDITIONS, Severity

from .measuring import Scripted, denied, forget
from .standing import Stand

STACK = Scripted({}).stack()
EVERY = [name for condition in CONDITIONS for name in condition.alarms("")]
SUMS = [f"millrace/{severity}" for severity in Severity]
WINDOWS = [f"millrace/{each.name}/{window}" for each in CONDITIONS for window in each.windows]
NAMES = [*EVERY, *SUMS, *WINDOWS]


def alarm(name: str, state: str = "OK", *, description: str = "", notifies: bool = True) -> Alarm:
    return Alarm(name, state, 1_795_579_200_000_000, description, "", notifies)


@pytest.fixture(autouse=True)
def _all_well(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "cloud" in request.fixturenames:
        forget(request.getfixturevalue("cloud"))


def raise_alarm(cloud: Stand, name: str, state: str = "ALARM") -> None:
    cloud.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="by the test")


# ------------------------------------------------------------------------------------------------------- judgement

states = st.sampled_from(["ALARM", "OK", "INSUFFICIENT_DATA"])


@given(st.lists(states, min_size=len(NAMES), max_size=len(NAMES)))
def test_something_is_wrong_exactly_when_one_of_p0_to_p2_is_in_alarm(picked: list[str]) -> None:
    found = [alarm(name, state) for name, state in zip(NAMES, picked, strict=True)]
    in_alarm = {each.name for each in found if each.state == "ALARM"}
    loud = [each for each in EVERY + SUMS if each in in_alarm and known(alarm(each), STACK).severity != Severity.P3]
    wrong = [sentence for report in judged(found, STACK) for sentence in report.wrong]
    assert bool(wrong) == bool(loud)


@given(st.lists(states, min_size=len(NAMES), max_size=len(NAMES)), st.randoms())
def test_those_in_alarm_come_first_and_the_gravest_of_them_before(picked: list[str], random: Any) -> None:
    found = [alarm(name, state) for name, state in zip(NAMES, picked, strict=True)]
    random.shuffle(found)
    first, others = judged(found, STACK)
    assert sorted(row["alarm"] for report in (first, others) for row in report.rows) == sorted(NAMES)
    assert {row["state"] for row in first.rows} <= {"ALARM"}
    assert "ALARM" not in {row["state"] for row in others.rows}
    severities = [row["severity"] for row in first.rows]
    assert severities == sorted(severities)


def test_an_alarm_that_sums_up_others_is_told_of_only_where_none_of_them_is() -> None:
    both = [alarm("millrace/P1", "ALARM"), alarm("millrace/data-loss", "ALARM"), alarm("millrace/P0", "ALARM")]
    assert [each.name for each, _ in raised(both, STACK)] == ["millrace/P0", "millrace/data-loss"]


@pytest.mark.parametrize("name", EVERY)
def test_each_alarm_of_a_condition_has_a_command_that_is_whole(name: str) -> None:
    found = known(alarm(name), STACK)
    assert found.condition is not None
    assert found.run.startswith("millrace ")
    assert found.run.endswith(" --store aws:millrace")
    assert "FUNCTION" not in found.run


@given(st.sampled_from(EVERY))
def test_an_alarm_that_is_missing_is_wrong(name: str) -> None:
    _, others = judged([alarm(each) for each in EVERY if each != name], STACK)
    [sentence] = others.wrong
    assert f"The alarm {name} is missing" in sentence


def test_an_alarm_whose_actions_are_off_is_wrong() -> None:
    found = [alarm(each, notifies=each != "millrace/data-loss") for each in EVERY]
    _, others = judged(found, STACK)
    [sentence] = others.wrong
    assert "millrace/data-loss are switched off" in sentence


def test_an_alarm_of_somebody_else_is_known_by_its_description() -> None:
    found = known(alarm("millrace/own", description="P2: The disk is full. https://example.com/#disk"), STACK)
    assert (found.severity, found.means, found.runbook) == ("P2", "The disk is full.", "https://example.com/#disk")
    assert known(alarm("millrace/other"), STACK).severity is None


# -------------------------------------------------------------------------------------------------------- the command


def test_a_stack_that_is_well_shows_all_its_alarms_and_exits_with_0(cloud: Stand) -> None:
    first, others = cloud.told("alarms")
    assert first["rows"] == []
    assert {row["alarm"] for row in others["rows"]} == set(NAMES)
    assert others["wrong"] == []


def test_an_alarm_of_p2_is_shown_with_its_runbook_section_and_command(cloud: Stand) -> None:
    raise_alarm(cloud, "millrace/function-throttles")
    raise_alarm(cloud, "millrace/dead-letters")
    raise_alarm(cloud, "millrace/function-errors/query")
    first, _ = cloud.told("alarms", code=1)
    shown = [(row["severity"], row["alarm"], row["run"]) for row in first["rows"]]
    assert shown == [
        ("P0", "millrace/function-errors/query", "millrace ops errors query --store aws:millrace"),
        ("P2", "millrace/function-throttles", "millrace ops concurrency --store aws:millrace"),
        ("P3", "millrace/dead-letters", "millrace dead-letters summary --store aws:millrace"),
    ]
    assert first["rows"][0]["runbook"].endswith("#function-errors")
    assert first["rows"][0]["reason"] == "by the test"
    result = cloud.ops("alarms", code=1)
    assert "P0 millrace/function-errors/query is in ALARM since 20" in result.stderr
    assert "dead-letters " not in result.stderr


def test_an_alarm_of_p3_alone_is_no_failure(cloud: Stand) -> None:
    raise_alarm(cloud, "millrace/dead-letters")
    assert "millrace/dead-letters" in cloud.ops("alarms").stdout


def test_alarms_without_data_are_no_failure(cloud: Stand) -> None:
    raise_alarm(cloud, "millrace/sweep-missing", "INSUFFICIENT_DATA")
    _, others = cloud.told("alarms")
    assert others["rows"][0]["alarm"] == "millrace/sweep-missing"


def test_composite_alarms_are_asked_for_by_their_type() -> None:
    account = Scripted({("cloudwatch", "describe_alarms"): [[], []]})
    assert alarms(account.stack()) == []
    assert [(each["key"], each["AlarmTypes"]) for each in account.asked] == [
        ("MetricAlarms", ["MetricAlarm"]),
        ("CompositeAlarms", ["CompositeAlarm"]),
    ]


def test_a_stack_without_alarms_says_so() -> None:
    _, others = judged([], STACK)
    assert others.wrong == ["The stack millrace has no alarms: nobody is told of anything"]


@pytest.mark.parametrize("command", ["alarms", "health", "slo", "errors", "logs", "trace", "map"])
def test_where_there_is_no_stack_a_sentence_says_so(nothing: Callable[..., Result], command: str) -> None:
    result = nothing(command)
    assert result.exit_code == 2
    assert result.stderr == "millrace: there is no stack millrace in ap-southeast-2.\n"


@pytest.mark.parametrize(
    ("command", "operation"),
    [
        ("alarms", "DescribeAlarms"),
        ("health", "GetMetricData"),
        ("slo", "GetMetricData"),
        ("errors", "FilterLogEvents"),
        ("logs", "FilterLogEvents"),
        ("trace", "GetTraceSummaries"),
        ("map", "GetServiceGraph"),
    ],
)
def test_a_right_that_is_missing_is_named(cloud: Stand, command: str, operation: str) -> None:
    with denied(operation):
        result = cloud.ops(command, code=2)
    assert "permission is denied" in result.stderr
    assert f"is not authorized to perform: {operation}" in result.stderr
