"""Whether the declarations of a catalog fit together: upcasters without gaps, views over fields that exist."""

import re
from collections.abc import Container, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from ..decoding.foreign import HEADER, Source
from ..decoding.signatures import AnySignature, Signature
from ..errors import CatalogError
from ..views.view import View
from .curation import RESERVED, example_records
from .declarations import EventType

_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A field name (RFC 9110 §5.1)."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "x-amz-security-token"})


def check_catalog(types: Iterable[EventType], sources: Iterable[Source]) -> None:
    """Raise ``CatalogError`` for a gap in upcasters, a curated field with a reserved name, an unknown type."""
    declared = {each.name for each in types}
    if not declared:
        raise CatalogError("The catalog declares no event types.")
    for each in types:
        missing = [n for n in range(each.oldest, each.version) if n not in each.upcasters]
        if missing:
            raise CatalogError(
                f"{each.place}: {each.name!r} is at version {each.version} and has no upcaster from version "
                f"{missing[0]}. Add @catalog.upcast({each.name!r}, from_version={missing[0]}), or "
                f"oldest={missing[-1] + 1} if no such events exist."
            )
        if clash := RESERVED & _example_fields(each).keys():
            raise CatalogError(f"{each.place}: curated field {min(clash)!r} of {each.name!r} has a reserved name.")
    for source in sources:
        constants = {source.type} if not source.type.startswith(("/", HEADER)) else set[str]()
        named = set(source.types.values()) or constants
        for name in sorted(named - declared):
            raise CatalogError(
                f"{source.place}: source {source.name!r} names event type {name!r}, which is not declared."
            )


def check_source(source: Source) -> None:
    """Raise ``CatalogError`` for a place that is none, a header that must not be kept, a signature that is none."""
    place, name = source.place, source.name
    for label, pointer in (("records", source.records), ("data", source.data)):
        if pointer and not pointer.startswith("/"):
            raise CatalogError(f"{place}: {label} of source {name!r} is a JSON pointer and starts with '/'.")
    for label in ("id", "time", "subject"):
        if not source.places.get(label, "/").startswith(("/", HEADER)):
            known = "a JSON pointer and starts with '/', or is 'header:NAME'"
            raise CatalogError(f"{place}: {label} of source {name!r} is {known}.")
    for header in sorted(source.headers):
        if not _HEADER.fullmatch(header):
            raise CatalogError(f"{place}: source {name!r} reads {HEADER + header!r}, which is no name of a header.")
        if header in _CREDENTIALS:
            raise CatalogError(f"{place}: source {name!r} reads {header!r}, a header of credentials: none are kept.")
    if source.signature is not None:
        _check_signature(source.signature, source.headers, f"{place}: the signature of source {name!r}")


def _check_signature(signature: object, headers: Container[str], what: str) -> None:
    if not isinstance(signature, AnySignature):
        raise CatalogError(f"{what} is {signature!r}; it is a Signature(…) or a TimestampedSignature(…).")
    if not _HEADER.fullmatch(signature.header):
        raise CatalogError(f"{what} is in {signature.header!r}, which is no name of a header.")
    if signature.header.lower() in headers:
        raise CatalogError(f"{what} is in {signature.header!r}, which the source also reads: no signature is kept.")
    if not _VARIABLE.fullmatch(signature.secrets):
        raise CatalogError(f"{what} has its secrets in {signature.secrets!r}, which is no name of a variable.")
    if isinstance(signature, Signature):
        if signature.encoding not in ("hex", "base64"):
            raise CatalogError(f"{what} is in {signature.encoding!r}; 'hex' and 'base64' are known.")
    elif signature.tolerance < timedelta(seconds=1):
        raise CatalogError(f"{what} has a tolerance of less than a second.")


def check_view(view: View, over: EventType) -> None:
    """Raise ``CatalogError`` for a view over a field that no transform yields, or that it cannot measure."""
    if not view.measures:
        raise CatalogError(f"{view.place}: view {view.name!r} has no measures.")
    clash = {"window", "group", *view.by} & view.measures.keys()
    if clash:
        raise CatalogError(f"{view.place}: measure {min(clash)!r} of view {view.name!r} has the name of a column.")
    known = _example_fields(over)
    if not known:
        return  # the transform yields nothing for any example; what it yields is only seen at run time
    needed = [(field, "group by", False) for field in view.by]
    needed += [(m.field, name, m.numeric) for name, m in view.measures.items() if m.field is not None]
    for field, use, numeric in needed:
        if field not in known:
            have = ", ".join(sorted(known))
            raise CatalogError(
                f"{view.place}: view {view.name!r} uses field {field!r} ({use}), which no transform of "
                f"{over.name!r} yields; there are {have}. If it does for some events, name it in yields=."
            )
        seen = [value for value in known[field] if value is not None]
        numbers = [isinstance(value, int | Decimal) and not isinstance(value, bool) for value in seen]
        if numeric and seen and not any(numbers):
            raise CatalogError(
                f"{view.place}: measure {use!r} of view {view.name!r} needs numbers; {field!r} has none."
            )


def _example_fields(declared: EventType) -> dict[str, list[Any]]:
    """The curated fields that examples of a type are transformed into, each with the values seen."""
    seen: dict[str, list[Any]] = {}
    for record in example_records(declared):
        for name, value in record.items():
            seen.setdefault(name, []).append(value)
    for name in declared.yields:
        seen.setdefault(name, [])
    return seen
