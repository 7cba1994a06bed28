"""The ports of the surroundings: the time, fresh ids, and what runs jobs."""

from collections.abc import Sequence
from typing import Protocol

from ..jobs import JobEvent, JobSpec, JobStatus, State


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> int:
        """Microseconds since the epoch. May jump."""
        ...


class ReceiptIds(Protocol):
    """Where receipt ids come from."""

    def new(self, received_at: int) -> str:
        """A fresh UUIDv7 (RFC 9562) as text, whose time is ``received_at`` in milliseconds."""
        ...


class Orchestrator(Protocol):
    """Runs jobs: plan, validate every shard, gate, load every shard, reconcile."""

    def start(self, spec: JobSpec, name: str | None = None) -> str:
        """Start a job and return its name. Starting the same spec under a name that is taken changes nothing; another
        spec: ``JobConflict``. Names are 1 to 80 of A–Z, a–z, 0–9, - and _; None makes one up.
        """
        ...

    def status(self, job: str) -> JobStatus:
        """How it stands. Raises ``UnknownJob``."""
        ...

    def history(self, job: str) -> Sequence[JobEvent]:
        """What happened to it, in order. Raises ``UnknownJob``."""
        ...

    def list(self, *, limit: int, state: State | None = None) -> Sequence[JobStatus]:
        """Up to ``limit`` jobs, the latest first; with ``state`` only those that stand so."""
        ...

    def stop(self, job: str) -> None:
        """Stop it; what was done stays done. One that is over is left as it is. Raises ``UnknownJob``."""
        ...

    def retry(self, job: str) -> None:
        """Go on with one that failed or was stopped, with the steps and shards that did not succeed.

        One that runs or has succeeded is left as it is. Raises ``UnknownJob``.
        """
        ...
