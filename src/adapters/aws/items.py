"""The item of a curated event in the table ``CuratedEvents``: how it is written, found and read."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from ...core.identity import EARLIEST, LATEST, TIE, content_hash, shard_of, sort_key, tie_break
from ...core.numbers import EXACT
from ...core.records import Curated, Lineage
from .dynamodb import Item, encode
from .values import from_wire, item_json, to_wire

PARTITION: Final = "eventType"
SORT: Final = "eventTime"
LONGEST_PARTITION: Final = 2048
"""Bytes of a partition value (DynamoDB, "Constraints")."""
FIRST_KEY: Final = sort_key(EARLIEST, 0)
LAST_KEY: Final = sort_key(LATEST, TIE - 1)

RESTORED: Final = b',"restored":{"BOOL":true}'
"""What an item has, behind all else, that was written back: its insertion is no change."""

_PLACES: Final = 26
"""The point of a sort key moves by this many places: those of microseconds and of the tie-break."""
_MARK: Final = "#"
_decode_note = msgspec.json.Decoder().decode


def partition_of(event_type: str, tie: int, shards: int) -> str:
    """The partition value of an event: its type, or ``type#k`` where the type has shards."""
    name = _escaped(event_type)
    return name if shards <= 1 else f"{name}{_MARK}{shard_of(tie, shards)}"


def partitions_of(event_type: str, shards: int) -> list[str]:
    """Every partition value a type has."""
    return [partition_of(event_type, k, shards) for k in range(shards)] if shards > 1 else [_escaped(event_type)]


def key_number(key: int) -> str:
    """A sort key as DynamoDB's number: epoch seconds, then the fraction."""
    digits = str(abs(key)).zfill(_PLACES + 1)
    fraction = digits[-_PLACES:].rstrip("0")
    return f"{'-' if key < 0 else ''}{digits[:-_PLACES]}{'.' if fraction else ''}{fraction}"


def key_of(item: Mapping[str, Any]) -> int:
    """The sort key of an item, as ``core.identity.record_key`` has it."""
    return int(EXACT.scaleb(Decimal(item[SORT]["N"]), _PLACES))


def encoded(record: Curated, shards: int, content: bytes | None = None) -> tuple[tuple[str, str], bytes]:
    """The item's key (partition and sort value) and the whole item as JSON; ``content`` is the hash of the record's
    bytes, where those are not at hand.

    Raises ``ValueError`` (``UnicodeEncodeError`` among them) for what DynamoDB cannot hold.
    """
    if not EARLIEST <= record.time <= LATEST:
        raise ValueError("the time lies beyond the years 1 to 9999")
    tie = tie_break(record.source, record.id, record.part)
    partition, number = partition_of(record.type, tie, shards), key_number(sort_key(record.time, tie))
    fields, note = to_wire(record.fields)
    item: Item = {
        PARTITION: {"S": partition},
        SORT: {"N": number},
        "source": {"S": record.source},
        "eventId": {"S": record.id},
        "part": {"N": str(record.part)},
        "schemaVersion": {"N": str(record.version)},
        "receipt": {"S": record.receipt},
        "index": {"N": str(record.index)},
        "curatedAt": {"N": str(record.curated_at)},
        "content": {"B": b64encode(content_hash(record.raw) if content is None else content).decode()},
        "fields": fields,
    }
    if record.subject is not None:
        item["subject"] = {"S": record.subject}
    if note is not None:
        item["exact"] = {"S": encode(note).decode()}
    if len(partition) > LONGEST_PARTITION // 4 and len(partition.encode()) > LONGEST_PARTITION:
        raise ValueError(f"the type has more than {LONGEST_PARTITION} bytes")
    return (partition, number), item_json(item)


def record_of(item: Mapping[str, Any]) -> Curated:
    """The record an item holds. Raises ``KeyError`` for an item that is none."""
    note = _decode_note(item["exact"]["S"]) if "exact" in item else None
    fields = item["fields"]
    return Curated(
        type=_unescaped(item[PARTITION]["S"]),
        time=key_of(item) // TIE,
        source=item["source"]["S"],
        id=item["eventId"]["S"],
        part=int(item["part"]["N"]),
        version=int(item["schemaVersion"]["N"]),
        subject=item["subject"]["S"] if "subject" in item else None,
        receipt=item["receipt"]["S"],
        index=int(item["index"]["N"]),
        curated_at=int(item["curatedAt"]["N"]),
        fields=from_wire(fields, note),
    )


def place_of(item: Mapping[str, Any]) -> tuple[str, int]:
    """The key of an item such that equal keys are equal, however the service writes the number."""
    return item[PARTITION]["S"], key_of(item)


def content_of(item: Mapping[str, Any]) -> bytes:
    """The hash of the bytes of an item's event."""
    return b64decode(item["content"]["B"])


def lineage_of(item: Mapping[str, Any]) -> Lineage:
    """Who wrote an item."""
    receipt, index = item["receipt"]["S"], int(item["index"]["N"])
    return Lineage(item["source"]["S"], item["eventId"]["S"], receipt, index, content_of(item))


def _escaped(event_type: str) -> str:
    """The type where it can stand for itself: names in a catalog always can. A leading mark says that it could not."""
    return _MARK + event_type if not event_type or _MARK in event_type else event_type


def _unescaped(partition: str) -> str:
    return partition[1:] if partition.startswith(_MARK) else partition.partition(_MARK)[0]
