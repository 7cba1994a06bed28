"""The orchestrator of a local store: ``start`` runs the job in this process, and files tell every other one of it.

Beside the files of its steps a job has ``job.json`` (what it is to do), ``status.json``, ``events.json``, and the file
``.lock``, which is locked while a process runs it: one that says it runs and is not locked was killed.
"""

import fcntl
import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ...core.errors import JobConflict, MillraceError, PermanentError, StoreError, UnknownJob
from ...core.jobs import JobEvent, JobSpec, JobStatus, State, Step
from ...core.ports import Clock
from ...core.services.jobs import Done, Jobs
from .errors import translated
from .files import LocalFiles

LOCK, JOB, STATUS, EVENTS = ".lock", "job.json", "status.json", "events.json"
KILLED = "Interrupted"
"""The error of a job whose process ended before it did."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)


class _Asked(msgspec.Struct, frozen=True):
    spec: JobSpec


_asked = msgspec.json.Decoder(_Asked).decode
_status = msgspec.json.Decoder(JobStatus).decode
_events = msgspec.json.Decoder(list[JobEvent]).decode


class LocalOrchestrator:
    """Jobs in the folder ``jobs`` of a store.

    Whoever starts or retries one needs the store open for writing; asking about jobs and stopping them works beside
    a process that runs them. ``told`` hears of every step and shard that is done.
    """

    def __init__(
        self,
        store: Path,
        jobs: Jobs,
        clock: Clock,
        *,
        write: bool,
        project: Callable[[], None],
        new_name: Callable[[], str] = lambda: f"job-{uuid.uuid4()}",
    ) -> None:
        """``project`` brings the views up to date, after every shard that was loaded."""
        self._top, self._jobs, self._clock, self._project = store / "jobs", jobs, clock, project
        self._write, self._new_name = write, new_name
        self._files = LocalFiles(self._top, write=True)  # also of a reader, whose only file asks a job to stop
        self.told: Callable[[str, Done], None] = lambda _, __: None

    def start(self, spec: JobSpec, name: str | None = None) -> str:
        """As the port says, once the job is over."""
        job = self._new_name() if name is None else name
        if not _NAME.fullmatch(job):
            raise PermanentError(f"{job!r} is no name of a job: 1 to 80 of A–Z, a–z, 0–9, - and _.")
        if (body := self._files.read(job, JOB)) is not None:
            if _asked(body).spec != spec:
                raise JobConflict(f"The name {job} is taken by a job that is to do something else.")
            return job
        self._require_writer()
        with self._locked(job):
            self._set(JobStatus(job=job, state=State.RUNNING, started_at=self._clock.now()))
            self._files.write(job, JOB, msgspec.json.encode(_Asked(spec)))  # last: who finds it finds its status
            self._run(job, spec)
        return job

    def status(self, job: str) -> JobStatus:
        self._spec(job)
        status = self._stored(job)
        if status.state is State.RUNNING and not self._is_locked(job):
            status = self._stored(job)  # it may have ended between the two looks
        if status.state is State.RUNNING and not self._is_locked(job):
            cause = "The process that ran it ended before it was done; a retry goes on with what is left."
            return msgspec.structs.replace(status, state=State.FAILED, error=KILLED, cause=cause)
        return status

    def history(self, job: str) -> Sequence[JobEvent]:
        self._spec(job)
        return self._noted(job)

    def list(self, *, limit: int, state: State | None = None) -> Sequence[JobStatus]:
        found = [self.status(job) for job in self._names()]
        latest = sorted(found, key=lambda status: (status.started_at, status.job), reverse=True)
        return [status for status in latest if state in (None, status.state)][: max(limit, 0)]

    def stop(self, job: str) -> None:
        """As the port says: it stops after the shard that it is at."""
        if self.status(job).state is State.RUNNING:
            self._files.write(job, self._stop_of(job), b"")

    def retry(self, job: str) -> None:
        spec = self._spec(job)
        if self.status(job).state in (State.RUNNING, State.SUCCEEDED):
            return
        self._require_writer()
        with self._locked(job):
            started = self._stored(job).started_at
            self._note(job, "retried")
            self._set(JobStatus(job=job, state=State.RUNNING, started_at=started))
            self._run(job, spec)

    def _run(self, job: str, spec: JobSpec) -> None:
        status = msgspec.structs.replace(self._stored(job), stopped_at=None)
        stop = self._stop_of(job)
        ended = msgspec.structs.replace(status, state=State.STOPPED, error="", cause="Interrupted.")
        try:
            for done in self._jobs.run(job, spec):
                if done.step is Step.LOAD:
                    self._project()
                self.told(job, done)
                if done.whole:
                    self._note(job, "done", done.step, done.detail)
                if done.step is not Step.RECONCILE and self._files.read(job, stop) is not None:
                    ended = msgspec.structs.replace(ended, cause="It was asked to stop.")
                    break
            else:
                ended = msgspec.structs.replace(status, state=State.SUCCEEDED)
        except MillraceError as error:
            kind = type(error).__name__
            ended = msgspec.structs.replace(status, state=State.FAILED, error=kind, cause=str(error))
        finally:  # also of Ctrl-C
            if ended.state is not State.SUCCEEDED:
                detail = ": ".join(filter(None, (ended.error, ended.cause)))
                self._note(job, ended.state.value, detail=detail)
            self._set(msgspec.structs.replace(ended, stopped_at=self._clock.now()))

    def _stop_of(self, job: str) -> str:
        """The file that asks the present run of a job to stop; a later run has another one."""
        retries = sum(event.kind == "retried" for event in self._noted(job))
        return f"stop/{retries}"

    def _noted(self, job: str) -> Sequence[JobEvent]:
        body = self._files.read(job, EVENTS)
        return [] if body is None else _events(body)

    def _note(self, job: str, kind: str, step: str = "", detail: str = "") -> None:
        event = JobEvent(at=self._clock.now(), kind=kind, step=step, detail=detail)
        self._files.write(job, EVENTS, msgspec.json.encode([*self._noted(job), event]))

    def _set(self, status: JobStatus) -> None:
        self._files.write(status.job, STATUS, msgspec.json.encode(status))

    def _stored(self, job: str) -> JobStatus:
        body = self._files.read(job, STATUS)
        if body is None:
            raise UnknownJob(f"There is no job {job}.")
        return _status(body)

    def _spec(self, job: str) -> JobSpec:
        body = self._files.read(job, JOB) if _NAME.fullmatch(job) else None
        if body is None:
            raise UnknownJob(f"There is no job {job}.")
        return _asked(body).spec

    def _names(self) -> Sequence[str]:
        with translated(self._top):
            try:
                with os.scandir(self._top) as entries:
                    return [entry.name for entry in entries if os.path.exists(os.path.join(entry.path, JOB))]
            except FileNotFoundError:
                return []

    def _require_writer(self) -> None:
        if not self._write:
            raise StoreError(f"the store at {self._top.parent} is open for reading only")

    @contextmanager
    def _locked(self, job: str) -> Iterator[None]:
        with translated(self._top):
            (self._top / job).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._top / job / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            # Only the writer of the store gets here; a reader that is just looking holds it for an instant.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _is_locked(self, job: str) -> bool:
        try:
            descriptor = os.open(self._top / job / LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False
