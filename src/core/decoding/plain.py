"""Plain events: an object with ``eventType``, its data under ``data`` or beside the envelope's keys."""

from decimal import Decimal
from typing import Any

from ..records import Receipt, Violation
from ..times import parse_time
from .events import PLAIN_KEYS, Event, NoEvent, text_at


def read_plain(document: dict[str, Any], receipt: Receipt, fallback_id: str) -> Event:
    """The event a plain object is. Raises ``NoEvent`` with everything that is wrong with its envelope."""
    wrong: list[Violation] = []
    event_type = text_at(document, "eventType", wrong, required=True)
    event_id = text_at(document, "eventId", wrong)
    source = text_at(document, "source", wrong)
    subject = text_at(document, "subject", wrong)
    time = _time(document, "eventTime", wrong)
    version = _version(document.get("schemaVersion"), wrong)
    if wrong:
        raise NoEvent(wrong, event_type=event_type, event_id=event_id)
    nested = document.get("data")
    if isinstance(nested, dict):
        data, base = nested, "/data"
    else:
        data, base = {key: value for key, value in document.items() if key not in PLAIN_KEYS}, ""
    return Event(
        event_type or "", event_id or fallback_id, source or receipt.source, time, subject, version, data, base
    )


def _time(document: dict[str, Any], key: str, wrong: list[Violation]) -> int | None:
    value = document.get(key)
    if value is None:
        return None
    try:
        return parse_time(value)
    except ValueError as error:
        wrong.append(Violation(f"/{key}", "time", str(error)))
        return None


def _version(value: Any, wrong: list[Violation]) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, bool | Decimal) or not isinstance(value, int) or not 0 <= value < 10**9:
        wrong.append(Violation("/schemaVersion", "type", "is not a whole number from 0"))
        return None
    return value
