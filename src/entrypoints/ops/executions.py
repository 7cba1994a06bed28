"""Executions of the stack's state machine: listing, looking at one, grouping failures, retrying, stopping."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import takewhile
from typing import Any, Final

import attrs
import msgspec

from ...adapters.aws.account import Refused
from ...adapters.aws.orchestrator import LONGEST_NAME, StepFunctionsOrchestrator, sentence_of
from ...core.errors import JobConflict, StoreError, UnknownJob
from ...core.jobs import JobSpec, JobStatus, State
from ...core.times import format_time, to_micros
from .failures import Failure
from .findings import Change, Report
from .histories import Visit, failed_visit, visits
from .stack import Stack

FAILED: Final = ("FAILED", "TIMED_OUT")
RUNS: Final = ("RUNNING", "PENDING_REDRIVE")
STATUSES: Final = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE")

LISTED = ("name", "job", "status", "started_at", "stopped_at", "seconds")
GROUPED = ("count", "open", "state", "error", "cause", "last", "example")
STATES = ("state", "entered_at", "seconds", "tries", "input_bytes", "output_bytes", "error", "cause")
MAP_RUNS = ("map_run", "status", "items", "succeeded", "failed", "aborted", "running", "pending", "example", "cause")

_JOB: Final = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)


@attrs.frozen
class Execution:
    """One run of the state machine. ``started`` and ``stopped`` are instants; ``stopped`` None: it is not over."""

    name: str
    arn: str
    status: str
    started: int
    stopped: int | None = None

    def row(self) -> dict[str, Any]:
        """As a row."""
        return {
            "name": self.name,
            "job": self.name.partition(".")[0],
            "status": self.status,
            "started_at": format_time(self.started),
            "stopped_at": None if self.stopped is None else format_time(self.stopped),
            "seconds": None if self.stopped is None else (self.stopped - self.started) // 1_000_000,
        }


@attrs.frozen
class Failed:
    """An execution that failed: in which state, why, and whether its job is still not done."""

    execution: Execution
    state: str
    error: str
    cause: str
    is_open: bool


def orchestrator(stack: Stack) -> StepFunctionsOrchestrator:
    """What starts, stops and retries jobs."""
    return StepFunctionsOrchestrator(stack.account.clients, stack.outputs["StateMachineArn"])


def executions(stack: Stack, *, status: str | None = None, since: int | None = None) -> Iterator[Execution]:
    """The executions that began since an instant, the latest first."""
    asked = {"stateMachineArn": stack.outputs["StateMachineArn"]} | ({"statusFilter": status} if status else {})
    pages = stack.account.pages("stepfunctions", "list_executions", "executions", **asked)
    # The latest comes first (ListExecutions, API reference).
    return takewhile(lambda found: since is None or found.started >= since, map(_execution, pages))


def listed(found: Sequence[Execution]) -> Report:
    """As a table."""
    return Report("Executions", LISTED, [each.row() for each in found])


# ------------------------------------------------------------------------------------------------------------- one of them


def described(stack: Stack, name: str) -> Mapping[str, Any]:
    """What Step Functions says of the execution of that name. Raises ``StoreError`` where there is none."""
    arn = f"{stack.outputs['StateMachineArn'].replace(':stateMachine:', ':execution:', 1)}:{name}"
    try:
        return stack.ask("stepfunctions", "describe_execution", executionArn=arn)
    except Refused as refused:
        if refused.code not in ("ExecutionDoesNotExist", "InvalidArn"):
            raise
        raise StoreError(f"There is no execution {name!r}; millrace ops executions list shows them") from refused


def history(stack: Stack, arn: str) -> list[Visit]:
    """The states that an execution was in."""
    events = stack.account.pages("stepfunctions", "get_execution_history", "events", executionArn=arn)
    return visits(events)


def shown(stack: Stack, name: str) -> list[Report]:
    """All there is to know of an execution: how it stands, its states, its map runs."""
    told = described(stack, name)
    found = _execution(told)
    error, cause = _why(told)
    facts = found.row() | {
        "redrives": told.get("redriveCount", 0),
        "input_bytes": len((told.get("input") or "").encode()),
        "output_bytes": len((told.get("output") or "").encode()),
        "error": error,
        "cause": cause,
    }
    wrong = []
    if found.status not in (*RUNS, "SUCCEEDED"):
        words = ": ".join(filter(None, (error, cause)))
        wrong.append(f"{name} is {found.status}{': ' * bool(words)}{words}")
    rows = [visit.row() for visit in history(stack, found.arn)]
    return [
        Report("Execution", (*LISTED, *(key for key in facts if key not in LISTED)), [facts], wrong),
        Report("States", STATES, rows),
        Report("Map runs", MAP_RUNS, [_map_run(stack, arn) for arn in _map_runs(stack, found.arn)]),
    ]


def _map_runs(stack: Stack, arn: str) -> list[str]:
    return [run["mapRunArn"] for run in stack.account.pages("stepfunctions", "list_map_runs", "mapRuns", executionArn=arn)]


def _map_run(stack: Stack, arn: str) -> dict[str, Any]:
    told = stack.ask("stepfunctions", "describe_map_run", mapRunArn=arn)
    counts = told["itemCounts"]
    bad = counts["failed"] + counts["timedOut"]
    error, cause, example = _first_child(stack, arn) if bad else ("", "", "")
    return {
        "map_run": arn.rpartition(":")[2],
        "status": told["status"],
        "items": counts["total"],
        "succeeded": counts["succeeded"],
        "failed": bad,
        "aborted": counts["aborted"],
        "running": counts["running"],
        "pending": counts["pending"],
        "example": example,
        "cause": ": ".join(filter(None, (error, cause))),
    }


def _first_child(stack: Stack, map_run: str) -> tuple[str, str, str]:
    """Error, cause and name of an execution that failed within a map run; "" where none is known any more."""
    for status in FAILED:
        asked = {"mapRunArn": map_run, "statusFilter": status}
        for child in stack.account.pages("stepfunctions", "list_executions", "executions", **asked):
            told = stack.ask("stepfunctions", "describe_execution", executionArn=child["executionArn"])
            return *_why(told), child["name"]
    return "", "", ""


# --------------------------------------------------------------------------------------------------------------- failures


def failures(stack: Stack, since: int | None) -> list[Failed]:
    """The executions that began since then and failed or timed out, the latest first."""
    found = [each for status in FAILED for each in executions(stack, status=status, since=since)]
    jobs = orchestrator(stack)
    states: dict[str, bool] = {}
    failed = []
    for each in sorted(found, key=lambda each: -each.started):
        told = described(stack, each.name)
        job = job_of(told)
        if job is not None and job not in states:
            states[job] = _is_open(jobs, job)
        state, error, cause = _failed_in(stack, told)
        failed.append(Failed(each, state, error, cause, is_open=job is None or states[job]))
    return failed


def _is_open(jobs: StepFunctionsOrchestrator, job: str) -> bool:
    try:
        return jobs.status(job).state in (State.FAILED, State.STOPPED)
    except UnknownJob:
        return True  # the first run is forgotten, and with it what became of the job


def _failed_in(stack: Stack, told: Mapping[str, Any]) -> tuple[str, str, str]:
    """State, error and cause. Of a map the cause is that of an item that failed: its own only counts them."""
    error, cause = _why(told)
    visit = failed_visit(history(stack, told["executionArn"]), error)
    if visit is None:
        return "", error, cause
    if visit.map_run:
        child_error, child_cause, _ = _first_child(stack, visit.map_run)
        if child_error or child_cause:
            return visit.state, child_error, child_cause
    return visit.state, visit.error or error, visit.cause or cause


def grouped(found: Iterable[Failed]) -> Report:
    """Failures of the same state and cause as one row, the most frequent first. Those whose job is done by now, since it
    was retried, are counted but not wrong.
    """
    groups: dict[tuple[str, tuple[str, str]], list[Failed]] = {}
    for each in found:
        kind = Failure(each.error, each.cause, "").kind
        groups.setdefault((each.state, kind), []).append(each)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), -group[0].execution.started))
    left = sum(each.is_open for group in ordered for each in group)
    many = f"{left} executions" if left > 1 else "1 execution"
    wrong = [f"{many} failed and {'are' if left > 1 else 'is'} not made good: millrace ops executions retry"] if left else []
    return Report("Failures", GROUPED, [_group(group) for group in ordered], wrong)


def _group(group: Sequence[Failed]) -> dict[str, Any]:
    latest = max(group, key=lambda each: (each.is_open, each.execution.started))
    return {
        "count": len(group),
        "open": sum(each.is_open for each in group),
        "state": latest.state,
        "error": latest.error,
        "cause": latest.cause,
        "last": format_time(max(each.execution.started for each in group)),
        "example": latest.execution.name,
    }


# --------------------------------------------------------------------------------------------------------------- retrying


def job_of(told: Mapping[str, Any]) -> str | None:
    """The job that an execution belongs to: its first run has the job's name, further ones say it in their input. None
    where somebody has started it by hand, under a name that no job can have.
    """
    try:
        asked = msgspec.json.decode(told.get("input") or "null")
    except msgspec.DecodeError:
        asked = None
    if isinstance(asked, dict) and isinstance(asked.get("retry_of"), str):
        return str(asked["retry_of"])
    name: str = told["name"]
    return name if _JOB.fullmatch(name) else None


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


def open_failures(stack: Stack, since: int | None, limit: int) -> list[str]:
    """The names of the latest executions that failed and whose jobs are not done, one for each job."""
    jobs = orchestrator(stack)
    found = sorted(
        (each for status in FAILED for each in executions(stack, status=status, since=since)),
        key=lambda each: -each.started,
    )
    names: list[str] = []
    seen: Counter[str] = Counter()
    for each in found:
        told = described(stack, each.name)
        key = job_of(told) or each.name
        seen[key] += 1
        if seen[key] == 1 and (_is_open(jobs, key) if job_of(told) else _next(stack, told) is not None):
            names.append(each.name)
        if len(names) == limit:
            break
    return names


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
                stack.ask(
                    "stepfunctions", "start_execution", stateMachineArn=stack.outputs["StateMachineArn"], **what
                )
            except Refused as refused:
                if refused.code != "ExecutionAlreadyExists":  # somebody else has just begun the same retry
                    raise

        apply, after = start, f"started once more as {again(name)}"
    error, cause = _why(told)
    return Change(name, ": ".join(filter(None, (told["status"], error, cause))), after, apply)


# ---------------------------------------------------------------------------------------------------- stopping, starting


def stopping(stack: Stack, name: str) -> Change:
    """The change that stops an execution or the last run of its job; none is needed where it does not run."""
    told = described(stack, name)
    job, jobs = job_of(told), orchestrator(stack)
    status = None if job is None else _status(jobs, job)
    if job is not None and status is not None:
        after = State.STOPPED.value if status.state is State.RUNNING else status.state.value
        return Change(f"job {job}", status.state.value, after, lambda: jobs.stop(job))
    after = "ABORTED" if told["status"] in RUNS else told["status"]
    arn = told["executionArn"]
    return Change(
        name, told["status"], after, lambda: stack.ask("stepfunctions", "stop_execution", executionArn=arn) and None
    )


def starting(stack: Stack, spec: JobSpec, name: str) -> Change:
    """The change that starts a job; none is needed where there is one of that name that does the same. Raises
    ``JobConflict`` where it does something else.
    """
    jobs = orchestrator(stack)
    status = _status(jobs, name)
    if status is None:
        return Change(f"job {name}", "none", State.RUNNING.value, lambda: jobs.start(spec, name) and None)
    try:
        same = msgspec.json.decode(described(stack, name)["input"], type=JobSpec) == spec
    except msgspec.MsgspecError:
        same = False
    if not same:
        raise JobConflict(f"The name {name} is taken by a job that is to do something else.")
    return Change(f"job {name}", status.state.value, status.state.value, lambda: None)


def _why(told: Mapping[str, Any]) -> tuple[str, str]:
    timed_out = "States.Timeout" if told["status"] == "TIMED_OUT" else ""
    return told.get("error") or timed_out, sentence_of(told.get("cause") or "")


def _execution(told: Mapping[str, Any]) -> Execution:
    return Execution(
        name=told["name"],
        arn=told["executionArn"],
        status=told["status"],
        started=to_micros(told["startDate"]),
        stopped=to_micros(told["stopDate"]) if told.get("stopDate") else None,
    )
