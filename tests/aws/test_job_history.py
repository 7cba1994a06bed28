"""Claims about the history of jobs in Step Functions, and about the deployed state machine as moto runs it."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from millrace.adapters.aws.orchestrator import StepFunctionsOrchestrator, job_events
from millrace.core.jobs import JobEvent, JobStatus, State

from .calls import canned
from .opened import Account, mocked_account
from .test_orchestrator import SPEC, end, started

MACHINE = Path(__file__).parents[2] / "deploy" / "statemachines" / "data_processing.asl.json"


def event(second: int, kind: str, key: str = "", **details: Any) -> dict[str, Any]:
    """An event as GetExecutionHistory tells it."""
    told = {"timestamp": 1795399200 + second, "type": kind, "id": second, "previousEventId": second - 1}
    return {**told, f"{key}EventDetails": details} if key else told


def test_a_history_is_read_to_its_last_page_with_every_run(account: Account, jobs: StepFunctionsOrchestrator) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", "FAILED")
    jobs.retry("nightly")
    pages: list[list[dict[str, Any]]] = [
        [event(0, "ExecutionStarted"), event(1, "TaskStateEntered", "stateEntered", name="Plan")],
        [event(2, "TaskFailed", "taskFailed", error="TransientError", cause='{"errorMessage":"throttled"}')],
        [event(3, "TaskStateEntered", "stateEntered", name="Plan")],
    ]
    answers = [{"events": pages[0], "nextToken": "t"}, {"events": pages[1]}, {"events": pages[2]}]
    form = {"content-type": "application/x-amz-json-1.0"}
    account.calls.next("GetExecutionHistory", *[canned(200, json.dumps(answer), form) for answer in answers])
    history = [(found.kind, found.step, found.detail) for found in jobs.history("nightly")]
    assert history == [
        ("begun", "plan", ""),
        ("failed", "plan", "TransientError: throttled"),
        ("retried", "", ""),
        ("begun", "plan", ""),
    ]
    asked = [call.parameters for call in account.calls.of("GetExecutionHistory")]
    assert [parameters.get("nextToken") for parameters in asked] == [None, "t", None]
    assert len({parameters["executionArn"] for parameters in asked}) == 2


def at(second: int, kind: str, step: str = "", detail: str = "") -> JobEvent:
    return JobEvent(at=(1795399200 + second) * 1_000_000, kind=kind, step=step, detail=detail)


def told(*events: dict[str, Any]) -> list[JobEvent]:
    return list(job_events({**event, "timestamp": datetime.fromtimestamp(event["timestamp"], UTC)} for event in events))


def test_a_step_that_failed_and_then_succeeded_is_done() -> None:
    assert told(
        event(1, "TaskStateEntered", "stateEntered", name="Load"),
        event(2, "TaskScheduled", "taskScheduled", resource="invoke"),
        event(3, "TaskTimedOut", "taskTimedOut", error="States.Timeout"),
        event(4, "TaskScheduled", "taskScheduled", resource="invoke"),
        event(5, "TaskSucceeded", "taskSucceeded", resource="invoke"),
        event(6, "TaskStateExited", "stateExited", name="Load"),
        event(7, "ExecutionSucceeded", "executionSucceeded", output="{}"),
    ) == [at(1, "begun", "load"), at(3, "failed", "load", "States.Timeout"), at(6, "done", "load")]


def test_shards_that_fail_fail_their_step_once_and_leaving_it_is_not_its_success() -> None:
    assert told(
        event(1, "MapStateEntered", "stateEntered", name="Validate"),
        event(2, "MapStateStarted", "mapStateStarted", length=0),
        event(3, "MapRunStarted", "mapRunStarted", mapRunArn="arn"),
        event(4, "MapRunFailed", "mapRunFailed", error="States.ExceedToleratedFailureThreshold", cause="1 of 9"),
        event(5, "MapStateFailed"),
        event(6, "MapStateExited", "stateExited", name="Validate"),
        event(7, "TaskStateEntered", "stateEntered", name="Report"),
        event(8, "TaskStateExited", "stateExited", name="Report"),
        event(9, "FailStateEntered", "stateEntered", name="Failed"),
        event(10, "ExecutionFailed", "executionFailed", error="States.ExceedToleratedFailureThreshold"),
    ) == [
        at(1, "begun", "validate"),
        at(4, "failed", "validate", "States.ExceedToleratedFailureThreshold: 1 of 9"),
        at(10, "failed", "", "States.ExceedToleratedFailureThreshold"),
    ]


def test_stops_time_outs_and_redrives_by_hand_are_told() -> None:
    assert told(
        event(1, "ExecutionAborted", "executionAborted", cause="by hand"),
        event(2, "ExecutionRedriven", "executionRedriven", redriveCount=1),
        event(3, "ExecutionTimedOut", "executionTimedOut"),
    ) == [at(1, "stopped", detail="by hand"), at(2, "retried"), at(3, "failed", detail="States.Timeout")]


# ------------------------------------------------------------------------------------------------ the machine that runs


@pytest.fixture
def running() -> Iterator[Account]:
    """An account whose state machines run."""
    with mocked_account(config={"stepfunctions": {"execute_state_machine": True}}) as opened:
        yield opened


def ended(jobs: StepFunctionsOrchestrator, job: str) -> JobStatus:
    """The job's status once it is over."""
    for _ in range(500):
        if (status := jobs.status(job)).state != State.RUNNING:
            return status
        time.sleep(0.02)
    raise AssertionError("it still runs")


def test_the_deployed_machine_takes_job_and_spec_from_a_start_and_from_a_retry(running: Account) -> None:
    # None of its functions is there, so it fails in its first step, and reports what the step was given.
    definition = re.sub(r"\$\{\w+Arn\}", "none", MACHINE.read_text()).replace("${DlqUrl}", running.dlq_url)
    jobs = running.orchestrator(json.loads(definition))
    jobs.start(SPEC, "nightly")
    status = ended(jobs, "nightly")
    assert (status.state, status.error) == (State.FAILED, "Lambda.ResourceNotFoundException")
    jobs.retry("nightly")
    assert ended(jobs, "nightly").state == State.FAILED
    found = running.unrecorded.get("sqs").receive_message(QueueUrl=running.dlq_url, MaxNumberOfMessages=10)
    inputs = [json.loads(message["Body"])["input"] for message in found["Messages"]]
    assert [given["job"] for given in inputs] == ["nightly", "nightly"]
    assert [given["spec"] for given in inputs] == [started(running)[0][1]] * 2
    kinds = [(found.kind, found.step) for found in jobs.history("nightly")]
    once = [("begun", "plan"), ("failed", "plan"), ("failed", "")]
    assert kinds == [*once, ("retried", ""), *once]
