"""The JSON text of exact values: what goes in comes back with the same types, numbers to the last digit.

A Decimal is written as a JSON number and read back through ``float_hook``. Its text may look like an int ("12"):
that one is written as ``12E0``, which JSON allows and which reads back as the same Decimal.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from .records import Value

encode = msgspec.json.Encoder(decimal_format="number").encode
"""JSON of what ``exact`` let through. Raises ``UnicodeEncodeError`` for a lone surrogate."""

_decode_list = msgspec.json.Decoder(list[Any], float_hook=Decimal).decode

_PLAIN = frozenset({str, int, bool, type(None)})


def exact(fields: dict[str, Value]) -> dict[str, Value]:
    """The fields themselves where ``encode`` keeps their types, else a copy that it does.

    Raises ``ValueError`` for what is no exact JSON value: a float, an infinity, a key that is no string.
    """
    for value in fields.values():
        kind = type(value)
        if kind is str or kind is int or kind is bool or value is None:
            continue
        if kind is Decimal:
            text = str(value)
            if "." in text or "E" in text:
                continue
        return {key: _exact(item) for key, item in fields.items()}
    return fields


def encode_list(values: Sequence[Value]) -> bytes:
    """The JSON array of the values; raises as ``exact`` and ``encode`` do."""
    return encode([_exact(value) for value in values])


def decode_list(text: bytes) -> list[Value]:
    """What ``encode_list`` was given."""
    return _decode_list(text)


def _exact(value: Value) -> Value:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is Decimal:
        if not value.is_finite():
            raise ValueError(f"{value} is no number that JSON has")
        text = str(value)
        return msgspec.Raw(f"{text}E0".encode()) if text.lstrip("-").isdigit() else value
    if kind is list:
        if _PLAIN.issuperset(map(type, value)):  # long lists of texts are what views keep
            return value
        return [_exact(item) for item in value]
    if kind is dict:
        if not all(type(key) is str for key in value):
            raise ValueError("a key of an object is no string")
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, str | int):
        return value
    raise ValueError(f"a {kind.__name__} is no exact JSON value")
