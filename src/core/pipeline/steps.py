"""The compiled step: everything that is done with the data of one type's events, as one function.

Calling checks, constructor, rules and transform one by one from the hot loop costs more than they do, so their calls
are written into the source of one function per type, the way attrs writes ``__init__``.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from types import MemberDescriptorType
from typing import Any, Final

import attrs

from ..catalog.curation import example_records
from ..catalog.declarations import EventType
from ..numbers import WIDEST_INT, fits
from ..schema.constraints import check_expression
from ..schema.shapes import Choice, Field, Leaf, OneOf, Record, Shape
from ..schema.twins import build_expression
from ..views.projection import groupable
from .readers import handed_on, only_reads

FILTERED: Final[dict[str, Any]] = {}
"""What a step gives, this very object, where rules hold and the transform says that the event is not wanted."""
Step = Callable[[Any], dict[str, Any] | None]
NUMBERS = frozenset({int, Decimal, type(None)})
_TEXTS = frozenset({str, bool, type(None)})
_STORED = _TEXTS | NUMBERS


def compile_step(declared: EventType, measured: Sequence[str], grouped: Sequence[str]) -> Step:
    """A function from a twin to curated fields, or ``FILTERED``; None, or an exception of user code, where the event
    needs care.

    ``measured`` are the curated fields that have to be numbers, ``grouped`` those that have to be single values.
    """
    shape = declared.shape
    names: dict[str, Any] = {
        "TEXTS": _TEXTS,
        "NUMBERS": NUMBERS,
        "Decimal": Decimal,
        "FILTERED": FILTERED,
        "fits": fits,
        "groupable": groupable,
        "is_held": _is_held,
    }
    lines: list[str] = []
    if check := check_expression(shape, "t", names):
        lines += [f"if not ({check}):", "    return None"]
    filled = _is_filled_by_slots(shape)
    readable = [field.name for field in shape.fields if filled and build_expression(field.shape, "v", {}) == "v"]
    code: dict[str, Callable[[Any], Any]] = {f"rule{number}": rule.holds for number, rule in enumerate(declared.rules)}
    code |= {"transform": declared.transform} if declared.transform is not None else {}
    code |= {"derive": declared.derive} if declared.derive is not None else {}
    names |= code
    needs = {name: "t" if only_reads(function, readable) else "e" for name, function in code.items()}
    made = not filled or len(readable) < len(shape.fields) or "e" in needs.values()
    if made:  # a class with code of its own (validators, converters), also within, is asked even if nobody looks at it
        lines += _instance(shape, names)
    for rule in [name for name in code if name.startswith("rule")]:
        lines += [f"if not {rule}({needs[rule]}):", "    return None"]
    settled: dict[str, set[type] | None] = {}
    if declared.transform is not None:
        lines.append(f"f = transform({needs['transform']})")
        known = handed_on(declared.transform, readable)
        if known is None:
            lines += ["if f.__class__ is not dict:", "    return FILTERED if f is None else None"]
            lines += _storable("f", shape)
        else:  # a dict with these keys it is; what it hands on was checked when it was decoded
            kinds = {field.name: _kinds_of(field) for field in shape.fields}
            settled = {key: None if name is None else kinds[name] for key, name in known.items()}
            lines += _held("f", [key for key, found in settled.items() if found is None])
    else:
        settled = {field.name: _kinds_of(field) if filled else None for field in shape.fields}
        lines += _fields_and_derived(declared, "e" if made else "t", needs.get("derive"))
        if None in settled.values():
            lines += _storable("f", shape)
    lines += [
        f"if f.get({name!r}).__class__ not in NUMBERS:\n        return None"
        for name in measured
        if not (settled.get(name) or {object}) <= NUMBERS
    ]
    lines += [
        f"if f.get({name!r}).__class__ is not str and not groupable(f.get({name!r})):\n        return None"
        for name in grouped
        if not settled.get(name)
    ]
    source = "def step(t):\n" + "\n".join(f"    {line}" for line in [*lines, "return f"])
    exec(compile(source, f"<step of {declared.name}>", "exec"), names)  # noqa: S102 (made of declarations only)
    step: Step = names["step"]
    return step


def _fields_and_derived(declared: EventType, holder: str, argument: str | None) -> list[str]:
    """Lines that make ``f`` of the fields of the class, which ``holder`` has, and of what is derived."""
    fields = [f"{field.name!r}: {holder}.{field.name}" for field in declared.shape.fields]
    if argument is None:
        return [f"f = {{{', '.join(fields)}}}"]
    lines = [f"d = derive({argument})", "if d.__class__ is not dict:", "    return None"]
    known = {field.name for field in declared.shape.fields}
    derived = {tuple(name for name in record if name not in known) for record in example_records(declared)}
    if len(derived) == 1:  # these keys it is, or a KeyError; then nothing is left to check of them
        names = derived.pop()
        lines += [f"if len(d) != {len(names)}:", "    return None", *_held("d", names)]
        return [*lines, f"f = {{{', '.join([*fields, *(f'{name!r}: v{n}' for n, name in enumerate(names))])}}}"]
    lines += [*_storable("d", declared.shape), f"f = {{{', '.join([*fields, '**d'])}}}"]
    return [*lines, f"if len(f) != {len(fields)} + len(d):", "    return None"]


def _held(record: str, names: Sequence[str]) -> list[str]:
    """Lines that set v0, v1, … to the record's values of these names, and return None if one cannot be stored."""
    lines = []
    for number, name in enumerate(names):
        lines.append(f"v{number} = {record}[{name!r}]")
        lines += [f"if v{number}.__class__ not in TEXTS and not is_held(v{number}):", "    return None"]
    return lines


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


def _kinds_of(field: Field) -> set[type] | None:
    """The classes that a field's value can have, None where some of them are not stored as they are."""
    kinds = _kinds(field.shape)
    known = kinds is not None and (field.required or field.default.__class__ in kinds)
    return kinds if known else None


def _kinds(shape: Shape) -> set[type] | None:
    match shape:
        case Leaf(type=leaf):
            kinds = {leaf}
        case Choice(values=values):
            kinds = {value.__class__ for value in values}
        case OneOf(options=options, nullable=nullable):
            inner = [_kinds(option) for option in options]
            kinds = {kind for found in inner for kind in found or {object}} | ({type(None)} if nullable else set())
        case _:
            return None
    return kinds if kinds <= _STORED else None


def _storable(record: str, shape: Record) -> list[str]:
    """Lines that return None unless every key of a record is text, and every value text, a truth value or a holdable
    number.

    Lone surrogates, which only user code could bring in, are left to the store to refuse: looking for them would
    cost every event as much as its rules do.
    """
    checked = [f.name for f in shape.fields if isinstance(f.shape, Leaf) and f.shape.type is Decimal]
    unchanged = " or ".join([*(f"v is t.{name}" for name in checked), "fits(v)"])
    return [
        f'if "" in {record} or "".join({record}) is None:',  # join raises where a key is no text
        "    return None",
        f"for v in {record}.values():",
        "    k = v.__class__",
        "    if k is str or k in TEXTS:",
        "        continue",
        "    if k is Decimal:",
        f"        if not ({unchanged}):",
        "            return None",
        f"    elif k is not int or not -{WIDEST_INT} < v < {WIDEST_INT}:",
        "        return None",
    ]


def _is_held(value: Any) -> bool:
    """Whether a value is a number that the store can hold."""
    if value.__class__ is Decimal:
        return fits(value)
    return value.__class__ is int and -WIDEST_INT < value < WIDEST_INT
