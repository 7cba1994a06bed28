"""Claims about jobs in Step Functions: one execution under the job's name, retries as further ones, lists, faults."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from moto.stepfunctions.models import stepfunctions_backends

from millrace.adapters.aws.orchestrator import LONGEST_NAME, StepFunctionsOrchestrator
from millrace.core.errors import JobConflict, PermanentError, StoreError, TransientError, UnknownJob
from millrace.core.jobs import JobSpec, JobStatus, State

from .calls import Call, Fault, canned, error, lost, throttled, timed_out, unavailable
from .opened import REGION, Account

FAULTS = [throttled, unavailable, lost, timed_out, error("ExecutionLimitExceeded"), error("KmsThrottlingException")]
SPEC = JobSpec(since=1_795_399_200_000_000, receipts_per_shard=7, allowed_rejections=Decimal("0.25"))
OTHER = JobSpec()


def end(name: str, status: str, error: str | None = None, cause: str | None = None) -> None:
    """An execution ends so."""
    [machine] = stepfunctions_backends["123456789012"][REGION].state_machines
    [execution] = [execution for execution in machine.executions if execution.name == name]
    execution.status, execution.error, execution.cause = status, error, cause
    execution.stop_date = datetime.now(UTC)


def started(account: Account) -> list[tuple[str, Any]]:
    """Name and input of every execution that was asked for."""
    calls = [call.parameters for call in account.calls.of("StartExecution")]
    return [(asked["name"], json.loads(asked["input"])) for asked in calls]


# ------------------------------------------------------------------------------------------------------------- starting


def test_a_job_is_an_execution_of_its_name_whose_input_is_the_spec(
    account: Account, jobs: StepFunctionsOrchestrator
) -> None:
    assert jobs.start(SPEC, "nightly") == "nightly"
    assert account.calls.counts() == {"StartExecution": 1}
    spec = {
        "since": SPEC.since,
        "until": SPEC.until,
        "types": [],
        "receipts_per_shard": 7,
        "allowed_rejections": "0.25",
    }
    assert started(account) == [("nightly", spec)]
    assert jobs.status("nightly").state == State.RUNNING


def test_a_job_without_a_name_is_given_one(jobs: StepFunctionsOrchestrator) -> None:
    names = {jobs.start(SPEC) for _ in range(3)}
    assert len(names) == 3
    assert {status.job for status in jobs.list(limit=9)} == names


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_name_stands_for_one_job_however_it_stands(jobs: StepFunctionsOrchestrator, status: str) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", status)
    assert jobs.start(SPEC, "nightly") == "nightly"
    with pytest.raises(JobConflict, match="nightly"):
        jobs.start(OTHER, "nightly")
    assert len(jobs.list(limit=9)) == 1


def test_an_execution_that_somebody_else_started_is_another_job(
    account: Account, jobs: StepFunctionsOrchestrator
) -> None:
    jobs.start(SPEC, "nightly")
    arn = account.calls.of("StartExecution")[0].parameters["stateMachineArn"]
    account.clients.get("stepfunctions").start_execution(stateMachineArn=arn, name="by-hand", input='{"x":1}')
    with pytest.raises(JobConflict):
        jobs.start(SPEC, "by-hand")


@pytest.mark.parametrize("name", ["", "a b", "a.b", "ä", "x" * 81, "a/b", "a:b", "a\n"])
def test_what_is_no_name_is_refused_without_a_call(
    account: Account, jobs: StepFunctionsOrchestrator, name: str
) -> None:
    with pytest.raises(PermanentError, match="no name of a job"):
        jobs.start(SPEC, name)
    with pytest.raises(UnknownJob):
        jobs.status(name)
    assert account.calls.made == []


def test_a_name_that_is_taken_but_not_yet_told_of_may_be_tried_again(
    account: Account, jobs: StepFunctionsOrchestrator
) -> None:
    account.calls.next("StartExecution", error("ExecutionAlreadyExists"))
    with pytest.raises(TransientError, match="cannot tell yet"):
        jobs.start(SPEC, "nightly")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_start_that_failed_for_the_moment_may_be_made_again(
    account: Account, jobs: StepFunctionsOrchestrator, fault: Fault
) -> None:
    account.calls.next("StartExecution", fault)
    with pytest.raises(TransientError, match=r"^the state machine DataProcessing failed"):
        jobs.start(SPEC, "nightly")
    jobs.start(SPEC, "nightly")
    assert [status.job for status in jobs.list(limit=9)] == ["nightly"]


# -------------------------------------------------------------------------------------------------------------- status


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("RUNNING", State.RUNNING),
        ("PENDING_REDRIVE", State.RUNNING),
        ("SUCCEEDED", State.SUCCEEDED),
        ("FAILED", State.FAILED),
        ("TIMED_OUT", State.FAILED),
        ("ABORTED", State.STOPPED),
    ],
)
def test_every_status_of_an_execution_is_a_state(jobs: StepFunctionsOrchestrator, status: str, expected: State) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", status)
    assert jobs.status("nightly").state == expected
    assert [found.state for found in jobs.list(limit=9, state=expected)] == [expected]


def test_a_failure_is_told_in_words_without_its_stack_trace(jobs: StepFunctionsOrchestrator) -> None:
    jobs.start(SPEC, "nightly")
    cause = {"errorMessage": "9 of 10 events would be rejected", "errorType": "DataQualityError", "stackTrace": ["…"]}
    end("nightly", "FAILED", "DataQualityError", json.dumps(cause))
    status = jobs.status("nightly")
    assert (status.error, status.cause) == ("DataQualityError", "9 of 10 events would be rejected")
    assert status.stopped_at is not None
    assert status.started_at <= status.stopped_at


@pytest.mark.parametrize("cause", ["in plain words", "[1]", '{"other":1}', "7", ""])
def test_a_cause_of_any_other_form_is_told_as_it_is(jobs: StepFunctionsOrchestrator, cause: str) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", "FAILED", "States.Runtime", cause)
    assert jobs.status("nightly").cause == cause


def test_a_job_that_took_too_long_says_so(jobs: StepFunctionsOrchestrator) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", "TIMED_OUT")
    assert (jobs.status("nightly").state, jobs.status("nightly").error) == (State.FAILED, "States.Timeout")


def test_instants_are_microseconds(account: Account, jobs: StepFunctionsOrchestrator) -> None:
    told = {"executionArn": "a", "status": "SUCCEEDED", "startDate": 1795399200.25, "stopDate": 1795399201, "name": "n"}
    account.calls.next("DescribeExecution", canned(200, json.dumps(told), {"content-type": "application/json"}))
    assert jobs.status("n") == JobStatus(
        job="n", state=State.SUCCEEDED, started_at=1_795_399_200_250_000, stopped_at=1_795_399_201_000_000
    )


# ------------------------------------------------------------------------------------------------ stopping and retrying


def test_a_stopped_job_is_stopped_and_one_that_is_over_is_left_as_it_is(
    account: Account, jobs: StepFunctionsOrchestrator
) -> None:
    jobs.start(SPEC, "nightly")
    jobs.stop("nightly")
    jobs.stop("nightly")
    assert jobs.status("nightly").state == State.STOPPED
    jobs.start(SPEC, "other")
    end("other", "SUCCEEDED")
    jobs.stop("other")
    assert jobs.status("other").state == State.SUCCEEDED
    assert len(account.calls.of("StopExecution")) == 1


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_retry_goes_on_with_the_files_of_the_job(
    account: Account, jobs: StepFunctionsOrchestrator, status: str
) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", status, "TransientError", "throttled")
    began = jobs.status("nightly").started_at
    jobs.retry("nightly")
    [(_, spec), again] = started(account)
    assert again == ("nightly.1", {"retry_of": "nightly", "spec": spec})
    assert jobs.status("nightly") == JobStatus(job="nightly", state=State.RUNNING, started_at=began)
    assert [found.job for found in jobs.list(limit=9)] == ["nightly"]


def test_a_job_may_be_retried_until_it_succeeds(account: Account, jobs: StepFunctionsOrchestrator) -> None:
    jobs.start(SPEC, "nightly")
    for name in ("nightly", "nightly.1", "nightly.2"):
        end(name, "FAILED")
        assert jobs.status("nightly").state == State.FAILED
        jobs.retry("nightly")
        assert jobs.status("nightly").state == State.RUNNING
    end("nightly.3", "SUCCEEDED")
    jobs.retry("nightly")
    assert jobs.status("nightly").state == State.SUCCEEDED
    assert [name for name, _ in started(account)] == ["nightly", "nightly.1", "nightly.2", "nightly.3"]
    assert {json.dumps(asked["spec"]) for _, asked in started(account)[1:]} == {json.dumps(started(account)[0][1])}


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_what_runs_or_has_succeeded_is_not_retried(
    account: Account, jobs: StepFunctionsOrchestrator, status: str
) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", status)
    jobs.retry("nightly")
    assert len(account.calls.of("StartExecution")) == 1


def test_a_stop_stops_the_retry(jobs: StepFunctionsOrchestrator) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", "FAILED")
    jobs.retry("nightly")
    jobs.stop("nightly")
    assert jobs.status("nightly").state == State.STOPPED


def test_two_who_retry_at_once_make_one_retry(account: Account, jobs: StepFunctionsOrchestrator) -> None:
    jobs.start(SPEC, "nightly")
    end("nightly", "FAILED")

    def overtaken(call: Call, send: Any) -> Any:
        send()
        return send()  # the other one's, with the same name and input

    account.calls.next("StartExecution", overtaken)
    jobs.retry("nightly")
    end("nightly.1", "FAILED")
    account.calls.next("DescribeExecution", None, error("ExecutionDoesNotExist"))
    jobs.retry("nightly")
    assert len(jobs.list(limit=9)) == 1
    assert jobs.status("nightly").state == State.FAILED


@pytest.mark.parametrize("job", ["x" * 80, "x" * 79, "x" * 78, "x" * 77])
def test_the_longest_names_may_be_retried_too(account: Account, jobs: StepFunctionsOrchestrator, job: str) -> None:
    jobs.start(SPEC, job)
    end(job, "FAILED")
    jobs.retry(job)
    name, asked = started(account)[-1]
    assert len(name) <= LONGEST_NAME
    assert asked["retry_of"] == job
    end(name, "FAILED")
    jobs.retry(job)
    assert [(found.job, found.state) for found in jobs.list(limit=9)] == [(job, State.RUNNING)]
    assert len(account.calls.of("StartExecution")) == 3


@pytest.mark.parametrize("fault", [throttled, unavailable, lost, timed_out])
def test_what_failed_for_the_moment_may_be_done_again(
    account: Account, jobs: StepFunctionsOrchestrator, fault: Fault
) -> None:
    jobs.start(SPEC, "nightly")
    attempts: dict[str, Callable[[], object]] = {
        "DescribeExecution": lambda: jobs.status("nightly"),
        "ListExecutions": lambda: jobs.list(limit=9),
        "GetExecutionHistory": lambda: jobs.history("nightly"),
        "StopExecution": lambda: jobs.stop("nightly"),
    }
    for operation, attempt in attempts.items():
        account.calls.next(operation, fault)
        with pytest.raises(TransientError):
            attempt()
        attempt()
    account.calls.next("StartExecution", fault)
    with pytest.raises(TransientError):
        jobs.retry("nightly")
    jobs.retry("nightly")
    assert {name for name, _ in started(account)} == {"nightly", "nightly.1"}
    assert jobs.status("nightly").state == State.RUNNING


def test_a_job_that_nobody_started_is_unknown(jobs: StepFunctionsOrchestrator) -> None:
    for attempt in (jobs.status, jobs.history, jobs.stop, jobs.retry):
        with pytest.raises(UnknownJob, match="nobody"):
            attempt("nobody")


def test_a_state_machine_that_is_not_there_is_said_to_be_missing(account: Account) -> None:
    arn = f"arn:aws:states:{REGION}:123456789012:stateMachine:Other"
    with pytest.raises(StoreError, match="the state machine does not exist"):
        StepFunctionsOrchestrator(account.clients, arn).start(SPEC)


# -------------------------------------------------------------------------------------------------------------- listing


def test_the_latest_jobs_come_first_whatever_their_page(account: Account, jobs: StepFunctionsOrchestrator) -> None:
    names = [f"job-{number:03}" for number in range(105)]
    for name in names:
        jobs.start(SPEC, name)
    assert [found.job for found in jobs.list(limit=103)] == names[:1:-1]
    assert len(account.calls.of("ListExecutions")) == 2
    account.calls.clear()
    assert [found.job for found in jobs.list(limit=2)] == names[:-3:-1]
    assert account.calls.counts() == {"ListExecutions": 1, "DescribeExecution": 2}
    assert jobs.list(limit=0) == jobs.list(limit=-1) == []


def test_a_job_is_listed_as_its_last_run_stands(jobs: StepFunctionsOrchestrator) -> None:
    for name in ("failed", "retried", "running"):
        jobs.start(SPEC, name)
    end("failed", "FAILED")
    end("retried", "FAILED")
    jobs.retry("retried")
    end("retried.1", "SUCCEEDED")
    states = {state: [found.job for found in jobs.list(limit=9, state=state)] for state in State}
    assert states == {
        State.RUNNING: ["running"],
        State.SUCCEEDED: ["retried"],
        State.FAILED: ["failed"],
        State.STOPPED: [],
    }
    assert {found.job: found.state for found in jobs.list(limit=9)} == {
        "failed": State.FAILED, "retried": State.SUCCEEDED, "running": State.RUNNING,
    }  # fmt: skip
