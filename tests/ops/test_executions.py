"""Executions: listed across pages, shown with their states, and failures together by state and cause."""

from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.ops.executions import Execution, Failed, grouped, orchestrator
from millrace.entrypoints.ops.histories import failed_visit, visits

from .standing import Stand
from .stepping import LOST, Steps, ended, event, failing, job, mapping, stepping


@pytest.fixture
def steps(cloud: Stand) -> Iterator[Steps]:
    """What Step Functions knows besides."""
    with stepping(cloud) as known:
        yield known


# ------------------------------------------------------------------------------------------------------ list, show


def test_executions_are_listed_to_the_last_page_the_latest_first(cloud: Stand, steps: Steps) -> None:
    for number in range(120):
        job(cloud, f"job-{number:03}", "SUCCEEDED", None, ago=number)
    told = cloud.told("executions", "list", "--limit", 200)
    assert [row["name"] for row in told["rows"]] == [f"job-{number:03}" for number in range(120)]
    result = cloud.ops("executions", "list", "--limit", 5, "--since", "100h")
    assert "There are more than the 5 shown" in result.stderr
    assert len(cloud.told("executions", "list", "--since", "9h", "--limit", 99)["rows"]) == 9


def test_only_those_that_stand_so_are_listed(cloud: Stand, steps: Steps) -> None:
    job(cloud, "good", "SUCCEEDED", None)
    job(cloud, "bad")
    [row] = cloud.told("executions", "list", "--status", "failed")["rows"]
    assert (row["name"], row["status"], row["seconds"]) == ("bad", "FAILED", 180)


def test_where_nothing_ran_there_is_nothing_to_tell(cloud: Stand, steps: Steps) -> None:
    assert cloud.told("executions", "list")["rows"] == []
    assert cloud.told("executions", "failures") == {"title": "Failures", "rows": [], "wrong": []}
    assert "nothing to change" in cloud.ops("executions", "retry", "--all-failed", "--yes").stdout


def test_an_execution_is_shown_with_its_states_and_why_it_failed(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly")
    steps.histories["nightly"] = failing("Gate", "StoreError", LOST)
    execution, states, map_runs = cloud.told("executions", "show", "nightly", code=1)
    [facts] = execution["rows"]
    assert (facts["status"], facts["cause"]) == ("FAILED", "receipt 4711 is gone")
    assert execution["wrong"] == ["nightly is FAILED: StoreError: receipt 4711 is gone"]
    gate, report, failed = states["rows"]
    assert gate == {
        "state": "Gate",
        "entered_at": "2026-11-25T01:00:01Z",
        "seconds": 3.0,
        "tries": 1,
        "input_bytes": len('{"job":"ü"}'.encode()),
        "output_bytes": 2,
        "error": "StoreError",
        "cause": "receipt 4711 is gone",
    }
    assert (report["state"], failed["state"], failed["seconds"]) == ("Report", "Failed", None)
    assert map_runs["rows"] == []


def test_map_runs_are_shown_with_an_item_that_failed(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly")
    steps.histories["nightly"], steps.map_runs["nightly"] = mapping("arn:run"), "arn:run"
    [row] = cloud.told("executions", "show", "nightly", code=1)[2]["rows"]
    assert (row["items"], row["succeeded"], row["failed"], row["example"]) == (3, 2, 1, "child")
    assert row["cause"] == "StoreError: receipt 4711 is gone"


def test_an_execution_that_succeeded_is_well(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly", "SUCCEEDED", None)
    assert cloud.told("executions", "show", "nightly")[0]["wrong"] == []


@pytest.mark.parametrize("command", ["show", "retry", "stop"])
def test_an_execution_that_is_not_there_is_told_in_a_sentence(cloud: Stand, steps: Steps, command: str) -> None:
    assert "There is no execution 'nobody'" in cloud.ops("executions", command, "nobody", code=2).stderr


# -------------------------------------------------------------------------------------------------------- failures


def test_failures_of_the_same_state_and_cause_are_together(cloud: Stand, steps: Steps) -> None:
    for number, (state, error) in enumerate([("Gate", "StoreError"), ("Gate", "StoreError"), ("Plan", "Other")]):
        job(cloud, f"job-{number}", error=error, ago=number)
        steps.histories[f"job-{number}"] = failing(state, error, f"receipt {number} is gone")
    told = cloud.told("executions", "failures", code=1)
    assert [(row["count"], row["open"], row["state"], row["example"]) for row in told["rows"]] == [
        (2, 2, "Gate", "job-0"),
        (1, 1, "Plan", "job-2"),
    ]
    assert told["wrong"] == ["3 executions failed and are not made good: millrace ops executions retry"]


def test_the_cause_of_a_map_is_that_of_an_item(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly")
    steps.histories["nightly"], steps.map_runs["nightly"] = mapping("arn:run"), "arn:run"
    [row] = cloud.told("executions", "failures", code=1)["rows"]
    assert (row["state"], row["error"], row["cause"]) == ("Load", "StoreError", "receipt 4711 is gone")


def test_a_failure_that_a_retry_made_good_is_counted_but_not_wrong(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly")
    orchestrator(cloud.stack).retry("nightly")
    ended(cloud, "nightly.1", "SUCCEEDED", None)
    [row] = cloud.told("executions", "failures")["rows"]
    assert (row["count"], row["open"]) == (1, 0)


def test_failures_before_since_and_what_was_stopped_are_left_out(cloud: Stand, steps: Steps) -> None:
    job(cloud, "old", ago=5)
    job(cloud, "stopped", "ABORTED", None)
    assert cloud.told("executions", "failures", "--since", "4h")["rows"] == []
    assert len(cloud.told("executions", "failures", "--since", "6h", code=1)["rows"]) == 1


# ---------------------------------------------------------------------------------------------------- pure decisions


def test_tries_are_counted_and_a_time_out_is_an_error() -> None:
    [visit] = visits(
        [
            event(1, "TaskStateEntered", "stateEntered", name="Plan", input="{}"),
            event(2, "TaskScheduled", "taskScheduled", resource="invoke"),
            event(3, "TaskTimedOut", "taskTimedOut", error="States.Timeout"),
            event(4, "TaskScheduled", "taskScheduled", resource="invoke"),
        ]
    )
    assert (visit.state, visit.tries, visit.error, visit.left, visit.gave) == ("Plan", 2, "States.Timeout", None, None)


def test_an_execution_failed_where_its_error_came_from_and_not_where_it_was_reported() -> None:
    found = failed_visit(visits(failing("Load", "StoreError", "gone")), "StoreError")
    assert found is not None
    assert (found.state, found.cause) == ("Load", "gone")
    assert failed_visit([], "StoreError") is None


def test_an_execution_that_timed_out_as_a_whole_failed_in_the_state_it_was_in() -> None:
    waiting = [event(11, "TaskStateEntered", "stateEntered", name="Reconcile", input="{}")]
    found = failed_visit(visits([*failing("Load", "TransientError", "throttled")[:5], *waiting]), "States.Timeout")
    assert found is not None
    assert found.state == "Reconcile"


FAILURES = st.lists(
    st.builds(
        Failed,
        execution=st.builds(
            Execution, st.sampled_from("abc"), st.just("arn"), st.just("FAILED"), st.integers(0, 10**15)
        ),
        state=st.sampled_from(["Plan", "Load"]),
        error=st.sampled_from(["E", "F"]),
        cause=st.sampled_from(["receipt 1", "receipt 2", "throttled"]),
        is_open=st.booleans(),
    ),
    max_size=9,
)


@given(found=FAILURES)
def test_every_failure_is_in_one_group_and_only_open_ones_are_wrong(found: list[Failed]) -> None:
    report = grouped(found)
    counts = [row["count"] for row in report.rows]
    assert sum(counts) == len(found)
    assert counts == sorted(counts, reverse=True)
    assert sum(row["open"] for row in report.rows) == sum(each.is_open for each in found)
    assert bool(report.wrong) == any(each.is_open for each in found)
    kinds = [(row["state"], row["error"], row["cause"].rstrip("12 ")) for row in report.rows]
    assert len({*kinds}) == len(kinds)


def test_an_account_without_the_stack_says_so(nothing: Callable[..., Result]) -> None:
    result = nothing("executions", "failures")
    assert (result.exit_code, "there is no stack millrace" in result.stderr) == (2, True)
