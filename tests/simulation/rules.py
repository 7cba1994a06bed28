"""The rules of the simulation's catalog once more, in plain Python over the raw log alone.

Nothing of the decoder, the pipeline or the services is used: what this says is compared with what they did.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from millrace.core.records import RawObject

Fields = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = ("sale", "parcel", "basket", "note", "millrace.probe")


@attrs.frozen
class Claim:
    """An event of one receipt, as the rules see it by itself.

    ``time`` is None where it has none of its own; then, or where ``marked``, source and id alone identify it.
    ``refused`` is the reason of its dead letter, if it is refused for its own sake; ``records`` what it is curated
    into. ``content`` is equal for equal contents.
    """

    receipt: str
    index: int
    refused: str | None = None
    source: str = ""
    id: str = ""
    type: str = ""
    time: int | None = None
    received_at: int = 0
    marked: bool = False
    version: int = 0
    subject: str | None = None
    records: tuple[Fields, ...] = ()
    content: Any = None


def claims(raw: RawObject) -> Iterator[Claim]:
    """The events of a receipt, in order."""
    for index, document in enumerate(_documents(raw)):
        yield _claim(raw, index, document)


def _documents(raw: RawObject) -> list[Any]:
    """JSON values, or None for what is no JSON; for binary mode the attributes and data as in structured mode."""
    receipt = raw.receipt
    if "ce-specversion" in receipt.headers:
        attributes = {name.removeprefix("ce-"): value for name, value in receipt.headers.items()}
        return [{**attributes, "data": _json(raw.body)}]
    if receipt.content_type == "application/x-ndjson":
        return [_json(line) for line in raw.body.split(b"\n") if line.strip()]
    body = _json(raw.body)
    return body if isinstance(body, list) else [body]


def _json(text: bytes) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        return None


def _claim(raw: RawObject, index: int, document: Any) -> Claim:
    receipt = raw.receipt
    nothing = Claim(receipt.id, index, "malformed")
    if not isinstance(document, dict):
        return nothing
    if "eventType" in document:
        kind, time = document["eventType"], document.get("eventTime")
        event_id = document.get("eventId") or f"{_key(raw)}#{index}"
        source = document.get("source") or receipt.source
        version = document.get("schemaVersion")
        envelope = {"eventType", "eventId", "eventTime", "source", "subject", "schemaVersion"}
        data = document["data"] if "data" in document else {k: v for k, v in document.items() if k not in envelope}
    elif document.get("specversion") == "1.0" and "id" in document and isinstance(document.get("time", ""), str):
        kind, time, event_id, source = document["type"], document.get("time"), document["id"], document["source"]
        schema, data = document.get("dataschema"), document.get("data")
        version = None if schema is None else int(schema.rpartition("/")[2])
    else:
        return nothing
    if not isinstance(kind, str) or not isinstance(data, dict):
        return nothing
    reason, records = _curate(kind, version, data)
    return Claim(
        receipt=receipt.id,
        index=index,
        refused=reason,
        source=source,
        id=event_id,
        type=kind,
        time=_micros(time),
        received_at=receipt.received_at,
        marked=time is None or kind == "parcel",
        version=2 if kind == "note" else 1,
        subject=document.get("subject"),
        records=tuple(records),
        content=_comparable([kind, document.get("subject"), version, data]),
    )


def _key(raw: RawObject) -> str:
    """What the ids of events without one are made of."""
    if raw.receipt.chunk:
        return "sha256:" + hashlib.sha256(raw.body).hexdigest()[:40]
    return raw.receipt.idempotency_key or raw.receipt.id


def _micros(time: Any) -> int | None:
    if time is None:
        return None
    if isinstance(time, str):
        return (datetime.fromisoformat(time) - EPOCH) // timedelta(microseconds=1)
    return int(time * (1_000 if time >= 10**11 else 1_000_000))


def _curate(kind: str, version: int | None, data: Fields) -> tuple[str | None, list[Fields]]:
    """The reason to refuse an event, or its records."""
    if version not in (None, 1) and not (kind == "note" and version == 2):
        return ("unsupported-version" if kind in KINDS else "unknown-type"), []
    match kind, data:
        case "sale", {"order": str(), "amount": int() | Decimal() as amount, "currency": "EUR" | "USD"}:
            if isinstance(amount, bool) or amount <= 0:
                return "invalid", []
            if amount >= 1000:
                return "rule", []
            return None, [{"order": data["order"], "amount": Decimal(amount), "currency": data["currency"]}]
        case "parcel", {"weight": int(weight)} if not isinstance(weight, bool):
            return None, [{"weight": weight}]
        case "basket", {"items": list(items)} if all(isinstance(item, str) for item in items):
            if "raise" in items:
                return "transform-error", []
            return None, [{"item": item, "place": place} for place, item in enumerate(items)]
        case "note", _ if version == 1 and "body" not in data:
            return "transform-error", []
        case "note", _ if isinstance(text := data["body"] if version == 1 else data.get("text"), str):
            return None, [{"text": text}] if text else []
        case "millrace.probe", _:
            return None, [{}]
        case (("sale" | "parcel" | "basket" | "note"), _):
            return "invalid", []
        case _:
            return "unknown-type", []


def _comparable(value: Any) -> Any:
    """Equal (and hashable) for equal JSON values: 1.50 and 1.5 are, 1 and true are not."""
    match value:
        case dict():
            return frozenset((key, _comparable(item)) for key, item in value.items())
        case list():
            return tuple(map(_comparable, value))
        case bool() | None | str():
            return (type(value).__name__, value)
        case _:
            return ("number", Decimal(value))
