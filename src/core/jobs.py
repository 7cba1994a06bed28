"""What a job over many receipts is asked to do, how it is cut into shards, and what is known of it."""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from .identity import EARLIEST, LATEST


class Step(enum.StrEnum):
    """The steps of a job, in order. ``VALIDATE`` and ``LOAD`` are done once for each shard, in any order."""

    PLAN = "plan"
    VALIDATE = "validate"
    GATE = "gate"
    LOAD = "load"
    RECONCILE = "reconcile"


class State(enum.StrEnum):
    """How a job stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Receipts of the raw log received in [since, until), processed again; with ``types`` only those that hold an event
    of one of these types, each of them as a whole.

    ``allowed_rejections`` is the share of events, 0 to 1, that may be rejected before the gate fails the job.
    """

    since: int = EARLIEST
    until: int = LATEST + 1
    types: tuple[str, ...] = ()
    receipts_per_shard: int = 500
    allowed_rejections: Decimal = Decimal("0.05")

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise ValueError("since is not before until")
        if not 1 <= self.receipts_per_shard <= 100_000:
            raise ValueError("receipts_per_shard is not from 1 to 100,000")
        if not 0 <= self.allowed_rejections <= 1:
            raise ValueError("allowed_rejections is not from 0 to 1")


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """Receipts with ids beyond ``after`` up to and with ``last``; ``receipts`` is how many the plan saw."""

    shard: int
    after: str | None
    last: str
    receipts: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What was planned: how many shards of how many receipts; the shards are in the job's file ``manifest``."""

    spec: JobSpec
    shards: int
    receipts: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a shard or a whole job. Validation knows no ``curated`` and ``duplicate``: it asks no store."""

    receipts: int = 0
    events: int = 0
    curated: int = 0
    duplicate: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    dead_letters: Mapping[str, int] = {}

    @classmethod
    def total(cls, tallies: Iterable["Tally"]) -> "Tally":
        """All of them added up."""
        sums, reasons = Counter[str](), Counter[str]()
        for tally in tallies:
            sums.update({name: getattr(tally, name) for name in COUNTS})
            reasons.update(tally.dead_letters)
        return cls(**sums, dead_letters=dict(sorted(reasons.items())))

    @property
    def balanced(self) -> bool:
        """Whether every event ended in exactly one outcome."""
        accounted = self.curated + self.duplicate + self.filtered + self.dead_lettered
        return self.events == accounted and self.dead_lettered == sum(self.dead_letters.values())


COUNTS = ("receipts", "events", "curated", "duplicate", "filtered", "dead_lettered")
"""The counts of a tally by name."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job has come: of its shards, those that were validated and loaded. None are known before the plan."""

    receipts: int | None = None
    shards: int | None = None
    validated: int = 0
    loaded: int = 0


class JobStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its orchestrator sees it. Instants in microseconds; ``cause`` says why it failed."""

    job: str
    state: State
    started_at: int
    stopped_at: int | None = None
    error: str = ""
    cause: str = ""


class JobEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a job: when, what (a step begun, done or failed), and in a few words.

    ``kind`` is ``begun``, ``done``, ``failed``, ``stopped`` or ``retried``.
    """

    at: int
    kind: str
    step: str = ""
    detail: str = ""
