"""The orchestrator in one process: ``start`` runs the whole job and returns when it is over."""

import re
from collections.abc import Sequence
from itertools import count

import attrs

from ...core.errors import JobConflict, MillraceError, PermanentError, UnknownJob
from ...core.jobs import JobEvent, JobSpec, JobStatus, State
from ...core.ports import Clock
from ...core.services.jobs import Jobs

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)


@attrs.define
class _Job:
    spec: JobSpec
    status: JobStatus
    events: list[JobEvent] = attrs.field(factory=list)


class MemoryOrchestrator:
    """Jobs by name, in the order in which they were started."""

    def __init__(self, jobs: Jobs, clock: Clock) -> None:
        self._jobs, self._clock = jobs, clock
        self._known: dict[str, _Job] = {}
        self._numbers = count(1)

    def start(self, spec: JobSpec, name: str | None = None) -> str:
        name = f"job-{next(self._numbers)}" if name is None else name
        if not _NAME.fullmatch(name):
            raise PermanentError(f"{name!r} is no name of a job: 1 to 80 of A–Z, a–z, 0–9, - and _.")
        if (known := self._known.get(name)) is not None:
            if known.spec != spec:
                raise JobConflict(f"The name {name} is taken by a job that is to do something else.")
            return name
        self._known[name] = _Job(spec, JobStatus(job=name, state=State.RUNNING, started_at=self._clock.now()))
        self._run(name)
        return name

    def status(self, job: str) -> JobStatus:
        return self._job(job).status

    def history(self, job: str) -> Sequence[JobEvent]:
        return [*self._job(job).events]

    def list(self, *, limit: int, state: State | None = None) -> Sequence[JobStatus]:
        latest = [job.status for job in reversed(self._known.values()) if state in (None, job.status.state)]
        return latest[: max(limit, 0)]

    def stop(self, job: str) -> None:
        """A job is over before anybody could stop it."""
        self._job(job)

    def retry(self, job: str) -> None:
        if self._job(job).status.state in (State.FAILED, State.STOPPED):
            self._run(job)

    def _job(self, job: str) -> _Job:
        if (known := self._known.get(job)) is None:
            raise UnknownJob(f"There is no job {job}.")
        return known

    def _run(self, name: str) -> None:
        job = self._known[name]
        started = job.status.started_at
        try:
            self._steps(name, job)
        except MillraceError as error:
            kind = type(error).__name__
            self._note(job, "failed", detail=f"{kind}: {error}")
            job.status = JobStatus(
                job=name,
                state=State.FAILED,
                started_at=started,
                stopped_at=self._clock.now(),
                error=kind,
                cause=str(error),
            )
        else:
            job.status = JobStatus(job=name, state=State.SUCCEEDED, started_at=started, stopped_at=self._clock.now())

    def _steps(self, name: str, job: _Job) -> None:
        for done in self._jobs.run(name, job.spec):
            if done.whole:
                self._note(job, "done", done.step, done.detail)

    def _note(self, job: _Job, kind: str, step: str = "", detail: str = "") -> None:
        job.events.append(JobEvent(at=self._clock.now(), kind=kind, step=step, detail=detail))
