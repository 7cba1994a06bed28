"""Short ways to make the records that the contract tests store, and to compare what comes back."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from millrace.core.ports import Stores
from millrace.core.records import Curated, DeadLetter, Lineage, Marker, RawObject, Receipt, RowKey, ViewRow, Violation

NOON = 1_767_960_000_000_000
"""2026-01-09T12:00:00Z in microseconds."""

HOUR = 3_600_000_000


def receipt_id(received_at: int = NOON, number: int = 0) -> str:
    """A UUIDv7 of that millisecond; ids of one millisecond are ordered by their number."""
    digits = f"{received_at // 1000:012x}7{number:03x}8{number:015x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def raw_object(received_at: int = NOON, number: int = 0, body: bytes = b"{}", **others: Any) -> RawObject:
    return RawObject(Receipt(id=receipt_id(received_at, number), received_at=received_at, **others), body)


def curated(event_id: str = "e-1", **others: Any) -> Curated:
    """A record whose receipt, index and content follow from nothing but the arguments."""
    known: dict[str, Any] = {
        "type": "purchase",
        "time": NOON,
        "source": "shop",
        "id": event_id,
        "part": 0,
        "version": 2,
        "subject": None,
        "receipt": receipt_id(),
        "index": 0,
        "curated_at": NOON + 1,
        "fields": {"order": event_id},
        "raw": b'{"order":"' + event_id.encode() + b'"}',
    }
    return Curated(**{**known, **others})


def marker(event_id: str = "e-1", **others: Any) -> Marker:
    known: dict[str, Any] = {
        "source": "shop", "id": event_id, "type": "purchase", "time": NOON, "receipt": receipt_id(), "index": 0,
    }  # fmt: skip
    return Marker(**{**known, **others})


def row(window: int = NOON, group: str = '["EUR"]', version: int = 0, **others: Any) -> ViewRow:
    known: dict[str, Any] = {"states": (1, Decimal("2.50")), "positions": {"origin": 7}}
    return ViewRow(key=RowKey(window, group), version=version, **{**known, **others})


def dead_letter(letter: str = "a" * 32, **others: Any) -> DeadLetter:
    known: dict[str, Any] = {
        "reason": "invalid",
        "stage": "validate",
        "fingerprint": "0123456789ab",
        "violations": (Violation("/data/amount", "gt", "must be > 0: «−1»"),),
        "occurrences": ((receipt_id(), 0),),
        "source": "shop",
        "event_type": "purchase",
        "event_id": "e-1",
        "event_time": NOON,
    }
    return DeadLetter(id=letter, **{**known, **others})


def files(folder: Path) -> set[str]:
    """Everything below a folder, as paths within it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def bare(record: Curated) -> Curated:
    """The record as it may be read back: without its bytes."""
    return msgspec.structs.replace(record, raw=b"")


def lost_to(lineage: Lineage | None) -> Lineage:
    """The lineage, of an insert that must have lost."""
    assert lineage is not None
    return lineage


def typed(value: Any) -> Any:
    """The value with the type of every part, so that 12, Decimal("12"), 1 and True compare as different."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed(item) for item in value]
    return (type(value).__name__, value)


def origin_of(stores: Stores) -> str:
    """The only origin that a store has."""
    [origin] = stores.feed.origins()
    return origin
