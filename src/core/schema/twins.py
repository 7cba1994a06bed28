"""The twin of a declared class: a msgspec Struct of the same fields, and the way from one to the other.

msgspec decodes a Struct about twice as fast as an attrs class and, unlike there, can refuse unknown fields: a
document that a strict twin takes has nothing in it that went unseen.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Union

import attrs
import msgspec

from ..times import Instant
from .shapes import Choice, Field, Leaf, Many, Mapping, OneOf, Record, Shape


def twin_of(shape: Record, *, strict: bool) -> type[msgspec.Struct]:
    """A Struct that decodes what the shape says; ``strict`` twins refuse unknown fields."""
    return msgspec.defstruct(
        f"{shape.type.__name__}Twin",
        twin_fields(shape, strict=strict),
        kw_only=True,
        gc=False,
        forbid_unknown_fields=strict,
    )


def twin_fields(shape: Record, *, strict: bool) -> list[Any]:
    """The fields of a twin as ``msgspec.defstruct`` takes them."""
    return [_field(field, strict) for field in shape.fields]


def is_closed(shape: Shape) -> bool:
    """Whether nothing of unknown structure can be inside."""
    match shape:
        case Leaf(type=leaf):
            return leaf is not Any
        case Choice():
            return True
        case OneOf(options=options):
            return all(map(is_closed, options))
        case Many(item=item) | Mapping(item=item):
            return is_closed(item)
        case Record(fields=fields):
            return all(is_closed(field.shape) for field in fields)


def compile_build(shape: Record) -> Callable[[Any], Any]:
    """A function from a twin to an instance of the class, made by its own ``__init__``."""
    names: dict[str, Any] = {}
    source = f"lambda t: {build_expression(shape, 't', names)}"
    build: Callable[[Any], Any] = eval(source, names)  # noqa: S307 (made of declarations only)
    return build


def _field(field: Field, strict: bool) -> tuple[Any, ...]:
    annotation = _type(field.shape, strict)
    if field.required:
        return field.name, annotation
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        return field.name, annotation, msgspec.field(default_factory=field.default.factory)
    if isinstance(field.default, list | dict | set | bytearray):
        shared = field.default
        return field.name, annotation, msgspec.field(default_factory=lambda: shared)
    return field.name, annotation, field.default


def _type(shape: Shape, strict: bool) -> Any:
    match shape:
        case Leaf(type=leaf):
            return Instant if leaf is datetime else leaf
        case Choice(type=choice):
            return choice
        case OneOf(options=options, nullable=nullable):
            members = [_type(option, strict) for option in options]
            return Union[tuple(members + [None] * nullable)]  # noqa: UP007 (made at run time)
        case Many(item=item, container=container):
            return tuple[_type(item, strict), ...] if container is tuple else container[_type(item, strict)]  # type: ignore[misc,index]
        case Mapping(item=item):
            return dict[str, _type(item, strict)]  # type: ignore[misc]
        case Record():
            return twin_of(shape, strict=strict)


def build_expression(shape: Shape, value: str, names: dict[str, Any]) -> str:
    """An expression for the instance that stands for a twin's value; the value itself where they are the same."""
    match shape:
        case OneOf(options=(option,)) if (inner := build_expression(option, value, names)) != value:
            return f"(None if {value} is None else {inner})"
        case Many(item=item, container=container):
            element = f"e{len(names)}"
            names[element] = container
            inner = build_expression(item, element, names)
            return value if inner == element else f"{container.__name__}([{inner} for {element} in {value}])"
        case Mapping(item=item):
            element = f"e{len(names)}"
            names[element] = dict
            inner = build_expression(item, element, names)
            return value if inner == element else f"{{k: {inner} for k, {element} in {value}.items()}}"
        case Record(type=cls, fields=fields):
            name = f"c{len(names)}"
            names[name] = cls
            positional = [build_expression(f.shape, f"{value}.{f.name}", names) for f in fields if not f.kw_only]
            named = [f"{f.alias}={build_expression(f.shape, f'{value}.{f.name}', names)}" for f in fields if f.kw_only]
            return f"{name}({', '.join(positional + named)})"
        case _:
            return value
