"""The careful lane of validation: a JSON value into an instance, or every violation with its place.

cattrs walks the classes and gathers what fails; single values are judged by msgspec, so that this lane accepts
exactly what the fast one does.
"""

import enum
import types
import typing
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Union

import attrs
import cattrs
import msgspec
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, mapping_structure_factory

from ..decoding.strict_json import escape
from ..errors import described
from ..numbers import UnholdableNumber
from ..records import Violation
from ..times import Instant
from .constraints import holdable, violated
from .shapes import CONTAINERS, LEAVES, constraints_of

Hook = Callable[[Any, Any], Any]


class Invalid(Exception):
    """An event's data is not what its type declares: all of ``violations``."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__(violations)
        self.violations = violations


class _Refused(Exception):
    """A value that is wrong in itself: codes and sentences."""

    def __init__(self, *wrong: tuple[str, str]) -> None:
        super().__init__(*wrong)
        self.wrong = wrong


def compile_structure(cls: type, *, reject_unknown: bool) -> Callable[[Any, str], Any]:
    """A function of (JSON value, JSON pointer to it) that returns an instance or raises ``Invalid``."""
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=reject_unknown)
    for leaf in LEAVES:  # by name: cattrs has hooks of its own for some of them, which coerce
        converter.register_structure_hook(leaf, _single(leaf))
    converter.register_structure_hook_factory(_is_single, _single)
    converter.register_structure_hook_factory(_is_array, _array)
    converter.register_structure_hook_factory(_is_mapping, _mapping)
    converter.register_structure_hook_factory(attrs.has, _record)
    converter.register_structure_hook_factory(_is_annotated, _annotated)
    hook = converter.get_structure_hook(cls)

    def structure(value: Any, pointer: str) -> Any:
        try:
            return hook(value, cls)
        except Exception as error:  # whatever the class's own validators raise is a violation too
            raise Invalid(tuple(_violations(error, pointer))) from error

    return structure


def _is_annotated(kind: Any) -> bool:
    return typing.get_origin(kind) is Annotated


def _is_array(kind: Any) -> bool:
    return kind in CONTAINERS or typing.get_origin(kind) in CONTAINERS


def _is_mapping(kind: Any) -> bool:
    return kind is dict or typing.get_origin(kind) is dict


def _is_single(kind: Any) -> bool:
    if typing.get_origin(kind) in (Union, types.UnionType):
        return all(a is type(None) or _is_single(a) for a in typing.get_args(kind))
    return (
        kind in LEAVES
        or kind in (Any, object)
        or typing.get_origin(kind) is Literal
        or (isinstance(kind, type) and issubclass(kind, enum.Enum))
    )


def _single(kind: Any) -> Hook:
    target = _with_offsets(kind)

    def structure(value: Any, asked: Any) -> Any:
        try:  # cattrs asks the hook of str for a StrEnum, too
            result = msgspec.convert(value, target if asked is kind else _with_offsets(asked))
        except msgspec.ValidationError as error:
            raise _Refused(("type", _sentence(str(error)))) from None
        if not holdable(result):
            raise _Refused(("number", str(UnholdableNumber())))
        return result

    return structure


def _with_offsets(kind: Any) -> Any:
    if kind is datetime:
        return Instant
    if typing.get_origin(kind) in (Union, types.UnionType):
        return Union[tuple(_with_offsets(a) for a in typing.get_args(kind))]  # noqa: UP007 (made at run time)
    return Any if kind is object else kind


def _array(kind: Any, converter: cattrs.BaseConverter) -> Hook:
    container, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    item = arguments[0] if arguments else Any
    inner = list_structure_factory(list[item], converter)  # type: ignore[valid-type]

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            raise _Refused(("type", f"expected an array, got {_kind(value)}"))
        return container(inner(value, list[item]))  # type: ignore[valid-type]

    return structure


def _mapping(kind: Any, converter: cattrs.BaseConverter) -> Hook:
    _, item = typing.get_args(kind) or (str, Any)
    inner = mapping_structure_factory(dict[str, item], converter, detailed_validation=True)  # type: ignore[valid-type]

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise _Refused(("type", f"expected an object, got {_kind(value)}"))
        return inner(value, dict[str, item])  # type: ignore[valid-type]

    return structure


def _record(cls: Any, converter: cattrs.Converter) -> Hook:
    inner = make_dict_structure_fn(cls, converter)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict):
            raise _Refused(("type", f"expected an object, got {_kind(value)}"))
        return inner(value, cls)

    return structure


def _annotated(kind: Any, converter: cattrs.BaseConverter) -> Hook:
    bare, *metadata = typing.get_args(kind)
    inner = converter.get_structure_hook(bare)
    constraints = tuple(constraints_of(metadata))

    def structure(value: Any, _: Any) -> Any:
        result = inner(value, bare)
        if result is not None and (wrong := [w for c in constraints if (w := violated(c, result))]):
            raise _Refused(*wrong)
        return result

    return structure


def _violations(error: BaseException, pointer: str) -> Iterator[Violation]:
    match error:
        case cattrs.ClassValidationError() | cattrs.IterableValidationError():
            placed, unplaced = error.group_exceptions()
            for inner, note in placed:
                token = note.name if isinstance(note, cattrs.AttributeValidationNote) else note.index
                yield from _violations(inner, f"{pointer}/{_token(token)}")
            for inner in unplaced:
                yield from _violations(inner, pointer)
        case cattrs.ForbiddenExtraKeysError(extra_fields=extra):
            for name in sorted(map(_token, extra)):
                yield Violation(f"{pointer}/{name}", "unknown", "is no field of this type")
        case _Refused(wrong=wrong):
            for code, message in wrong:
                yield Violation(pointer, code, message)
        case KeyError(args=(name,)) if pointer.endswith(f"/{_token(name)}"):
            yield Violation(pointer, "required", "is missing")
        case _:
            yield Violation(pointer, "validator", described(error))


def _token(key: object) -> str:
    """A token of a JSON pointer for a key of whatever an upcaster made."""
    return escape(str(key)).encode(errors="backslashreplace").decode()


def _sentence(message: str) -> str:
    """msgspec's words without its marks: what was expected, what came."""
    text = message.split(" - at `$", maxsplit=1)[0].replace("`", "").replace("got decimal", "got number")
    return text[0].lower() + text[1:300]


def _kind(value: Any) -> str:
    names: dict[type, str] = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number" if isinstance(value, int | Decimal) else "")
