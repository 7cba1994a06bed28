"""Identities and keys: what makes two deliveries the same event, and where it is kept."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from .records import Curated, Violation

TIE = 10**20
"""The identity takes 20 digits of the sort key, below the microseconds."""

EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The instants RFC 3339 can name: years 1 to 9999. Within them a sort key has at most 38 digits."""


def tie_break(source: str, event_id: str, part: int = 0) -> int:
    """What tells apart events of the same instant: 64 bits of a hash of the identity, at most 20 digits."""
    # The length says where the source ends: both are free text and may hold any separator.
    text = f"{len(source)}\0{part}\0{source}{event_id}"
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def sort_key(time: int, tie: int) -> int:
    """Epoch seconds × 10**26, exactly: six digits of microseconds, then the 20 of the tie-break.

    DynamoDB holds it as a number of at most 38 digits after moving the point 26 places; comparisons with plain
    epoch seconds keep their meaning.
    """
    return time * TIE + tie


def record_key(record: Curated) -> int:
    """The sort key of a curated record."""
    return sort_key(record.time, tie_break(record.source, record.id, record.part))


def received_at(receipt: str) -> int:
    """The instant that a receipt's id tells, to the millisecond (RFC 9562, section 5.7), in microseconds."""
    return int(receipt[:8] + receipt[9:13], 16) * 1000


def tie_breaks(records: Iterable[Curated]) -> list[int]:
    """``tie_break`` of each record, without the price of a call for each."""
    return [
        int.from_bytes(sha256(f"{len(r.source)}\0{r.part}\0{r.source}{r.id}".encode()).digest()[:8]) for r in records
    ]


def content_hash(raw: bytes) -> bytes:
    """16 bytes that stand for the bytes of one event; independent of any catalog."""
    return sha256(raw).digest()[:16]


def content_hashes(records: Iterable[Curated]) -> list[bytes]:
    """``content_hash`` of the bytes of each record's event, without the price of a call for each."""
    return [sha256(record.raw).digest()[:16] for record in records]


def chunk_key(body: bytes) -> str:
    """The idempotency key of a chunk of a file: a hash of its bytes."""
    return "sha256:" + sha256(body).hexdigest()[:40]


def derived_id(idempotency_key: str, index: int) -> str:
    """The id of an event that has none."""
    return f"{idempotency_key}#{index}"


def shard_of(tie: int, shards: int) -> int:
    """The shard of a hot type that holds an event, 0 ≤ k < shards."""
    return tie % shards


def fingerprint(reason: str, event_type: str | None, violations: Iterable[Violation]) -> str:
    """12 hex digits, equal for dead letters with the same cause: reason, type, and where and how they are wrong.

    Indexes within arrays do not count, nor do messages, which may quote the event.
    """
    places = sorted({(_without_indexes(v.pointer), v.code) for v in violations})
    return sha256(msgspec.json.encode((reason, event_type, places))).hexdigest()[:12]


def dead_letter_id(identity: tuple[str, str | None, str | None, int | None], reason: str, raw: bytes) -> str:
    """32 hex digits from (source, id, type, time), the reason and the content of the event."""
    return sha256(msgspec.json.encode((identity, reason)) + content_hash(raw)).hexdigest()[:32]


def _without_indexes(pointer: str) -> str:
    return "/".join("*" if token.isdigit() else token for token in pointer.split("/"))
