"""Envelopes of plain events, many at once: what the answer to a request says of each, without reading its data.

For those who accept events: where nothing in a body deserves care, it takes a third of the time of reading each.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from ..identity import EARLIEST, LATEST
from ..records import RawObject
from ..times import Instant, epoch_micros, to_micros
from .bodies import MAX_EVENT, is_binary_mode
from .strict_json import MAX_DEPTH, brackets, unremarkable_text

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
    if brackets(body) > MAX_DEPTH and max(map(brackets, documents), default=0) > MAX_DEPTH:
        return None
    try:
        if body[:1] == b"[":
            found = _array(body)
        else:
            found = [_one(body)] if len(documents) == 1 else _lines(body)
        if len(found) != len(documents) or not all(map(_has_a_time_or_none, found)):
            return None
    except (msgspec.DecodeError, RecursionError):
        return None
    return found


def _has_a_time_or_none(envelope: Envelope) -> bool:
    time = envelope.time
    if time is UNSET:
        return True
    micros = to_micros(time) if isinstance(time, datetime) else epoch_micros(time)
    return EARLIEST <= micros <= LATEST
