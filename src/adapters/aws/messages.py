"""The wire forms of what goes through SQS: ASCII JSON texts, and their size as the service counts it.

SQS refuses some Unicode characters (U+0000, most controls, U+FFFE…), and counts bytes: ASCII JSON has neither
problem, since JSON escapes everything else.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ...core.errors import PermanentError
from ...core.records import Message, RawObject

MAX_MESSAGE: Final = 1_048_576
"""Bytes that a message may have, attributes included; a batch of messages together, too.

Source: SendMessage and SendMessageBatch in the SQS API reference. The queue must have this as its
``MaximumMessageSize``.
"""

Attributes = Mapping[str, Mapping[str, str]]


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a message of the processing queue. ``raw`` is there where it fits; its bytes are base64."""

    receipt: str
    raw: RawObject | None = None


_decode = msgspec.json.Decoder(Envelope).decode


def ascii_json(value: Any) -> str:
    """Compact JSON in ASCII of any msgspec type. Raises ``PermanentError`` for lone surrogates."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise PermanentError(f"a text is no Unicode: {error}") from error
    if encoded.isascii():
        return encoded.decode("ascii")
    return json.dumps(msgspec.json.decode(encoded), separators=(",", ":"))


def text_attribute(value: str) -> Mapping[str, str]:
    """A message attribute of type String: escaped to ASCII and cut to 256 characters. ``value`` is not empty."""
    return {"DataType": "String", "StringValue": json.dumps(value)[1:-1][:256]}


def number_attribute(value: int) -> Mapping[str, str]:
    """A message attribute of type Number."""
    return {"DataType": "Number", "StringValue": str(value)}


def size_of(body: str, attributes: Attributes) -> int:
    """Bytes of a message as SQS counts them: its ASCII body, and name, type and value of each attribute."""
    return len(body) + sum(len(name) + sum(map(len, attribute.values())) for name, attribute in attributes.items())


def encode_receipt(receipt: str, raw: RawObject | None, attributes: Attributes, most: int = MAX_MESSAGE) -> str:
    """The body that sends a receipt: with its raw object where the message then has at most ``most`` bytes."""
    # Base64 makes 4 bytes of 3: what cannot fit is not even encoded.
    if raw is not None and len(raw.body) * 4 // 3 < most:
        body = ascii_json(Envelope(receipt, raw))
        if size_of(body, attributes) <= most:
            return body
    return ascii_json(Envelope(receipt))


def decode_receipt(body: str, token: str, attempt: int) -> Message:
    """The message that a body of the processing queue stands for. Raises ``PermanentError`` for any other body."""
    try:
        envelope = _decode(body)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise PermanentError(f"a message of the queue names no receipt: {error}") from error
    if envelope.raw is not None and envelope.raw.receipt.id != envelope.receipt:
        raise PermanentError(f"a message of receipt {envelope.receipt} carries another receipt's bytes")
    return Message(envelope.receipt, token, attempt, envelope.raw)
