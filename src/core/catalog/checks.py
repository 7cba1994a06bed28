"""Whether the declarations of a catalog fit together: upcasters without gaps, views over fields that exist."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ..decoding.foreign import Source
from ..errors import CatalogError
from ..views.view import View
from .curation import RESERVED, example_records
from .declarations import EventType


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
        named = (
            set(source.types.values()) if source.types else {source.type} - {p for p in [source.type] if p[:1] == "/"}
        )
        for name in sorted(named - declared):
            raise CatalogError(
                f"{source.place}: source {source.name!r} names event type {name!r}, which is not declared."
            )


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
