"""Narrowing: what one shape no longer takes that another one did, place by place, and what it takes besides."""

import enum
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import annotated_types as at
import attrs

from ..decoding.strict_json import escape
from .functions import same_code
from .shapes import LEAVES, Choice, Constraint, Field, Leaf, Many, Mapping, OneOf, Pattern, Record, Shape, json_types


class Change(NamedTuple):
    """One difference between two shapes. ``narrows``: some value that was taken is not any more. ``breaks`` those who
    read what is curated, whether or not it narrows.
    """

    pointer: str
    code: str
    message: str
    narrows: bool = False
    breaks: bool = False


Bounds: TypeAlias = tuple[Constraint, ...]

_WIDER: dict[Any, tuple[Any, ...]] = {
    int: (Decimal, float),
    float: (Decimal,),
    datetime: (str,),
    date: (str,),
    time: (str,),
    UUID: (str,),
    bytes: (str,),
}
"""Types whose every JSON value the others take too."""


def changes_of(old: Shape, new: Shape, pointer: str = "") -> Iterator[Change]:
    """How the values that ``new`` takes differ from those of ``old``."""
    olds, old_null = _options(old)
    news, new_null = _options(new)
    if old_null and not new_null:
        yield Change(pointer, "narrowed", "no longer takes null", narrows=True)
    elif new_null and not old_null:
        yield Change(pointer, "widened", "takes null too")
    if len(olds) == len(news) == 1 and not json_types(olds[0][0]) & json_types(news[0][0]):
        yield _of_type(olds[0][0], news[0][0], pointer, wider=False)
        return
    for before, bounds in olds:
        matching = [option for option in news if json_types(before) & json_types(option[0])]
        if not matching:
            yield Change(pointer, "narrowed", f"no longer takes {_name(before)}", narrows=True)
        for after, limits in matching[:1]:
            yield from _changes(before, after, pointer)
            yield from _tightened(bounds, limits, pointer)
    for after, _ in news:
        if not any(json_types(after) & json_types(before) for before, _ in olds):
            yield Change(pointer, "widened", f"takes {_name(after)} too")


def _options(shape: Shape) -> tuple[list[tuple[Shape, Bounds]], bool]:
    """The shapes among which a value chooses, each with its constraints; and whether it may be null."""
    if isinstance(shape, OneOf):
        return [(option, (*shape.constraints, *option.constraints)) for option in shape.options], shape.nullable
    nullable = None in shape.values if isinstance(shape, Choice) else isinstance(shape, Leaf) and shape.type is Any
    return [(shape, shape.constraints)], nullable


def _changes(old: Shape, new: Shape, pointer: str) -> Iterator[Change]:
    match old, new:
        case Leaf(type=before), Leaf(type=after):
            if before is not after:
                yield _of_type(old, new, pointer, wider=after is Any or after in _WIDER.get(before, ()))
        case Choice(), Choice():
            yield from _choices(old, new, pointer)
        case Choice(), Leaf(type=after):
            kinds = {type(value) for value in _values(old) if value is not None}
            yield _of_type(old, new, pointer, wider=all(after in (kind, Any, *_WIDER.get(kind, ())) for kind in kinds))
        case Many(item=before, container=one), Many(item=after, container=other):
            yield from changes_of(before, after, f"{pointer}/*")
            if {one, other} & {set, frozenset} and {one, other} & {list, tuple}:
                message = f"is a {other.__name__} now, and was a {one.__name__}"
                yield Change(pointer, "container", message, breaks=True)
        case Mapping(item=before), Mapping(item=after):
            yield from changes_of(before, after, f"{pointer}/*")
        case Record(), Record():
            yield from changes_of_fields(old, new, pointer)
        case _:
            yield _of_type(old, new, pointer, wider=isinstance(new, Leaf) and new.type is Any)


def changes_of_fields(old: Record, new: Record, pointer: str = "") -> Iterator[Change]:
    """How two objects differ, field by field."""
    olds, news = ({field.name: field for field in shape.fields} for shape in (old, new))
    for name in olds | news:
        place = f"{pointer}/{escape(name)}"
        before, after = olds.get(name), news.get(name)
        if after is None:
            yield Change(place, "field-removed", "was removed", breaks=True)
        elif before is None:
            if after.required:
                yield Change(place, "field-required", "is new, and required", narrows=True)
            else:
                yield Change(place, "field-added", "is new")
        else:
            yield from changes_of(before.shape, after.shape, place)
            yield from _defaults(before, after, place)


def _defaults(old: Field, new: Field, place: str) -> Iterator[Change]:
    if new.required and not old.required:
        yield Change(place, "field-required", "is required now", narrows=True)
    elif old.required and not new.required:
        yield Change(place, "field-optional", "may be absent now")
    elif not new.required and (before := _default(old)) != (after := _default(new)):
        yield Change(place, "default-changed", f"is {after!r} when absent, and was {before!r}", breaks=True)


def _default(field: Field) -> Any:
    default = field.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


def _choices(old: Choice, new: Choice, pointer: str) -> Iterator[Change]:
    before, after = _values(old), _values(new)
    if gone := [value for value in before if not _among(value, after) and value is not None]:
        yield Change(pointer, "narrowed", f"no longer takes {', '.join(map(repr, gone))}", narrows=True)
    if more := [value for value in after if not _among(value, before) and value is not None]:
        yield Change(pointer, "widened", f"takes {', '.join(map(repr, more))} too")


def _among(value: Any, values: list[Any]) -> bool:
    return any(value.__class__ is other.__class__ and value == other for other in values)


def _values(shape: Choice) -> list[Any]:
    return [value.value if isinstance(value, enum.Enum) else value for value in shape.values]


def _of_type(old: Shape, new: Shape, pointer: str, *, wider: bool) -> Change:
    code = "widened" if wider else "narrowed"
    return Change(pointer, code, f"is {_name(new)} now, and was {_name(old)}", narrows=not wider)


def _name(shape: Shape) -> str:
    match shape:
        case Leaf(type=leaf):
            return "any value" if leaf is Any else leaf.__name__ if leaf in LEAVES else str(leaf)
        case Choice():
            return f"one of {', '.join(map(repr, _values(shape)))}"
        case Many(container=container):
            return f"a {container.__name__}"
        case Mapping():
            return "a dict"
        case OneOf(type=union):
            return str(union)
        case Record(type=cls):
            return f"a {cls.__name__}"


# ---------------------------------------------------------------------------------------------------------- constraints


def _tightened(old: Bounds, new: Bounds, pointer: str) -> Iterator[Change]:
    """How the constraints differ, each kind by itself."""
    for code, sign in (("least", 1), ("most", -1), ("shortest", 1), ("longest", -1)):
        before, after = (_edge(bounds, code, sign) for bounds in (old, new))
        if before != after:
            tighter = after is not None and (before is None or _is_beyond(after, before, sign))
            yield _constraint(pointer, tighter, _bound(code, before), _bound(code, after))
    yield from _steps(old, new, pointer)
    for kind in (Pattern, at.Predicate):
        had, has = ([each for each in bounds if isinstance(each, kind)] for bounds in (old, new))
        for each in has:
            if not any(_same(each, other) for other in had):
                yield _constraint(pointer, True, None, _text(each))
        for each in had:
            if not any(_same(each, other) for other in has):
                yield _constraint(pointer, False, _text(each), None)


_Edge: TypeAlias = tuple[Any, bool]
"""A bound, and whether it is itself excluded."""


def _edge(bounds: Bounds, code: str, sign: int) -> _Edge | None:
    """The bound of that kind that decides."""
    found: _Edge | None = None
    edge: _Edge
    for constraint in bounds:
        match code, constraint:
            case "least", at.Gt(gt=bound):
                edge = bound, True
            case "least", at.Ge(ge=bound):
                edge = bound, False
            case "most", at.Lt(lt=bound):
                edge = bound, True
            case "most", at.Le(le=bound):
                edge = bound, False
            case "shortest", at.MinLen(min_length=length):
                edge = length, False
            case "longest", at.MaxLen(max_length=length):
                edge = length, False
            case _:
                continue
        if found is None or _is_beyond(edge, found, sign):
            found = edge
    return None if code == "shortest" and found == (0, False) else found


def _is_beyond(edge: _Edge, other: _Edge, sign: int) -> bool:
    """Whether an edge leaves less than another one."""
    if edge[0] == other[0]:
        return edge[1] and not other[1]
    return bool(edge[0] > other[0]) if sign > 0 else bool(edge[0] < other[0])


def _bound(code: str, edge: _Edge | None) -> str | None:
    if edge is None:
        return None
    bound, excluded = edge
    words = {"least": ">" if excluded else "≥", "most": "<" if excluded else "≤", "shortest": "of length ≥"}
    return f"{words.get(code, 'of length ≤')} {bound}"


def _steps(old: Bounds, new: Bounds, pointer: str) -> Iterator[Change]:
    before, after = ([c.multiple_of for c in bounds if isinstance(c, at.MultipleOf)] for bounds in (old, new))
    if before != after:
        tighter = any(not any(had % step == 0 for had in before) for step in after)  # type: ignore[operator]
        words = [f"a multiple of {', '.join(map(str, steps))}" if steps else None for steps in (before, after)]
        yield _constraint(pointer, tighter, *words)


def _constraint(pointer: str, tighter: bool, before: str | None, after: str | None) -> Change:
    if before is None:
        message = f"must be {after} now"
    elif after is None:
        message = f"need not be {before} any more"
    else:
        message = f"must be {after} now, and {before} before"
    return Change(pointer, "tightened" if tighter else "loosened", message, narrows=tighter)


def _same(one: Constraint, other: Constraint) -> bool:
    if isinstance(one, at.Predicate) and isinstance(other, at.Predicate):
        return same_code(one.func, other.func)
    return one == other


def _text(constraint: Constraint) -> str:
    if isinstance(constraint, at.Predicate):
        return f"accepted by {getattr(constraint.func, '__name__', constraint.func)}"
    return f"like {str(constraint)!r}"
