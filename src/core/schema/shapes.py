"""The shape of a declared type: annotations read once, into a tree that everything else is derived from."""

import enum
import re
import types
import typing
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias, Union
from uuid import UUID

import annotated_types
import attrs

from ..errors import CatalogError

LEAVES: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    datetime: "string",
    date: "string",
    time: "string",
    UUID: "string",
    bytes: "string",
}
"""The types of single values, each with the JSON type it is written as."""

CONTAINERS = (list, tuple, set, frozenset)


class Pattern(str):
    """A constraint: the text matches this regular expression somewhere (anchor it with ^ and $)."""

    __slots__ = ()


Constraint: TypeAlias = annotated_types.BaseMetadata | Pattern


@attrs.frozen
class Leaf:
    """A single value; ``Any`` is any JSON value."""

    type: Any
    constraints: tuple[Constraint, ...] = ()


@attrs.frozen
class Choice:
    """One of some values: a Literal or an Enum (``type``)."""

    type: Any
    values: tuple[Any, ...]
    constraints: tuple[Constraint, ...] = ()


@attrs.frozen
class OneOf:
    """A value of one of several shapes, told apart by their JSON type; ``None`` among them where ``nullable``."""

    options: tuple["Shape", ...]
    nullable: bool
    type: Any
    constraints: tuple[Constraint, ...] = ()


@attrs.frozen
class Many:
    """An array."""

    item: "Shape"
    container: type
    constraints: tuple[Constraint, ...] = ()


@attrs.frozen
class Mapping:
    """An object whose keys are free."""

    item: "Shape"
    constraints: tuple[Constraint, ...] = ()


@attrs.frozen
class Field:
    """A field of a record: its name in JSON, its argument, and what it is when absent."""

    name: str
    alias: str
    shape: "Shape"
    annotation: Any
    default: Any
    kw_only: bool

    @property
    def required(self) -> bool:
        return self.default is attrs.NOTHING


@attrs.frozen
class Record:
    """An object that becomes an instance of an attrs class."""

    type: type
    fields: tuple[Field, ...]
    constraints: tuple[Constraint, ...] = ()


Shape: TypeAlias = Leaf | Choice | OneOf | Many | Mapping | Record


def shape_of(cls: type, place: str) -> Record:
    """The shape of an attrs class. Raises ``CatalogError`` that names the place and the field at fault."""
    return _record(cls, place, ())


def _record(cls: type, place: str, within: tuple[type, ...], constraints: tuple[Constraint, ...] = ()) -> Record:
    if not attrs.has(cls):
        raise CatalogError(f"{place}: {cls.__name__} is no attrs class; decorate it with @attrs.frozen.")
    if cls in within:
        raise CatalogError(f"{place}: {cls.__name__} contains itself; recursive types are not supported.")
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception as error:  # annotations are code: they may name something unknown, or not be Python
        raise CatalogError(f"{place}: an annotation of {cls.__name__} cannot be read: {error}.") from None
    fields = []
    for attribute in attrs.fields(cls):
        if not attribute.init:
            continue
        where = f"{place}: field {cls.__name__}.{attribute.name}"
        if attribute.name not in hints:
            raise CatalogError(f"{where} has no type annotation.")
        if isinstance(attribute.default, attrs.Factory) and attribute.default.takes_self:  # type: ignore[arg-type]
            raise CatalogError(f"{where} has a default that depends on other fields, which is not supported.")
        annotation = hints[attribute.name]
        shape = _shape(annotation, where, (*within, cls))
        fields.append(Field(attribute.name, attribute.alias, shape, annotation, attribute.default, attribute.kw_only))
    return Record(cls, tuple(fields), constraints)


def _shape(annotation: Any, where: str, within: tuple[type, ...], constraints: tuple[Constraint, ...] = ()) -> Shape:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        inner, *metadata = arguments
        found = (*constraints, *constraints_of(metadata))
        _check_applicable(inner, found, where)
        return _shape(inner, where, within, found)
    if isinstance(annotation, typing.NewType):
        return _shape(annotation.__supertype__, where, within, constraints)
    if annotation is Any or annotation is object:
        return Leaf(Any, constraints)
    if annotation in LEAVES:
        return Leaf(annotation, constraints)
    if origin is Literal:
        return _choice(annotation, arguments, arguments, where, constraints)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _choice(annotation, tuple(annotation), [e.value for e in annotation], where, constraints)
    if origin in (Union, types.UnionType):
        return _one_of(annotation, arguments, where, within, constraints)
    if origin in CONTAINERS or annotation in CONTAINERS:
        item, container = _item(origin, arguments, where, within), origin or annotation
        if container in (set, frozenset) and not _is_hashable(item):
            raise CatalogError(f"{where}: the items of a {container.__name__} are single values; use list.")
        return Many(item, container, constraints)
    if origin is dict or annotation is dict:
        key, item = arguments or (str, Any)
        if key is not str:
            raise CatalogError(f"{where}: the keys of a dict are str, as in JSON.")
        return Mapping(_shape(item, where, within), constraints)
    if isinstance(annotation, type) and attrs.has(annotation):
        return _record(annotation, where, within, constraints)
    raise CatalogError(f"{where}: {annotation!r} is not supported as the type of a field.")


def _choice(
    annotation: Any, members: tuple[Any, ...], values: Iterable[Any], where: str, constraints: tuple[Constraint, ...]
) -> Choice:
    kinds = {type(value) for value in values}
    if typing.get_origin(annotation) is Literal:
        fitting = kinds <= {str, int, bool, type(None)}
    else:
        fitting = kinds in ({str}, {int})
    if not fitting:
        raise CatalogError(f"{where}: the values of {annotation!r} are not all texts or all whole numbers.")
    return Choice(annotation, members, constraints)


def _is_hashable(shape: Shape) -> bool:
    match shape:
        case Leaf(type=leaf):
            return leaf is not Any
        case Many(item=item, container=container):
            return container in (tuple, frozenset) and _is_hashable(item)
        case OneOf(options=options):
            return all(map(_is_hashable, options))
        case _:
            return isinstance(shape, Choice)


def _item(origin: Any, arguments: tuple[Any, ...], where: str, within: tuple[type, ...]) -> Shape:
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        raise CatalogError(f"{where}: of tuples only tuple[T, ...] is supported.")
    return _shape(arguments[0] if arguments else Any, where, within)


def _one_of(
    annotation: Any,
    arguments: tuple[Any, ...],
    where: str,
    within: tuple[type, ...],
    constraints: tuple[Constraint, ...],
) -> OneOf:
    given = [a for a in arguments if a is not type(None)]
    options = tuple(_shape(a, where, within) for a in given)
    kinds = [kind for option in options for kind in sorted(json_types(option))]
    if len(kinds) != len(set(kinds)):
        raise CatalogError(f"{where}: the members of {annotation!r} cannot be told apart in JSON.")
    if len(options) > 1 and any(isinstance(option, Record | Many | Mapping) for option in options):
        raise CatalogError(f"{where}: a union may hold one object or array type, with None, or several single values.")
    if len(options) > 1 and any(
        o.constraints or isinstance(a, typing.NewType) for o, a in zip(options, given, strict=True)
    ):
        raise CatalogError(f"{where}: of several members of a union none can have constraints or be a NewType.")
    return OneOf(options, type(None) in arguments, annotation, constraints)


def json_types(shape: Shape) -> set[str]:
    """The JSON types a value of the shape can have; integer and number count as one."""
    match shape:
        case Leaf(type=leaf):
            kinds = {"string", "number", "boolean", "array", "object"} if leaf is Any else {LEAVES[leaf]}
            if leaf is Decimal:
                kinds = {"number", "string"}
            return {"number" if kind == "integer" else kind for kind in kinds}
        case Choice(values=values):
            plain = [v.value if isinstance(v, enum.Enum) else v for v in values]
            return {"boolean" if isinstance(v, bool) else "string" if isinstance(v, str) else "number" for v in plain}
        case OneOf(options=options):
            return set().union(*map(json_types, options))
        case Many():
            return {"array"}
        case _:
            return {"object"}


def constraints_of(metadata: list[Any]) -> Iterator[Constraint]:
    for item in metadata:
        if isinstance(item, annotated_types.GroupedMetadata):
            yield from constraints_of(list(item))
        elif isinstance(item, Pattern | annotated_types.BaseMetadata):
            yield item


def _is_comparable(bound: Any, plain: Any) -> bool:
    match bound:
        case int() | float() | Decimal():
            return plain in (int, float, Decimal)
        case datetime():
            return plain is datetime and bound.tzinfo is not None
        case _:
            return type(bound) is plain


def _is_regular(pattern: str) -> bool:
    try:
        return bool(re.compile(pattern))
    except re.error:
        return False


def _check_applicable(annotation: Any, constraints: tuple[Constraint, ...], where: str) -> None:
    plain = typing.get_origin(annotation) or annotation
    if plain in (Union, types.UnionType):
        options = [a for a in typing.get_args(annotation) if a is not type(None)]
        for option in options:
            _check_applicable(option, constraints, where)
        return
    sized = (str, bytes, dict, *CONTAINERS)
    ordered = (int, float, Decimal, datetime, date, time, str)
    for constraint in constraints:
        match constraint:
            case Pattern():
                fitting = plain is str and _is_regular(constraint)
            case annotated_types.MinLen() | annotated_types.MaxLen():
                fitting = plain in sized
            case annotated_types.MultipleOf(multiple_of=step):
                fitting = plain in (int, Decimal) and isinstance(step, int | plain) and step != 0
            case (
                annotated_types.Gt(gt=bound)
                | annotated_types.Ge(ge=bound)
                | annotated_types.Lt(lt=bound)
                | annotated_types.Le(le=bound)
            ):
                fitting = plain in ordered and _is_comparable(bound, plain)
            case annotated_types.Predicate():
                fitting = True
            case _:
                raise CatalogError(f"{where}: the constraint {constraint!r} is not supported.")
        if not fitting:
            raise CatalogError(f"{where}: the constraint {constraint!r} does not fit {annotation!r}.")
