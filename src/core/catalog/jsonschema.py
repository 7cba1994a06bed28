"""JSON Schema 2020-12 of an event type's data in each version, derived from the same shape as its validation.

The schema takes everything that validation takes, and refuses what JSON Schema can say is wrong. Beyond its words are
rules, predicates, validators of the class, bounds of dates and of Decimals written as strings, and how many digits a
number has; those that were declared by name are told in a ``$comment``. Only plain notation is promised for Decimals
written as strings. Of an older version whose class is not declared, all that is known is that upcasters take it.
"""

import enum
import inspect
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import quote
from uuid import UUID

import annotated_types as at
import attrs

from ..schema.shapes import Choice, Constraint, Field, Leaf, Many, Mapping, OneOf, Pattern, Record, Shape
from .curation import NotStorable, as_records
from .declarations import EventType
from .examples import data_examples

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DECIMAL = r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$"

Schema: TypeAlias = dict[str, Any]

_LEAVES: dict[Any, Schema] = {
    Any: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    Decimal: {"type": ["number", "string"], "pattern": DECIMAL},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}:[0-9]{2}"},  # the format "time" asks for an offset
    UUID: {"type": "string", "format": "uuid"},
    bytes: {"type": "string", "contentEncoding": "base64"},
}
_NUMBERS = (int, float, Decimal)


def schema_urn(catalog: str, declared: EventType, version: int | None = None) -> str:
    """The name of the schema of a version (None: the current one) of a type: urn:millrace:CATALOG:TYPE:VERSION."""
    number = declared.version if version is None else version
    return f"urn:millrace:{quote(catalog, safe='')}:{quote(declared.name, safe='')}:{number}"


def json_schema(catalog: str, declared: EventType, version: int | None = None) -> Schema:
    """The schema of the data of a version (None: the current one) of a type; numbers in it are int or Decimal.

    ``$defs`` holds nested classes. Fields that are not declared are refused only where the type rejects them.
    ``examples`` are accepted, rules included. Raises ``LookupError`` for a version that is not accepted.
    """
    number = declared.version if version is None else version
    if not declared.oldest <= number <= declared.version:
        raise LookupError(number)
    head: Schema = {"$schema": DIALECT, "$id": schema_urn(catalog, declared, number), "title": declared.name}
    if comment := " ".join(_comments(catalog, declared, number)):
        head["$comment"] = comment
    schema = data_schema(declared, number)
    if found := data_examples(declared, number):
        schema["examples"] = found
    return head | schema


def data_schema(declared: EventType, version: int, definitions: str = "#/$defs") -> Schema:
    """What ``json_schema`` says of the data itself; ``definitions`` is where its ``$defs`` come to stand."""
    shape = declared.shape_of_version(version)
    return {"type": "object"} if shape is None else _Writer(declared.unknown == "reject", definitions).whole(shape)


def _comments(catalog: str, declared: EventType, version: int) -> Iterator[str]:
    if version < declared.version:
        steps = [declared.upcasters[number] for number in range(version, declared.version)]
        names = [getattr(step, "__name__", repr(step)) for step in steps]
        if declared.shape_of_version(version) is None:
            yield f"No class is declared for version {version}: what is wrong with its data shows once it is upcast."
        yield f"Upcast by {', '.join(names)} to {schema_urn(catalog, declared)}, which must hold then."
    if declared.rules:
        yield f"Rules checked besides: {', '.join(rule.name for rule in declared.rules)}."


class _Writer:
    def __init__(self, closed: bool, definitions: str) -> None:
        self._closed, self._definitions = closed, definitions
        self._names: dict[type, str] = {}
        self._defs: Schema = {}

    def whole(self, shape: Record) -> Schema:
        schema = self._record(shape)
        return schema | {"$defs": dict(sorted(self._defs.items()))} if self._defs else schema

    def _record(self, shape: Record) -> Schema:
        schema: Schema = {"type": "object"}
        if text := _description(shape.type):
            schema["description"] = text
        schema["properties"] = {field.name: self._field(field) for field in shape.fields}
        if required := [field.name for field in shape.fields if field.required]:
            schema["required"] = required
        if self._closed:
            schema["additionalProperties"] = False
        return schema

    def _field(self, field: Field) -> Schema:
        schema = self._schema(field.shape)
        default = _default(field.default)
        return schema if default is attrs.NOTHING else schema | {"default": default}

    def _schema(self, shape: Shape, more: tuple[Constraint, ...] = ()) -> Schema:
        constraints = (*more, *shape.constraints)
        match shape:
            case Leaf(type=leaf):
                return _constrained(_LEAVES[leaf], leaf, constraints)
            case Choice(values=values):
                plain = [value.value if isinstance(value, enum.Enum) else value for value in values]
                return _constrained({"enum": plain}, None, constraints)
            case OneOf(options=options, nullable=nullable):
                # A constraint on a union binds whichever member a value is of, and never null.
                members = [self._schema(option, constraints) for option in options]
                return _any_of([*members, {"type": "null"}] if nullable else members)
            case Many(item=item, container=container):
                array = {"type": "array", "items": self._schema(item)}
                return _constrained(array, container, constraints)
            case Mapping(item=item):
                free = {"type": "object", "additionalProperties": self._schema(item)}
                return _constrained(free, dict, constraints)
            case Record():
                reference = f"{self._definitions}/{quote(self._name(shape), safe='')}"
                return _constrained({"$ref": reference}, None, constraints)

    def _name(self, shape: Record) -> str:
        cls = shape.type
        if cls not in self._names:
            taken, name, number = {*self._names.values()}, cls.__name__, 2
            while name in taken:
                name, number = f"{cls.__name__}{number}", number + 1
            self._names[cls] = name
            self._defs[name] = {"title": cls.__name__, **self._record(shape)}
        return self._names[cls]


def _any_of(members: list[Schema]) -> Schema:
    return members[0] if len(members) == 1 else {"anyOf": members}


def _constrained(schema: Schema, kind: Any, constraints: tuple[Constraint, ...]) -> Schema:
    """The schema with what the constraints come to; those without a keyword are told in a comment."""
    schema, further, untold = dict(schema), [], []
    for constraint in constraints:
        keywords = _keywords(constraint, kind)
        if keywords is None:
            untold.append(_told(constraint))
        elif keywords.keys() & schema.keys():
            further.append(keywords)
        else:
            schema |= keywords
    if further:
        schema["allOf"] = further
    return schema | {"$comment": "; ".join(untold)} if untold else schema


_SIZES = {str: "Length", list: "Items", tuple: "Items", set: "Items", frozenset: "Items", dict: "Properties"}


def _keywords(constraint: Constraint, kind: Any) -> Schema | None:
    match constraint:
        case Pattern():
            return {"pattern": str(constraint)}
        case at.Gt(gt=bound) if kind in _NUMBERS:
            return {"exclusiveMinimum": _number(bound)}
        case at.Ge(ge=bound) if kind in _NUMBERS:
            return {"minimum": _number(bound)}
        case at.Lt(lt=bound) if kind in _NUMBERS:
            return {"exclusiveMaximum": _number(bound)}
        case at.Le(le=bound) if kind in _NUMBERS:
            return {"maximum": _number(bound)}
        case at.MultipleOf(multiple_of=step) if kind in _NUMBERS:
            return {"multipleOf": _number(abs(step))}  # type: ignore[arg-type]
        case at.MinLen(min_length=least) if kind in _SIZES:
            return {f"min{_SIZES[kind]}": least}
        case at.MaxLen(max_length=most) if kind in _SIZES and kind not in (set, frozenset):
            return {f"max{_SIZES[kind]}": most}  # of a set, repeated items do not count
    return None


def _number(bound: Any) -> Any:
    return Decimal(repr(bound)) if isinstance(bound, float) else bound


def _told(constraint: Constraint) -> str:
    if isinstance(constraint, at.Predicate):
        return f"satisfies {getattr(constraint.func, '__name__', constraint.func)}"
    return ", ".join(_words(constraint))


def _words(constraint: Constraint) -> Iterator[str]:
    names = {
        "gt": "greater than",
        "ge": "at least",
        "lt": "less than",
        "le": "at most",
        "multiple_of": "a multiple of",
        "min_length": "in its final form at least as long as",
        "max_length": "in its final form no longer than",
    }
    for attribute, words in names.items():
        if hasattr(constraint, attribute):
            yield f"{words} {getattr(constraint, attribute)}"


def _default(value: Any) -> Any:
    """What an absent field is, as JSON; NOTHING where that is not known without running user code."""
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        value = value.factory() if value.factory in (list, tuple, dict, set, frozenset) else attrs.NOTHING
    if value is attrs.NOTHING:
        return value
    try:
        (fields,) = as_records({"default": value})
    except NotStorable:
        return attrs.NOTHING
    return fields["default"]


def _description(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__) if cls.__doc__ else ""
