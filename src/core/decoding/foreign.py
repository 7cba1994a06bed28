"""Foreign documents: where their records are, and how a catalog's source reads a record as an event."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec

from ..records import Violation
from ..times import parse_time
from .bodies import elements
from .events import Event, NoEvent

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@attrs.frozen
class Source:
    """A foreign kind of document, and where in it the events are.

    ``records`` is a JSON pointer to the array of records, "" for documents that are one record (or an array of
    them). ``type``, ``id``, ``time``, ``subject`` and ``origin`` each are a pointer within the record (starting with
    "/"), or for ``type`` and ``origin`` a constant. ``types`` maps what ``type`` finds to types of the catalog.
    """

    name: str
    records: str
    type: str
    id: str | None
    time: str | None
    subject: str | None
    origin: str
    types: Mapping[str, str]
    place: str


def records_of(source: Source, document: bytes) -> Sequence[bytes]:
    """The bytes of each record of a document; the document itself where the records cannot be found in it."""
    inner = document
    try:
        for token in source.records.split("/")[1:]:
            inner = bytes(_members(inner)[_unescape(token)])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return [document]
    return elements(inner) if inner.lstrip(b" \t\r\n").startswith(b"[") else [inner]


def read_record(source: Source, record: Any, fallback_id: str) -> Event:
    """The event a record is: all of it is the data. Raises ``NoEvent`` with all that is wrong."""
    if not isinstance(record, dict):
        raise NoEvent([Violation("", "type", f"is no record of {source.name}: not an object")])
    wrong: list[Violation] = []
    found = _text(source.type, record, wrong, required=True)
    event_type = source.types.get(found or "", found)
    event_id = _text(source.id, record, wrong, required=True) if source.id else None
    subject = _text(source.subject, record, wrong) if source.subject else None
    origin = _text(source.origin, record, wrong, required=True)
    time = _time(source.time, record, wrong)
    if wrong:
        raise NoEvent(wrong, event_type=event_type, event_id=event_id)
    return Event(event_type or "", event_id or fallback_id, origin or source.name, time, subject, None, record, "")


def _text(pointer: str, record: Any, wrong: list[Violation], *, required: bool = False) -> str | None:
    if not pointer.startswith("/"):
        return pointer
    value = _at(record, pointer)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # foreign ids may be numbers; as text they are what an event's id is
    if value is None and not required:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= 2048:
        code = "required" if value is None else "type"
        wrong.append(
            Violation(pointer, code, "is missing" if value is None else "is not a text of 1 to 2048 characters")
        )
        return None
    return value


def _time(pointer: str | None, record: Any, wrong: list[Violation]) -> int | None:
    if pointer is None or (value := _at(record, pointer)) is None:
        return None
    try:
        return parse_time(value)
    except ValueError as error:
        wrong.append(Violation(pointer, "time", str(error)))
        return None


def _at(value: Any, pointer: str) -> Any:
    """What a JSON pointer points to, None where there is nothing."""
    for token in pointer.split("/")[1:]:
        if isinstance(value, dict):
            value = value.get(_unescape(token))
        elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")
