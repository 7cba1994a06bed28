"""Compatibility: what differs between two catalogs, and which of it breaks senders, readers or what is stored."""

from collections.abc import Iterator

import msgspec

from ..decoding.foreign import Source
from ..schema.functions import same_code
from ..schema.narrowing import Change, changes_of_fields
from .builder import Catalog
from .curation import example_records
from .declarations import EventType

_MAPPED = ("records", "data", "type", "id", "time", "subject", "origin")


class Finding(msgspec.Struct, frozen=True):
    """One difference: a code for programs, the place ("type purchase /amount", "view revenue"), a sentence.

    It is ``breaking`` where an event that was accepted may be rejected, where what is stored would be found or read no
    more as it was, or where a view starts anew. What only user code decides is not: ``catalog check`` tells.
    """

    breaking: bool
    code: str
    place: str
    message: str


def findings(old: Catalog, new: Catalog) -> list[Finding]:
    """Everything that differs, what is breaking first."""
    found = [*_of_catalogs(old, new), *_of_types(old, new), *_of_views(old, new), *_of_sources(old, new)]
    return sorted(found, key=lambda finding: not finding.breaking)


def _of_catalogs(old: Catalog, new: Catalog) -> Iterator[Finding]:
    if old.name != new.name:
        message = f"The catalog is {new.name!r} now; receipts accepted under {old.name!r} are refused."
        yield Finding(True, "catalog-renamed", "catalog", message)


def _of_types(old: Catalog, new: Catalog) -> Iterator[Finding]:
    for name in old.types | new.types:
        before, after = old.types.get(name), new.types.get(name)
        place = f"type {name}"
        if after is None:
            yield Finding(True, "type-removed", place, "The type was removed; its events are rejected.")
        elif before is None:
            yield Finding(False, "type-added", place, "The type is new.")
        else:
            yield from _of_versions(before, after, place)
            yield from _of_settings(before, after, place)
            yield from _of_shapes(before, after, place)
            yield from _of_older_shapes(before, after, place)
            yield from _of_functions(before, after, place)


def _of_versions(old: EventType, new: EventType, place: str) -> Iterator[Finding]:
    if new.version < old.version:
        message = f"The version is {new.version} now, and was {old.version}; later events are rejected."
        yield Finding(True, "version-lowered", place, message)
    elif new.version > old.version + 1:
        skipped = ", ".join(map(str, range(old.version + 1, new.version)))
        message = f"The version went from {old.version} to {new.version}; {skipped} was skipped."
        yield Finding(True, "version-skipped", place, message)
    elif new.version > old.version:
        yield Finding(False, "version-raised", place, f"The version is {new.version} now, and was {old.version}.")
    if new.oldest > old.oldest:
        message = f"Versions before {new.oldest} are rejected now; they were taken from {old.oldest} on."
        yield Finding(True, "oldest-raised", place, message)
    elif new.oldest < old.oldest:
        yield Finding(False, "oldest-lowered", place, f"Versions from {new.oldest} on are taken.")
    if new.unversioned != old.unversioned:
        message = f"An event that names no version counts as {new.unversioned} now, and did as {old.unversioned}."
        yield Finding(False, "unversioned-changed", place, message)


def _of_settings(old: EventType, new: EventType, place: str) -> Iterator[Finding]:
    if new.identity != old.identity:
        message = f"Events are identified by {new.identity} now, and were by {old.identity}; some may count twice."
        yield Finding(True, "identity-changed", place, message)
    if new.shards != old.shards:
        message = f"Stored events lie in {old.shards} partitions on DynamoDB, and are sought in {new.shards} now."
        yield Finding(True, "shards-changed", place, message)
    if new.unknown != old.unknown:
        message = f"Unknown fields: {new.unknown} now, and {old.unknown} before."
        yield Finding(new.unknown == "reject" or old.unknown == "keep", "unknown-changed", place, message)


def _of_shapes(old: EventType, new: EventType, place: str) -> Iterator[Finding]:
    # Events that say an older version go through the upcasters; those that say none do so only if they count as older.
    upcast = new.version > old.version and new.oldest <= old.version and new.unversioned <= old.version
    for change in changes_of_fields(old.shape, new.shape):
        yield _of_change(change, place, upcast_from=old.version if upcast else None)
    before, after = _curated(old), _curated(new)
    if before and after:
        declared = {field.name for field in old.shape.fields}
        for name in sorted(before - after - (declared - {field.name for field in new.shape.fields})):
            yield Finding(True, "curated-field-removed", f"{place} /{name}", "It is no longer a curated field.")
        for name in sorted(after - before - {field.name for field in new.shape.fields}):
            yield Finding(False, "curated-field-added", f"{place} /{name}", "It is a new curated field.")


def _of_older_shapes(old: EventType, new: EventType, place: str) -> Iterator[Finding]:
    for version in range(new.oldest, min(old.version, new.version - 1) + 1):
        before, after = old.shape_of_version(version), new.shape_of_version(version)
        where = f"{place}, version {version}"
        if after is None:
            continue
        if before is None:
            yield Finding(True, "class-declared", where, "Its data is checked now before it is upcast.")
            continue
        for change in changes_of_fields(before, after):
            yield _of_change(change, where, upcast_from=None)


def _of_change(change: Change, place: str, *, upcast_from: int | None) -> Finding:
    message = f"It {change.message}."
    if change.narrows and upcast_from is not None:
        message += f" Events up to version {upcast_from} are upcast first."
    breaking = change.breaks or (change.narrows and upcast_from is None)
    return Finding(breaking, change.code, f"{place} {change.pointer}", message)


def _curated(declared: EventType) -> set[str]:
    """The curated fields that examples bring about."""
    return {name for record in example_records(declared) for name in record} | set(declared.yields)


def _of_functions(old: EventType, new: EventType, place: str) -> Iterator[Finding]:
    before, after = ({rule.name: rule.holds for rule in declared.rules} for declared in (old, new))
    for name in before | after:
        where = f"{place}, rule {name}"
        if name not in after:
            yield Finding(False, "rule-removed", where, "The rule was removed.")
        elif name not in before:
            yield Finding(True, "rule-added", where, "The rule is new, and may reject what was accepted.")
        elif not same_code(before[name], after[name]):
            yield Finding(True, "rule-changed", where, "The rule changed, and may reject what was accepted.")
    if not same_code(old.transform, new.transform) or not same_code(old.derive, new.derive):
        message = "What events are curated into may differ; `catalog check --against` a store tells."
        yield Finding(False, "transform-changed", place, message)
    for version in sorted(old.upcasters.keys() & new.upcasters.keys()):
        if not same_code(old.upcasters[version], new.upcasters[version]):
            message = (
                f"The upcaster from version {version} changed; `catalog check --against` a store tells what follows."
            )
            yield Finding(False, "upcaster-changed", place, message)


def _of_views(old: Catalog, new: Catalog) -> Iterator[Finding]:
    for name in old.views | new.views:
        before, after = old.views.get(name), new.views.get(name)
        place = f"view {name}"
        if after is None:
            yield Finding(True, "view-removed", place, "The view was removed.")
        elif before is None:
            yield Finding(False, "view-added", place, "The view is new; a rebuild fills it.")
        elif before.signature != after.signature:
            message = f"It is {after.signature} now, and was {before.signature}: it starts anew and needs a rebuild."
            yield Finding(True, "view-changed", place, message)


def _of_sources(old: Catalog, new: Catalog) -> Iterator[Finding]:
    for name in old.sources | new.sources:
        before, after = old.sources.get(name), new.sources.get(name)
        place = f"source {name}"
        if after is None:
            yield Finding(True, "source-removed", place, "The source was removed; its documents cannot be read.")
        elif before is None:
            yield Finding(False, "source-added", place, "The source is new.")
        else:
            yield from _of_mappings(before, after, place)


def _of_mappings(old: Source, new: Source, place: str) -> Iterator[Finding]:
    for name in _MAPPED:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            message = f"{name} is {after!r} now, and was {before!r}: records become other events."
            yield Finding(True, "source-changed", place, message)
    if old.signature != new.signature:
        if new.signature is None:
            yield Finding(False, "signature-removed", place, "Requests need no signature any more.")
        else:
            message = f"Requests are signed as {new.signature} now; who signs otherwise, or not, is refused."
            yield Finding(True, "signature-changed", place, message)
    for name in {**old.types, **new.types}:
        one, other = old.types.get(name), new.types.get(name)
        if one != other:
            message = f"Records of type {name!r} are {other or 'themselves'!r} now, and were {one or 'themselves'!r}."
            yield Finding(one is not None, "source-changed", place, message)
