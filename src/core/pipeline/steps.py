"""The compiled step: everything that is done with the data of one type's events, as one function.

Calling checks, constructor, rules and transform one by one from the hot loop costs more than they do, so their calls
are written into the source of one function per type, the way attrs writes ``__init__``.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from types import MemberDescriptorType
from typing import Any

import attrs

from ..catalog.declarations import EventType
from ..numbers import WIDEST_INT
from ..schema.constraints import check_expression
from ..schema.shapes import Field, Leaf, Record
from ..schema.twins import build_expression
from ..views.projection import groupable
from .readers import only_reads

Step = Callable[[Any], dict[str, Any] | None]
NUMBERS = frozenset({int, Decimal, type(None)})
_PLAIN = frozenset({bool, type(None)})


def compile_step(declared: EventType, measured: Sequence[str], grouped: Sequence[str]) -> Step:
    """A function from a twin to curated fields; None, or an exception of user code, where the event needs care.

    ``measured`` are the curated fields that have to be numbers, ``grouped`` those that have to be single values.
    """
    names: dict[str, Any] = {
        "PLAIN": _PLAIN,
        "NUMBERS": NUMBERS,
        "Decimal": Decimal,
        "groupable": groupable,
        "transform": declared.transform,
    }
    lines: list[str] = []
    if check := check_expression(declared.shape, "t", names):
        lines += [f"if not ({check}):", "    return None"]
    filled = _is_filled_by_slots(declared.shape)
    readable = [f.name for f in declared.shape.fields if filled and build_expression(f.shape, "v", {}) == "v"]
    code: list[Callable[[Any], Any]] = [rule.holds for rule in declared.rules]
    if declared.transform is not None:
        code.append(declared.transform)
    needs = {id(function): "t" if only_reads(function, readable) else "e" for function in code}
    made = not filled or len(readable) < len(declared.shape.fields) or "e" in needs.values()
    if made:  # a class with code of its own (validators, converters), also within, is asked even if nobody looks at it
        lines += _instance(declared.shape, names)
    for number, rule in enumerate(declared.rules):
        names[f"rule{number}"] = rule.holds
        lines += [f"if not rule{number}({needs[id(rule.holds)]}):", "    return None"]
    if declared.transform is not None:
        lines += [f"f = transform({needs[id(declared.transform)]})", "if f.__class__ is not dict:", "    return None"]
    else:
        holder = "e" if made else "t"
        lines.append(
            f"f = {{{', '.join(f'{field.name!r}: {holder}.{field.name}' for field in declared.shape.fields)}}}"
        )
    if declared.transform or not filled or not all(map(_is_stored_as_it_is, declared.shape.fields)):
        lines += _storable(declared)
    lines += [f"if f.get({name!r}).__class__ not in NUMBERS:\n        return None" for name in measured]
    lines += [
        f"if f.get({name!r}).__class__ is not str and not groupable(f.get({name!r})):\n        return None"
        for name in grouped
    ]
    source = "def step(t):\n" + "\n".join(f"    {line}" for line in [*lines, "return f"])
    exec(compile(source, f"<step of {declared.name}>", "exec"), names)  # noqa: S102 (made of declarations only)
    step: Step = names["step"]
    return step


def _instance(shape: Record, names: dict[str, Any]) -> list[str]:
    """Lines that make ``e``, the instance. Plain attrs classes are filled slot by slot, which is what their
    ``__init__`` would do, but for the price of looking up ``object.__setattr__`` for frozen ones.
    """
    if not _is_filled_by_slots(shape):
        return [f"e = {build_expression(shape, 't', names)}"]
    names["new"], names["cls"] = object.__new__, shape.type
    lines = ["e = new(cls)"]
    for field in shape.fields:
        names[f"set_{field.name}"] = getattr(shape.type, field.name).__set__
        lines.append(f"set_{field.name}(e, {build_expression(field.shape, f't.{field.name}', names)})")
    return lines


def _is_filled_by_slots(shape: Record) -> bool:
    cls: Any = shape.type
    own = vars(cls)
    return (
        all(isinstance(getattr(cls, a.name, None), MemberDescriptorType) for a in attrs.fields(cls))
        and all(a.init and a.converter is None and a.validator is None for a in attrs.fields(cls))
        and "__attrs_attrs__" in own
        and "__init__" in own
        and own["__init__"].__code__.co_filename.startswith("<attrs generated")
        and not any(hasattr(cls, hook) for hook in ("__attrs_pre_init__", "__attrs_post_init__"))
        and not hasattr(cls, "_attrs_cached_hash")
        and cls.__new__ is object.__new__
    )


def _is_stored_as_it_is(field: Field) -> bool:
    if not isinstance(field.shape, Leaf) or field.shape.type not in (str, bool, int, Decimal):
        return False
    return field.required or field.default.__class__ is field.shape.type


def _storable(declared: EventType) -> list[str]:
    """Lines that return None unless every key is text and every value is text, a truth value or a holdable number.

    Lone surrogates, which only a transform could bring in, are left to the store to refuse: looking for them would
    cost every event as much as its rules do.
    """
    fields = declared.shape.fields
    checked = [f.name for f in fields if isinstance(f.shape, Leaf) and f.shape.type is Decimal]
    unchanged = " or ".join([*(f"v is t.{name}" for name in checked), "fits(v)"])
    return [
        'if "" in f or "".join(f) is None:',  # join raises where a key is no text
        "    return None",
        "for v in f.values():",
        "    k = v.__class__",
        "    if k is str or k in PLAIN:",
        "        continue",
        "    if k is Decimal:",
        f"        if not ({unchanged}):",
        "            return None",
        f"    elif k is not int or not -{WIDEST_INT} < v < {WIDEST_INT}:",
        "        return None",
    ]
