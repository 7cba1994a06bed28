"""Foreign documents: where their records are, and how a catalog's source reads a record as an event."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from ..identity import derived_id
from ..records import Violation
from ..times import parse_time
from .bodies import elements
from .events import Event, NoEvent
from .signatures import AnySignature

HEADER: Final = "header:"
"""What a place begins with that is a header of the request."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@attrs.frozen
class Source:
    """A foreign kind of document, and where in it the events are.

    ``records`` is a JSON pointer to the array of records, "" for documents that are one record (or an array of
    them). ``type``, ``id``, ``time``, ``subject`` and ``origin`` each are a pointer within the record (starting with
    "/"), ``header:NAME`` for a header of the request, or for ``type`` and ``origin`` a constant. ``types`` maps what
    ``type`` finds to types of the catalog. ``data`` points to what of a record is the event's data, "" is all of it.
    ``signature`` says how requests are signed.
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
    data: str = ""
    signature: AnySignature | None = None

    @property
    def places(self) -> dict[str, str]:
        """Where type, id, time, subject and origin are, of those that are found somewhere."""
        places = {"type": self.type, "id": self.id, "time": self.time, "subject": self.subject, "origin": self.origin}
        return {label: place for label, place in places.items() if place is not None}

    @property
    def headers(self) -> frozenset[str]:
        """The headers that are read, in lower case."""
        return frozenset(_header(place) for place in self.places.values() if place.startswith(HEADER))


def records_of(source: Source, document: bytes) -> Sequence[bytes]:
    """The bytes of each record of a document; the document itself where the records cannot be found in it."""
    inner = document
    try:
        for token in source.records.split("/")[1:]:
            inner = bytes(_members(inner)[_unescape(token)])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return [document]
    return elements(inner) if inner.lstrip(b" \t\r\n").startswith(b"[") else [inner]


def read_record(source: Source, record: Any, headers: Mapping[str, str], index: int, fallback_id: str) -> Event:
    """The event that the record at an index is. Raises ``NoEvent`` with all that is wrong.

    ``headers`` are those of the receipt. Where they have the id, it is that of the first record; of the others it is
    the id followed by "#" and the index.
    """
    if not isinstance(record, dict):
        raise NoEvent([Violation("", "type", f"is no record of {source.name}: not an object")])
    wrong: list[Violation] = []
    found = _text(source.type, record, headers, wrong, required=True)
    event_type = source.types.get(found or "", found)
    event_id = _text(source.id, record, headers, wrong, required=True) if source.id else None
    if event_id and index and source.id and source.id.startswith(HEADER):
        event_id = derived_id(event_id, index)
    subject = _text(source.subject, record, headers, wrong) if source.subject else None
    origin = _text(source.origin, record, headers, wrong, required=True)
    time = _time(source.time, record, headers, wrong)
    data = _at(record, source.data)
    if not isinstance(data, dict):
        wrong.append(Violation(source.data, *_absent(data, "an object")))
    if wrong:
        raise NoEvent(wrong, event_type=event_type, event_id=event_id)
    return Event(
        event_type or "", event_id or fallback_id, origin or source.name, time, subject, None, data, source.data
    )


def _text(
    place: str, record: Any, headers: Mapping[str, str], wrong: list[Violation], *, required: bool = False
) -> str | None:
    value = _found(place, record, headers)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # foreign ids may be numbers; as text they are what an event's id is
    if value is None and not required:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= 2048:
        wrong.append(_violation(place, *_absent(value, "a text of 1 to 2048 characters")))
        return None
    return value


def _time(place: str | None, record: Any, headers: Mapping[str, str], wrong: list[Violation]) -> int | None:
    if place is None or (value := _found(place, record, headers)) is None:
        return None
    if place.startswith(HEADER) and value.isascii() and value.isdigit():
        value = int(value[:20])  # a header holds text only; so many digits are no time anyway
    try:
        return parse_time(value)
    except ValueError as error:
        wrong.append(_violation(place, "time", str(error)))
        return None


def _found(place: str, record: Any, headers: Mapping[str, str]) -> Any:
    """What is at a place, None where there is nothing."""
    if place.startswith(HEADER):
        return headers.get(_header(place))
    return _at(record, place) if place.startswith("/") else place


def _header(place: str) -> str:
    return place.removeprefix(HEADER).lower()


def _absent(value: Any, wanted: str) -> tuple[str, str]:
    """The code and the sentence for a value that is not what is wanted there."""
    return ("required", "is missing") if value is None else ("type", f"is not {wanted}")


def _violation(place: str, code: str, message: str) -> Violation:
    """What is wrong at a place; a header is no place within the document."""
    if place.startswith(HEADER):
        return Violation("", code, f"header {_header(place)} {message}")
    return Violation(place, code, message)


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
