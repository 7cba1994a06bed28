"""Retrying executions, stopping and starting them, so that two who do the same at once do it once."""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from ...adapters.aws.account import Refused
from ...adapters.aws.orchestrator import LONGEST_NAME, StepFunctionsOrchestrator, job_of
from ...core.errors import JobConflict, StoreError, UnknownJob
from ...core.jobs import JobSpec, JobStatus, State
from .executions import RUNS, described, history, is_open, orchestrator, why
from .findings import Change
from .health import failed_executions
from .stack import Stack


def again(name: str) -> str:
    """The name of the execution that does once more what this one did: one for each, so that it cannot run twice."""
    digest = sha256(name.encode()).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '-', name)[: LONGEST_NAME - 19]}-again-{digest}"


def retrying(stack: Stack, names: Sequence[str]) -> list[Change]:
    """A change for each job, or execution of no job, that these executions are of and that is over without success."""
    jobs = orchestrator(stack)
    changes: dict[str, Change] = {}
    for name in names:
        told = described(stack, name)
        job = job_of(told)
        if (job or name) not in changes:
            changes[job or name] = _again(stack, told) if job is None else _retry(jobs, job)
    return [*changes.values()]


def open_failures(stack: Stack, since: int, limit: int) -> list[str]:
    """The names of executions that failed since then and whose jobs are not done, the latest first, one of each job."""
    jobs = orchestrator(stack)
    names: dict[str, str] = {}
    done: set[str] = set()
    for each in failed_executions(stack, since):
        told = described(stack, each.name)
        job = job_of(told)
        key = each.name if job is None else job
        if key in names or key in done:
            continue
        if is_open(jobs, job) if job is not None else _next(stack, told) is not None:
            names[key] = each.name
        else:
            done.add(key)
        if len(names) == limit:
            break
    return [*names.values()]


def _retry(jobs: StepFunctionsOrchestrator, job: str) -> Change:
    seen = _status(jobs, job)
    if seen is None or seen.state not in (State.FAILED, State.STOPPED):
        state = "unknown: its first run is forgotten" if seen is None else seen.state.value
        return Change(f"job {job}", state, state, lambda: None)

    def apply() -> None:
        # Whoever has retried it meanwhile has done what was wanted, however that went.
        if _status(jobs, job) == seen:
            jobs.retry(job)

    return Change(f"job {job}", _told(seen), "running, from where it ended", apply)


def _status(jobs: StepFunctionsOrchestrator, job: str) -> JobStatus | None:
    try:
        return jobs.status(job)
    except UnknownJob:
        return None


def _told(status: JobStatus) -> str:
    return ": ".join(filter(None, (status.state.value, status.error, status.cause)))


def _next(stack: Stack, told: Mapping[str, Any]) -> str | None:
    """How an execution of no job is retried, by "redrive" or by a new "start"; None where it is not to be, or was."""
    if told["status"] in (*RUNS, "SUCCEEDED"):
        return None
    states = history(stack, told["executionArn"])
    # A redrive enters the state again in which the execution ended; where that only fails it, nothing is gained.
    if told.get("redriveStatus") == "REDRIVABLE" and not (states and states[-1].only_fails):
        return "redrive"
    try:
        described(stack, again(told["name"]))
    except StoreError:
        return "start"
    return None


def _again(stack: Stack, told: Mapping[str, Any]) -> Change:
    name, how = told["name"], _next(stack, told)
    if how is None:
        state = told["status"] if told["status"] in (*RUNS, "SUCCEEDED") else f"retried as {again(name)}"
        return Change(name, state, state, lambda: None)
    apply: Callable[[], None]
    if how == "redrive":
        # The same token from two operators is one redrive (RedriveExecution, API reference).
        token = sha256(f"{name} {told.get('redriveCount', 0)}".encode()).hexdigest()
        arn = told["executionArn"]

        def redrive() -> None:
            if described(stack, name)["status"] not in RUNS:
                stack.ask("stepfunctions", "redrive_execution", executionArn=arn, clientToken=token)

        apply, after = redrive, "redriven from the state in which it ended"
    else:

        def start() -> None:
            what = {"name": again(name), "input": told["input"]}
            try:
                stack.ask("stepfunctions", "start_execution", stateMachineArn=stack.outputs["StateMachineArn"], **what)
            except Refused as refused:
                if refused.code != "ExecutionAlreadyExists":  # somebody else has just begun the same retry
                    raise

        apply, after = start, f"started once more as {again(name)}"
    error, cause = why(told)
    return Change(name, ": ".join(filter(None, (told["status"], error, cause))), after, apply)


# --------------------------------------------------------------------------------------------------- stopping, starting


def stopping(stack: Stack, name: str) -> Change:
    """The change that stops an execution or the last run of its job; none is needed where it does not run."""
    told = described(stack, name)
    job, jobs = job_of(told), orchestrator(stack)
    status = None if job is None else _status(jobs, job)
    if job is not None and status is not None:
        after = State.STOPPED.value if status.state is State.RUNNING else status.state.value
        return Change(f"job {job}", status.state.value, after, lambda: jobs.stop(job))
    after = "ABORTED" if told["status"] in RUNS else told["status"]

    def stop() -> None:
        stack.ask("stepfunctions", "stop_execution", executionArn=told["executionArn"])

    return Change(name, told["status"], after, stop)


def starting(stack: Stack, spec: JobSpec, name: str) -> Change:
    """The change that starts a job; none is needed where there is one of that name that does the same. Raises
    ``JobConflict`` where it does something else.
    """
    jobs = orchestrator(stack)
    status = _status(jobs, name)
    if status is None:

        def start() -> None:
            jobs.start(spec, name)

        return Change(f"job {name}", "none", State.RUNNING.value, start)
    try:
        same = msgspec.json.decode(described(stack, name)["input"], type=JobSpec) == spec
    except msgspec.MsgspecError:
        same = False
    if not same:
        raise JobConflict(f"The name {name} is taken by a job that is to do something else.")
    return Change(f"job {name}", status.state.value, status.state.value, lambda: None)
