"""Exact values in DynamoDB's JSON, and back with the same types and digits; the size of an item.

DynamoDB has one kind of number: it drops trailing zeros and does not tell 12 from Decimal("12"). An int, and a Decimal
with a fraction that ends in no zero, read back from such a number by a rule. For the others a note says what the
number does not: a tree along the value, whose leaves are the exponent of a Decimal, or the whole text of a zero, or
``true`` where a string holds JSON, because DynamoDB cannot hold the value as it is (more than 32 levels deep, an object
with an empty key).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from ...core.errors import Unstorable
from ...core.numbers import EXACT, UnholdableNumber, fits, fits_int
from ...core.records import Value

Wire: TypeAlias = dict[str, Any]
"""A value as {type: value}."""
Note: TypeAlias = Any
"""None, or a tree of dicts (keys, or indexes as text) with leaves as said above."""

LARGEST_ITEM: Final = 400 * 1024
"""Bytes of attribute names and values (DynamoDB, "Constraints")."""
_DEEPEST: Final = 31
"""Levels of lists and maps below an attribute that is itself one: 32 in all."""
_LONGEST_NAME: Final = 65_535
"""Bytes of an attribute name, also within maps; the shortest has one (DynamoDB, "Naming rules")."""

_encode_json = msgspec.json.Encoder(decimal_format="number").encode
encode_item = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder(float_hook=Decimal).decode
_SCALARS: Final = frozenset({str, int, bool, type(None)})


def to_wire(value: Value) -> tuple[Wire, Note]:
    """The value, and what must be noted to read it back.

    Raises ``ValueError`` for what is no exact JSON value or a number that DynamoDB cannot hold. Half a surrogate pair
    passes: encoding the wire form as JSON raises ``UnicodeEncodeError`` for it.
    """
    notes: dict[str, Note] = {}
    wire = _wire(value, _DEEPEST, notes, "")
    return wire, notes.get("")


def from_wire(wire: Wire, note: Note) -> Value:
    """What ``to_wire`` was given."""
    [(kind, content)] = wire.items()
    match kind:
        case "S":
            return decode_json(content) if note is True else content
        case "N":
            return _number(content, note)
        case "BOOL":
            return content
        case "NULL":
            return None
        case "M":
            if note is None:
                return {key: from_wire(item, None) for key, item in content.items()}
            return {key: from_wire(item, note.get(key)) for key, item in content.items()}
        case "L":
            if note is None:
                return [from_wire(item, None) for item in content]
            return [from_wire(item, note.get(str(place))) for place, item in enumerate(content)]
    raise ValueError(f"a value of DynamoDB's type {kind} is none that Millrace writes")


def encode_json(value: Value) -> bytes:
    """JSON that ``decode_json`` reads back with the same types and digits, numbers of any size included.

    Raises ``ValueError`` for what is no exact JSON value, ``UnicodeEncodeError`` for half a surrogate pair.
    """
    return _encode_json(_exact(value))


def decode_json(text: bytes | str) -> Value:
    """What ``encode_json`` was given, tuples as lists."""
    return _decode_json(text)


def size(item: Mapping[str, Wire]) -> int:
    """How many bytes DynamoDB counts for an item (developer guide, "Item sizes and formats"), rather too many."""
    return sum(len(name.encode()) + _size(wire) for name, wire in item.items())


def item_json(item: Mapping[str, Wire]) -> bytes:
    """The item as JSON. Raises ``ValueError`` where it is larger than DynamoDB's items may be."""
    text = encode_item(item)
    # The JSON of an item is longer than what DynamoDB counts.
    if len(text) > LARGEST_ITEM and (count := size(item)) > LARGEST_ITEM:
        raise ValueError(f"it has {count} bytes, an item of DynamoDB at most {LARGEST_ITEM}")
    return text


@contextmanager
def refusing(position: int) -> Iterator[None]:
    """Raise ``Unstorable`` with that position where the block cannot write a record in DynamoDB's terms."""
    try:
        yield
    except UnicodeEncodeError:
        raise Unstorable(position, "a string holds half of a surrogate pair, which is no Unicode text") from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unstorable(position, f"a value cannot be stored exactly: {error}") from None


def _wire(value: Value, levels: int, notes: dict[str, Note], name: str) -> Wire:
    """The value; what must be noted goes into ``notes`` under ``name``."""
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is bool:
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if kind is int:
        if not fits_int(value):
            raise UnholdableNumber
        return {"N": str(value)}
    if kind is Decimal:
        return _decimal(value, notes, name)
    if kind is dict or kind is list:
        if levels == 0 or (kind is dict and not _names_fit(value)):
            notes[name] = True
            return {"S": encode_json(value).decode()}
        below: dict[str, Note] = {}
        wire: Wire
        if kind is dict:
            wire = {"M": {key: _wire(item, levels - 1, below, key) for key, item in value.items()}}
        else:
            wire = {"L": [_wire(item, levels - 1, below, str(place)) for place, item in enumerate(value)]}
        if below:
            notes[name] = below
        return wire
    if isinstance(value, str):
        return {"S": str.__str__(value)}
    if isinstance(value, int):
        return _wire(int(value), levels, notes, name)
    raise ValueError(f"a {kind.__name__} is no exact JSON value")


def _decimal(value: Decimal, notes: dict[str, Note], name: str) -> Wire:
    if not value.is_finite() or not fits(value):
        raise UnholdableNumber
    text = str(value)
    if "." in text and text[-1] != "0" and "E" not in text:
        return {"N": text}
    _, digits, exponent = value.as_tuple()
    if not value:
        notes[name] = text
        return {"N": "0"}
    if int(exponent) >= 0 or digits[-1] == 0:
        notes[name] = exponent
    return {"N": text}


def _number(text: str, note: Note) -> int | Decimal:
    if type(note) is str:
        return Decimal(note)
    if note is not None:
        return EXACT.quantize(Decimal(text), Decimal((0, (1,), note)))
    if "." not in text and "E" not in text:
        return int(text)
    value = EXACT.normalize(Decimal(text))
    return int(value) if value == value.to_integral_value() else value


def _names_fit(value: dict[Any, Any]) -> bool:
    for key in value:
        if not isinstance(key, str):
            raise ValueError("a key of an object is no string")
        if not key or (len(key) > _LONGEST_NAME // 4 and len(key.encode(errors="replace")) > _LONGEST_NAME):
            return False
    return True


def _exact(value: Value) -> Value:
    """The value, made such that the encoder keeps its types: an integral Decimal becomes 12E0, which reads back."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is Decimal:
        if not value.is_finite():
            raise ValueError(f"{value} is no number that JSON has")
        text = str(value)
        return msgspec.Raw(f"{text}E0".encode()) if text.lstrip("-").isdecimal() else value
    if kind is list or kind is tuple:
        if _SCALARS.issuperset(map(type, value)):  # long lists of texts are what views keep
            return value
        return [_exact(item) for item in value]
    if kind is dict:
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key of an object is no string")
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, str | int):
        return value
    raise ValueError(f"a {kind.__name__} is no exact JSON value")


def _size(wire: Wire) -> int:
    [(kind, content)] = wire.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content) // 2 + 2
        case "B":
            return len(content) * 3 // 4
        case "M":
            return 3 + sum(len(key.encode()) + _size(item) + 1 for key, item in content.items())
        case "L":
            return 3 + _sum(content)
    return 1


def _sum(items: Sequence[Wire]) -> int:
    return sum(_size(item) + 1 for item in items)
