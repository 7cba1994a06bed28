"""Executions that ended badly are retried, each once by however many; jobs are stopped and started."""

import json
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.ops.executions import orchestrator
from millrace.entrypoints.ops.retrying import again, open_failures, retrying

from .standing import Stand
from .stepping import BY_HAND, LOST, SPEC, Steps, by_hand, ended, failing, job, made, names, stepping


@pytest.fixture
def steps(cloud: Stand) -> Iterator[Steps]:
    """What Step Functions knows besides."""
    with stepping(cloud) as known:
        yield known


# -------------------------------------------------------------------------------------------------------- retrying


def test_a_job_is_retried_by_its_next_execution(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly")
    cloud.ops("executions", "retry", "nightly", "--dry-run")
    assert names(cloud) == ["nightly"]
    cloud.ops("executions", "retry", "nightly", "--yes")
    assert names(cloud) == ["nightly", "nightly.1"]
    assert json.loads(made(cloud)[1].execution_input)["retry_of"] == "nightly"
    assert steps.tokens == []


def test_an_execution_that_is_a_retry_stands_for_its_job(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly")
    cloud.ops("executions", "retry", "nightly", "--yes")
    ended(cloud, "nightly.1")
    cloud.ops("executions", "retry", "nightly.1", "nightly", "--yes")
    assert names(cloud) == ["nightly", "nightly.1", "nightly.2"]


def test_what_runs_or_has_succeeded_is_not_retried(cloud: Stand, steps: Steps) -> None:
    job(cloud, "good", "SUCCEEDED", None)
    orchestrator(cloud.stack).start(SPEC, "running")
    result = cloud.ops("executions", "retry", "good", "running", "--yes")
    assert "job good is not retried: it is succeeded" in result.stderr
    assert names(cloud) == ["good", "running"]


def test_two_operators_who_retry_at_once_start_one(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly")
    by_hand(cloud)
    first, second = (retrying(cloud.stack, ["nightly", BY_HAND]) for _ in range(2))
    for change in (*first, *second):
        change.apply()
    assert names(cloud) == ["nightly", BY_HAND, "nightly.1", again(BY_HAND)]


def test_a_retry_that_failed_meanwhile_is_not_followed_by_another_one(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly", ago=1)
    [first], [second] = (retrying(cloud.stack, ["nightly"]) for _ in range(2))
    first.apply()
    ended(cloud, "nightly.1")
    second.apply()
    assert names(cloud) == ["nightly", "nightly.1"]


def test_all_that_failed_and_were_not_made_good_are_retried_once(cloud: Stand, steps: Steps) -> None:
    for number in range(4):
        job(cloud, f"job-{number}", ago=number)
    job(cloud, "old", ago=99)
    job(cloud, "made-good", ago=2)
    orchestrator(cloud.stack).retry("made-good")
    ended(cloud, "made-good.1", "SUCCEEDED", None)
    before = len(names(cloud))
    cloud.ops("executions", "retry", "--all-failed", "--since", "1d", "--limit", 3, "--yes")
    assert names(cloud)[before:] == ["job-0.1", "job-1.1", "job-2.1"]
    cloud.ops("executions", "retry", "--all-failed", "--since", "1d", "--yes")
    assert names(cloud)[before + 3 :] == ["job-3.1"]
    cloud.ops("executions", "retry", "--all-failed", "--since", "1d", "--yes")
    assert len(names(cloud)) == before + 4


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_what_is_no_jobs_is_redriven_where_it_ended_in_its_work(cloud: Stand, steps: Steps, status: str) -> None:
    by_hand(cloud, status)
    steps.redrivable.add(BY_HAND)
    steps.histories[BY_HAND] = failing("Plan", "StoreError", LOST)[:4]
    first, second = (retrying(cloud.stack, [BY_HAND]) for _ in range(2))
    for change in (*first, *second):
        change.apply()
    assert len(steps.tokens) == 2
    assert len({*steps.tokens}) == 1
    assert names(cloud) == [BY_HAND]


def test_what_ended_in_its_fail_state_is_started_once_more_with_its_input(cloud: Stand, steps: Steps) -> None:
    by_hand(cloud)
    steps.redrivable.add(BY_HAND)
    steps.histories[BY_HAND] = failing("Plan", "StoreError", LOST)
    cloud.ops("executions", "retry", BY_HAND, "--yes")
    assert steps.tokens == []
    assert [(each.name, each.execution_input) for each in made(cloud)][1:] == [(again(BY_HAND), '{"other": 1}')]
    result = cloud.ops("executions", "retry", BY_HAND, "--yes")
    assert f"it is retried as {again(BY_HAND)}" in result.stderr
    assert open_failures(cloud.stack, 0, 9) == []


@given(name=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=1, max_size=80))
def test_the_name_of_a_new_start_is_a_name_and_that_of_one_execution(name: str) -> None:
    assert len(again(name)) <= 80
    assert again(name).isascii()
    assert again(name) == again(name) != again(f"{name}.")
    assert not {*again(name)} & {*' .<>{}[]?*"#%\\^|~`$&,;:/'}


# ------------------------------------------------------------------------------------------------- stopping, starting


def test_the_last_run_of_a_job_is_stopped(cloud: Stand, steps: Steps) -> None:
    job(cloud, "nightly")
    cloud.ops("executions", "retry", "nightly", "--yes")
    cloud.ops("executions", "stop", "nightly", code=130)
    cloud.ops("executions", "stop", "nightly", "--yes")
    assert [execution.status for execution in made(cloud)] == ["FAILED", "ABORTED"]
    assert "job nightly does not run" in cloud.ops("executions", "stop", "nightly", "--yes").stderr


def test_an_execution_of_no_job_is_stopped(cloud: Stand, steps: Steps) -> None:
    by_hand(cloud, "RUNNING")
    cloud.ops("executions", "stop", BY_HAND, "--yes")
    assert made(cloud)[0].status == "ABORTED"


def test_a_job_is_started_as_it_was_asked_for_and_once(cloud: Stand, steps: Steps) -> None:
    asked = ("executions", "start", "--since", "2026-11-01", "--type", "purchase", "--shard-size", 9, "--name", "again")
    cloud.ops(*asked, "--dry-run")
    assert names(cloud) == []
    assert "executions show again" in cloud.ops(*asked, "--yes").stderr
    spec = json.loads(made(cloud)[0].execution_input)
    assert (spec["types"], spec["receipts_per_shard"]) == (["purchase"], 9)
    assert "There is a job again that does the same" in cloud.ops(*asked, "--yes").stderr
    assert names(cloud) == ["again"]
    other = cloud.ops("executions", "start", "--name", "again", "--yes", code=2)
    assert "is taken by a job that is to do something else" in other.stderr


def test_a_job_without_a_name_is_given_one(cloud: Stand, steps: Steps) -> None:
    cloud.ops("executions", "start", "--since", "1d", "--yes")
    [name] = names(cloud)
    assert name.startswith("job-")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("retry",), "Name the executions, or give --all-failed", id="nothing"),
        pytest.param(("retry", "a", "--all-failed"), "Name the executions, or give --all-failed", id="both"),
        pytest.param(("retry", "a", "--limit", "3"), "--since and --limit are for --all-failed", id="limit"),
        pytest.param(("list", "--limit", "0"), "0 is not in the range", id="limit-zero"),
        pytest.param(("start", "--name", "a.b", "--yes"), "is no name of a job", id="no-name"),
    ],
)
def test_wrong_usage_is_one_sentence(cloud: Stand, steps: Steps, arguments: Sequence[str], said: str) -> None:
    assert said in cloud.ops("executions", *arguments, code=2).stderr
    assert names(cloud) == []
