"""Executions of the stack's state machine: listing them, looking at one, grouping those that failed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...adapters.aws.orchestrator import StepFunctionsOrchestrator, job_of, sentence_of
from ...core.errors import StoreError, UnknownJob
from ...core.jobs import State
from ...core.times import format_time, to_micros
from .failures import Failure
from .findings import Report
from .health import failed_executions
from .histories import Visit, failed_visit, visits
from .stack import Stack

FAILED: Final = ("FAILED", "TIMED_OUT")
RUNS: Final = ("RUNNING", "PENDING_REDRIVE")

LISTED = ("name", "job", "status", "started_at", "stopped_at", "seconds")
GROUPED = ("count", "open", "state", "error", "cause", "last", "example")
STATES = ("state", "entered_at", "seconds", "tries", "input_bytes", "output_bytes", "error", "cause")
MAP_RUNS = ("map_run", "status", "items", "succeeded", "failed", "aborted", "running", "pending", "example", "cause")


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


# ---------------------------------------------------------------------------------------------------------- one of them


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
    error, cause = why(told)
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
    return [
        run["mapRunArn"] for run in stack.account.pages("stepfunctions", "list_map_runs", "mapRuns", executionArn=arn)
    ]


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
            return *why(told), child["name"]
    return "", "", ""


# ------------------------------------------------------------------------------------------------------------- failures


def failures(stack: Stack, since: int) -> list[Failed]:
    """The executions that ended since then by failing or timing out, the latest first."""
    jobs = orchestrator(stack)
    states: dict[str, bool] = {}
    failed = []
    for each in failed_executions(stack, since):
        told = described(stack, each.name)
        job = job_of(told)
        if job is not None and job not in states:
            states[job] = is_open(jobs, job)
        state, error, cause = _failed_in(stack, told)
        failed.append(Failed(_execution(told), state, error, cause, is_open=job is None or states[job]))
    return failed


def is_open(jobs: StepFunctionsOrchestrator, job: str) -> bool:
    """Whether a job is over without success."""
    try:
        return jobs.status(job).state in (State.FAILED, State.STOPPED)
    except UnknownJob:
        return True  # the first run is forgotten, and with it what became of the job


def _failed_in(stack: Stack, told: Mapping[str, Any]) -> tuple[str, str, str]:
    """State, error and cause. Of a map the cause is that of an item that failed: its own only counts them."""
    error, cause = why(told)
    visit = failed_visit(history(stack, told["executionArn"]), error)
    if visit is None:
        return "", error, cause
    if visit.map_run:
        child_error, child_cause, _ = _first_child(stack, visit.map_run)
        if child_error or child_cause:
            return visit.state, child_error, child_cause
    return visit.state, error or visit.error, cause or visit.cause


def grouped(found: Iterable[Failed]) -> Report:
    """Failures of the same state and cause as one row, the most frequent first. Those whose job is done by now are
    counted, but are not wrong.
    """
    groups: dict[tuple[str, tuple[str, str]], list[Failed]] = {}
    for each in found:
        kind = Failure(each.error, each.cause, "").kind
        groups.setdefault((each.state, kind), []).append(each)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), -group[0].execution.started))
    left = sum(each.is_open for group in ordered for each in group)
    many = f"{left} executions" if left > 1 else "1 execution"
    wrong = (
        [f"{many} failed and {'are' if left > 1 else 'is'} not made good: millrace ops executions retry"]
        if left
        else []
    )
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


def why(told: Mapping[str, Any]) -> tuple[str, str]:
    """Error and cause of a described execution; "" of one that has not failed."""
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
