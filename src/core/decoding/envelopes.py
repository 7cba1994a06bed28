"""Envelopes of plain events, many at once: what the answer to a request says of each, without reading its data.

For those who accept events: where nothing in a body deserves care, it takes a third of the time of reading each.
"""

from collections.abc import Iterable, Sequence
from datetime import MAXYEAR, MINYEAR, datetime
from itertools import repeat
from operator import add
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from ..identity import EARLIEST, LATEST
from ..records import RawObject
from ..times import Instant, epoch_micros
from .bodies import MAX_EVENT, is_binary_mode
from .strict_json import MAX_DEPTH, unremarkable_text

Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class Envelope(msgspec.Struct, gc=False):
    """The envelope of a plain event; everything else in the object is passed over."""

    type: Text = msgspec.field(name="eventType")
    id: Text | UnsetType = msgspec.field(name="eventId", default=UNSET)
    time: Instant | int | UnsetType = msgspec.field(name="eventTime", default=UNSET)
    source: Text | UnsetType = UNSET
    subject: Text | UnsetType = UNSET
    version: Annotated[int, msgspec.Meta(ge=0, lt=10**9)] | UnsetType = msgspec.field(
        name="schemaVersion", default=UNSET
    )


_one = msgspec.json.Decoder(Envelope).decode
_array = msgspec.json.Decoder(list[Envelope]).decode
_lines = msgspec.json.Decoder(Envelope).decode_lines


def envelopes(raw: RawObject, documents: Sequence[bytes]) -> Sequence[Envelope] | None:
    """The envelope of each of the documents of a receipt; None unless all are plain events without a doubt.

    None says nothing: then each document is to be read with care.
    """
    body = raw.body
    if raw.receipt.foreign is not None or is_binary_mode(raw) or not unremarkable_text(body):
        return None
    if len(body) > MAX_EVENT and max(map(len, documents), default=0) > MAX_EVENT:
        return None
    if _most_brackets(documents) > MAX_DEPTH:
        return None
    try:
        found = _array(body) if body[:1] == b"[" else _lines(body) if len(documents) > 1 else [_one(body)]
        if len(found) != len(documents) or not _have_times(found):
            return None
    except (msgspec.DecodeError, RecursionError):
        return None
    return found


def _most_brackets(documents: Sequence[bytes]) -> int:
    # Without a call of Python's for each document: there may be thousands.
    braces, squares = map(bytes.count, documents, repeat(b"{")), map(bytes.count, documents, repeat(b"["))
    return max(map(add, braces, squares), default=0)


def _have_times(found: Iterable[Envelope]) -> bool:
    """Whether each time is one that can be, without a doubt: an offset may lead beyond the first and the last year."""
    for time in [each.time for each in found]:
        if time.__class__ is datetime:
            if not MINYEAR < time.year < MAXYEAR:
                return False
        elif time is not UNSET and not EARLIEST <= epoch_micros(time) <= LATEST:  # type: ignore[arg-type]
            return False
    return True
