"""From a typed event to curated fields: the user's transform, and what a store can hold of its result."""

import base64
import enum
import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs

from ..decoding.strict_json import escape
from ..numbers import UnholdableNumber, fits, fits_int
from ..schema.examples import examples
from ..times import format_time, to_micros
from .declarations import EventType

RESERVED = frozenset({"eventId", "eventType", "eventTime", "source", "schemaVersion", "curatedAt", "receipt"})
"""Names that ``events`` shows beside the curated fields."""

Curate = Callable[[Any], Any]


class NotStorable(Exception):
    """A transform returned what no store can hold; says where and why."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer or 'the result'} {message}")
        self.pointer, self.message = pointer, message


def compile_curate(declared: EventType) -> Curate:
    """The user's transform; without one, a function that yields the fields of the class and what is derived."""
    if declared.transform is not None:
        return declared.transform
    names, derive = [field.name for field in declared.shape.fields], declared.derive

    def curate(event: Any) -> dict[str, Any]:
        fields = {name: getattr(event, name) for name in names}
        further: Any = {} if derive is None else derive(event)
        if not isinstance(further, dict):
            raise NotStorable("", f"is {type(further).__name__}; a derivation returns a dict")
        if clash := fields.keys() & further.keys():
            raise NotStorable(f"/{escape(min(clash))}", "is a field of the class already")
        return fields | further

    return curate


def example_records(declared: EventType) -> list[dict[str, Any]]:
    """What examples of a type are curated into, in storable form; none where user code refuses all of them."""
    curate, records = compile_curate(declared), []
    for example in examples(declared.shape):
        try:
            records += as_records(curate(example))
        except Exception:  # noqa: S112 (that says nothing of real events)
            continue
    return records


def as_records(result: Any) -> list[dict[str, Any]]:
    """What a transform returned, as a list of storable records. Raises ``NotStorable``."""
    if result is None:
        return []
    if isinstance(result, dict) or attrs.has(type(result)):
        return [_fields(result, "")]
    if isinstance(result, list | tuple):
        return [_fields(item, f"/{index}") for index, item in enumerate(result)]
    raise NotStorable("", f"is {type(result).__name__}; a transform returns a dict, a list of dicts, or None")


def _fields(value: Any, pointer: str) -> dict[str, Any]:
    if attrs.has(type(value)):
        value = {a.name: getattr(value, a.name) for a in attrs.fields(type(value))}
    if not isinstance(value, dict):
        raise NotStorable(pointer, f"is {type(value).__name__}, not a dict")
    return {_name(key, pointer): _value(item, f"{pointer}/{escape(str(key))}") for key, item in value.items()}


def _name(key: Any, pointer: str) -> str:
    if not isinstance(key, str) or not key:
        raise NotStorable(pointer, f"has the key {key!r}; keys are non-empty strings")
    return _text(key, pointer)


def _value(value: Any, pointer: str) -> Any:
    match value:
        case enum.Enum():
            return _value(value.value, pointer)
        case None | bool():
            return value
        case str():
            return _text(value, pointer)
        case int():
            return _number(fits_int(value), value, pointer)
        case Decimal():
            return _number(fits(value), value, pointer)
        case float():
            exact = Decimal(float.__repr__(value))
            return _number(math.isfinite(value) and fits(exact), exact, pointer)
        case datetime():
            if value.tzinfo is None:
                raise NotStorable(pointer, "is a date-time without an offset")
            return format_time(to_micros(value))
        case date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case list() | tuple():
            return [_value(item, f"{pointer}/{index}") for index, item in enumerate(value)]
        case set() | frozenset():
            return sorted((_value(item, pointer) for item in value), key=lambda item: (str(type(item)), str(item)))
        case dict():
            return {_name(key, pointer): _value(item, f"{pointer}/{escape(str(key))}") for key, item in value.items()}
        case _ if attrs.has(type(value)):
            return _fields(value, pointer)
        case _:
            raise NotStorable(pointer, f"is a {type(value).__name__}, which no store can hold")


def _text(value: str, pointer: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotStorable(pointer, "has a lone surrogate, which is no character") from None
    return str.__str__(value)  # an enumeration's own __str__ may name the member


def _number(holdable: bool, value: Any, pointer: str) -> Any:
    if not holdable:
        raise NotStorable(pointer, str(UnholdableNumber()))
    return value
