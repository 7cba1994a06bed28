"""From a body to its documents: which bytes belong to which event, before any of them is understood."""

import zlib
from collections.abc import Sequence

import msgspec

from ..errors import BodyError
from ..records import RawObject

MAX_EVENT = 256 * 1024
"""The most bytes of one event."""

DAMAGED = "application/vnd.millrace.damaged"
"""The content type of what comes in a file from where it cannot be read on: one document, which is no event."""

_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def media_type(content_type: str) -> str:
    """The type and subtype in lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_lines(content_type: str) -> bool:
    """Whether a body of this type holds one document a line."""
    return media_type(content_type) in _LINES


def is_json(content_type: str) -> bool:
    """Whether a body of this type is JSON, or absent and taken for it."""
    kind = media_type(content_type)
    return kind in ("", "application/json", "text/json") or kind.endswith("+json") or kind in _LINES


def is_binary_mode(raw: RawObject) -> bool:
    """Whether the event's attributes are in headers (CloudEvents 1.0.2, HTTP protocol binding §3).

    Structured requests may repeat them there (§3.2.3), so the content type decides.
    """
    if "ce-specversion" not in raw.receipt.headers:
        return False
    return not media_type(raw.receipt.content_type).startswith("application/cloudevents")


def documents(raw: RawObject) -> Sequence[bytes]:
    """The bytes of each document, in order: lines that are not blank, elements of an array, or the one there is.

    A body that cannot be cut is one document; decoding it will say why.
    """
    if is_binary_mode(raw):
        return [raw.body]
    if is_lines(raw.receipt.content_type):
        lines = raw.body.split(b"\n")
        if not lines[-1]:
            lines.pop()
        return lines if all(map(bytes.strip, lines)) else [line for line in lines if line.strip()]
    if raw.body.lstrip(b" \t\r\n").startswith(b"["):
        return elements(raw.body)
    return [raw.body]


def elements(array: bytes) -> Sequence[bytes]:
    """The elements of a JSON array; the whole as one where it is not JSON."""
    try:
        return [bytes(element) for element in _elements(array)]
    except (msgspec.DecodeError, RecursionError):
        return [array]


def line_numbers(raw: RawObject) -> Sequence[int] | None:
    """For each document its line within the origin, where the body is lines."""
    if not is_lines(raw.receipt.content_type):
        return None
    first = raw.receipt.line
    return [first + offset for offset, line in enumerate(raw.body.split(b"\n")) if line.strip()]


def decompress(body: bytes, *, limit: int) -> bytes:
    """The content of gzip bytes, of one or several members (RFC 1952).

    Raises ``BodyError``: ``too-large`` as soon as more than ``limit`` bytes come out, ``malformed`` when damaged.
    """
    parts: list[bytes] = []
    left, rest = limit + 1, body
    while rest:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            parts.append(member.decompress(rest, left))
        except zlib.error as error:
            raise BodyError(f"The gzip content is damaged: {error}.", code="gzip") from None
        left -= len(parts[-1])
        if left <= 0:
            raise BodyError(f"The content is larger than {limit} bytes.", code="too-large", reason="too-large")
        if not member.eof:
            raise BodyError("The gzip content ends in the middle.", code="gzip")
        rest = member.unused_data.lstrip(b"\0")
    return b"".join(parts)
