"""The orchestrator in Step Functions: a job is an execution of the state machine ``DataProcessing``, or several.

The first execution has the job's name. A retry is another one, named after the job and its number, that goes on with
the job's files: what is done is not done again. It is no redrive of the first one, since that would enter the state
again in which the execution ended; where failures are caught and reported this is the state that fails the job.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError

from ...core.errors import JobConflict, PermanentError, TransientError, UnknownJob
from ...core.jobs import JobEvent, JobSpec, JobStatus, State, Step
from .clients import Clients
from .errors import code_of, translated

STATES: Final = {
    "RUNNING": State.RUNNING,
    "PENDING_REDRIVE": State.RUNNING,
    "SUCCEEDED": State.SUCCEEDED,
    "FAILED": State.FAILED,
    "TIMED_OUT": State.FAILED,
    "ABORTED": State.STOPPED,
}
"""What the status of an execution says of its job."""

RETRIABLE: Final = frozenset({State.FAILED, State.STOPPED})
EVENTS_AT_ONCE: Final = 1000
"""Events of one page of a history (GetExecutionHistory, API reference)."""
LONGEST_NAME: Final = 80
"""Characters of an execution's name (StartExecution, API reference)."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS: Final = {step.value.capitalize(): step for step in Step}  # the states of the machine that are steps of a job
_decode_spec = msgspec.json.Decoder(JobSpec).decode

Run = Mapping[str, Any]
"""An execution as DescribeExecution tells it."""


class _Retry(msgspec.Struct):
    """The input of an execution that retries a job."""

    retry_of: str


class StepFunctionsOrchestrator:
    """Jobs as executions of one state machine.

    Step Functions knows an execution for 90 days after its end. Reading is eventually consistent: for a moment a job
    that was just started may be unknown, and one that just ended may seem to run.
    """

    def __init__(
        self,
        clients: Clients,
        state_machine_arn: str,
        *,
        new_name: Callable[[], str] = lambda: f"job-{uuid.uuid4()}",
    ) -> None:
        """``new_name`` makes up the names of jobs that are given none."""
        self._clients, self._arn, self._new_name = clients, state_machine_arn, new_name
        self._place = f"the state machine {state_machine_arn.rpartition(':')[2]}"

    def start(self, spec: JobSpec, name: str | None = None) -> str:
        job = self._new_name() if name is None else name
        if not _NAME.fullmatch(job):
            raise PermanentError(f"{job!r} is no name of a job: 1 to 80 of A–Z, a–z, 0–9, - and _.")
        # Of an execution that runs, Step Functions takes the same start again; of one that is over it does not.
        if self._begin(job, spec):
            return job
        try:
            known = self._described(job)["input"]
        except UnknownJob as error:
            raise TransientError(f"{self._place} has a job {job} but cannot tell yet what it is to do.") from error
        if _spec_of(known) != spec:
            raise JobConflict(f"The name {job} is taken by a job that is to do something else.")
        return job

    def status(self, job: str) -> JobStatus:
        """As the port says; of a job that was retried: begun with the first run, and else as the last run stands."""
        runs = self._runs(job)
        last = runs[-1]
        timed_out = "States.Timeout" if last["status"] == "TIMED_OUT" else ""
        return JobStatus(
            job=job,
            state=STATES[last["status"]],
            started_at=_instant(runs[0]["startDate"]),
            stopped_at=_instant(last["stopDate"]) if last.get("stopDate") else None,
            error=last.get("error") or timed_out,
            cause=sentence_of(last.get("cause") or ""),
        )

    def history(self, job: str) -> Sequence[JobEvent]:
        events: list[JobEvent] = []
        for number, run in enumerate(self._runs(job)):
            if number:
                events.append(JobEvent(at=_instant(run["startDate"]), kind="retried"))
            asked = {
                "executionArn": run["executionArn"],
                "maxResults": EVENTS_AT_ONCE,
                "includeExecutionData": False,
            }
            events += job_events(self._pages("get_execution_history", "events", asked))
        return events

    def list(self, *, limit: int, state: State | None = None) -> Sequence[JobStatus]:
        """As the port says; the latest is the one whose last run began last."""
        jobs = list(islice(self._jobs(state), max(limit, 0)))
        with ThreadPoolExecutor(self._clients.parallelism) as pool:
            return list(pool.map(self.status, jobs))

    def stop(self, job: str) -> None:
        last = self._runs(job)[-1]
        if STATES[last["status"]] is State.RUNNING:
            with translated(self._place):
                self._clients.get("stepfunctions").stop_execution(executionArn=last["executionArn"])

    def retry(self, job: str) -> None:
        runs = self._runs(job)
        if STATES[runs[-1]["status"]] in RETRIABLE:
            # Where the name is taken, somebody else has just begun the same retry.
            self._begin(_run_name(job, len(runs)), {"retry_of": job, "spec": msgspec.Raw(runs[0]["input"].encode())})

    def _begin(self, name: str, asked: Any) -> bool:
        """Start an execution; False where the name is taken."""
        with translated(self._place):
            try:
                self._clients.get("stepfunctions").start_execution(
                    stateMachineArn=self._arn, name=name, input=msgspec.json.encode(asked).decode()
                )
            except ClientError as error:
                if code_of(error) != "ExecutionAlreadyExists":
                    raise
                return False
        return True

    def _runs(self, job: str) -> Sequence[Run]:
        """The executions of a job, in order. Raises ``UnknownJob``."""
        if not _NAME.fullmatch(job):
            raise UnknownJob(f"There is no job {job!r}.")
        runs = [self._described(job)]
        # A run is followed by another one only where it did not succeed.
        while STATES[runs[-1]["status"]] in RETRIABLE:
            try:
                runs.append(self._described(_run_name(job, len(runs))))
            except UnknownJob:
                break
        return runs

    def _described(self, name: str) -> Run:
        """The execution of that name. Raises ``UnknownJob``."""
        arn = f"{self._arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
        with translated(self._place):
            try:
                run: Run = self._clients.get("stepfunctions").describe_execution(executionArn=arn)
            except ClientError as error:
                if code_of(error) == "ExecutionDoesNotExist":
                    raise UnknownJob(f"There is no job {name}.") from None
                raise
        return run

    def _jobs(self, state: State | None) -> Iterator[str]:
        """The names of the jobs that stand so, the one whose last run began last first."""
        seen = set()
        for row in self._pages("list_executions", "executions", {"stateMachineArn": self._arn}):
            job = self._job_of(row["name"])
            # The last run comes first, and how it stands is how the job stands.
            if job is not None and job not in seen and state in (None, STATES[row["status"]]):
                yield job
            seen.add(job)

    def _job_of(self, name: str) -> str | None:
        # No name of a job has a dot: it is a retry's, or that of somebody else's execution.
        return job_of(self._described(name)) if "." in name else name

    def _pages(self, operation: str, key: str, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        call = getattr(self._clients.get("stepfunctions"), operation)
        token: Mapping[str, str] = {}
        while True:
            with translated(self._place):
                answer = call(**asked, **token)
            yield from answer[key]
            if not answer.get("nextToken"):
                return
            token = {"nextToken": answer["nextToken"]}


def job_events(history: Iterable[Mapping[str, Any]]) -> Iterator[JobEvent]:
    """What an execution's events say of its job: steps begun and done, what failed, how it ended if not well.

    Events of tasks do not name their state. The machine has one at a time, the one that was entered last.
    """
    step, failed = "", False
    for event in history:
        kind, at = event["type"], _instant(event["timestamp"])
        details: Mapping[str, Any] = next((event[key] for key in event if key.endswith("EventDetails")), {})
        why = ": ".join(part for part in (details.get("error"), sentence_of(details.get("cause") or "")) if part)
        if kind.endswith("StateEntered"):
            step, failed = _STEPS.get(details["name"], ""), False
            if step:
                yield JobEvent(at=at, kind="begun", step=step)
        elif kind.endswith("StateExited"):
            # A state is left also when its failure was caught.
            if not failed and details["name"] in _STEPS:
                yield JobEvent(at=at, kind="done", step=_STEPS[details["name"]])
        elif kind == "ExecutionRedriven":
            yield JobEvent(at=at, kind="retried")
        elif kind == "ExecutionAborted":
            yield JobEvent(at=at, kind="stopped", detail=why)
        elif kind in ("ExecutionFailed", "ExecutionTimedOut"):
            yield JobEvent(at=at, kind="failed", detail=why or "States.Timeout")
        elif kind.endswith(("Failed", "TimedOut")):
            failed = True
            # What failed is told once: the event of a Map state repeats that of its run, without a word why.
            if details:
                yield JobEvent(at=at, kind="failed", step=step, detail=why or kind)
        elif kind.endswith(("Scheduled", "Started")):
            failed = False  # the next try


def job_of(run: Run) -> str | None:
    """The job that an execution is a run of; None where its input is none of a job: somebody else's execution."""
    try:
        return msgspec.json.decode(run["input"], type=_Retry).retry_of
    except msgspec.MsgspecError:
        is_one = _spec_of(run["input"]) is not None and _NAME.fullmatch(run["name"])
        return str(run["name"]) if is_one else None


def _run_name(job: str, number: int) -> str:
    """The name of a job's execution: its own, and after retries with a number, which no name of a job can have."""
    name = f"{job}.{number}"
    # Too long: told by a hash, and the job's name is in the execution's input.
    return name if len(name) <= LONGEST_NAME else f"{job[:60]}.{sha256(job.encode()).hexdigest()[:12]}.{number}"


def _spec_of(text: str) -> JobSpec | None:
    try:
        return _decode_spec(text)
    except msgspec.MsgspecError:
        return None  # somebody else's execution


def sentence_of(cause: str) -> str:
    """Why something failed, in words: of a function's failure its message, without the stack trace around it."""
    try:
        return str(msgspec.json.decode(cause)["errorMessage"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return cause


def _instant(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
