"""What the platform keeps: receipts, curated events, markers, dead letters, ledger entries, view rows.

Instants are whole microseconds since 1970-01-01T00:00:00Z (``int``), everywhere in the core.
"""

import enum
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import msgspec

Scalar: TypeAlias = str | int | Decimal | bool | None
Value: TypeAlias = Any
"""A JSON value whose numbers are exact: str, int, Decimal, bool, None, list and dict of these."""


class Outcome(enum.StrEnum):
    """What became of one event of one receipt: exactly one of these."""

    CURATED = "curated"
    DUPLICATE = "duplicate"
    FILTERED = "filtered"
    DEAD_LETTERED = "dead-lettered"


class Reason(enum.StrEnum):
    """Why an event became a dead letter."""

    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown-type"
    UNSUPPORTED_VERSION = "unsupported-version"
    INVALID = "invalid"
    RULE = "rule"
    TRANSFORM_ERROR = "transform-error"
    CONFLICT = "conflict"
    TOO_LARGE = "too-large"
    BEFORE_ARCHIVE_BOUNDARY = "before-archive-boundary"


class Stage(enum.StrEnum):
    """The step of processing in which an event failed."""

    DECODE = "decode"
    UPCAST = "upcast"
    VALIDATE = "validate"
    RULES = "rules"
    TRANSFORM = "transform"
    INSERT = "insert"


class Violation(msgspec.Struct, frozen=True):
    """One thing that is wrong with an event: the place (RFC 6901), a code for programs, a sentence for people."""

    pointer: str
    code: str
    message: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one accepted request, file chunk or message; its bytes are kept beside it, unchanged.

    ``id`` is a UUIDv7 whose time is ``received_at``. ``source`` is the caller's identity, the source of events that
    name none. ``foreign`` names the catalog's source that maps the documents, where they are no Millrace events.
    ``headers`` holds the request headers that decoding needs (CloudEvents in binary mode, or what the foreign source
    reads), names in lower case.
    ``line`` is the number of the body's first line within ``origin``. ``chunk`` says that the bytes are a chunk of a
    file, whose idempotency key is the hash of its bytes. ``catalog`` names the catalog it was accepted under.
    """

    id: str
    received_at: int
    content_type: str = "application/json"
    origin: str = ""
    source: str = ""
    foreign: str | None = None
    idempotency_key: str | None = None
    headers: Mapping[str, str] = {}
    line: int = 1
    chunk: bool = False
    catalog: str = ""


class RawObject(msgspec.Struct, frozen=True):
    """A receipt with the exact bytes received, after content-decoding."""

    receipt: Receipt
    body: bytes


class Curated(msgspec.Struct, frozen=True, gc=False):
    """A curated event. First write wins, and it never changes afterwards.

    ``part`` counts the records that one event was transformed into, from 0. ``raw`` holds the bytes of the event as
    received where they are at hand (empty when read back); stores keep ``content_hash`` of it.
    """

    type: str
    time: int
    source: str
    id: str
    part: int
    version: int
    subject: str | None
    receipt: str
    index: int
    curated_at: int
    fields: dict[str, Value]
    raw: bytes = b""


class Lineage(msgspec.Struct, frozen=True, gc=False):
    """Who wrote a curated record first: what an insert finds where it lost."""

    source: str
    id: str
    receipt: str
    index: int
    content: bytes


class Marker(msgspec.Struct, frozen=True, gc=False):
    """The first sight of an identity whose time does not identify it; its ``time`` is the event's from then on."""

    source: str
    id: str
    type: str
    time: int
    receipt: str
    index: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be processed. ``id`` is a function of (event identity, reason, content).

    ``occurrences`` are the first 100 (receipt, index) in order; ``seen`` counts all.
    """

    id: str
    reason: str
    stage: str
    fingerprint: str
    violations: tuple[Violation, ...]
    occurrences: tuple[tuple[str, int], ...]
    seen: int = 1
    source: str = ""
    event_type: str | None = None
    event_id: str | None = None
    event_time: int | None = None
    attempts: int = 1

    @property
    def receipt(self) -> str:
        return self.occurrences[0][0]

    @property
    def index(self) -> int:
        return self.occurrences[0][1]


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How many events a receipt held, and how many ended in each outcome."""

    receipt: str
    events: int
    curated: int = 0
    duplicate: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    dead_letters: Mapping[str, int] = {}

    @property
    def balanced(self) -> bool:
        accounted = self.curated + self.duplicate + self.filtered + self.dead_lettered
        return self.events == accounted and self.dead_lettered == sum(self.dead_letters.values())


class Message(msgspec.Struct, frozen=True):
    """A receipt taken from the queue. ``token`` acknowledges this delivery; ``raw`` is there if it came inline."""

    receipt: str
    token: str
    attempt: int = 1
    raw: RawObject | None = None


class Changes(msgspec.Struct, frozen=True):
    """Insertions of one origin in order: ``records[i]`` is at ``positions[i]``, positions strictly grow."""

    origin: str
    positions: Sequence[int]
    records: Sequence[Curated]


class RowKey(NamedTuple):
    """A row of a view: the window's first microsecond, and the group's values as canonical JSON array text."""

    window: int
    group: str


class ViewRow(msgspec.Struct, frozen=True):
    """The state of one row: a JSON value per measure, and per origin the last position folded in.

    ``version`` counts the commits of the row; 0 is a row that was never committed.
    """

    key: RowKey
    states: tuple[Value, ...]
    positions: Mapping[str, int]
    version: int = 0
