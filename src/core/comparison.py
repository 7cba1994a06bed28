"""Comparing values: where two of them differ, by type and to the last digit.

12 and Decimal("12") differ, since one is shown as a number and the other as a text; so do 1 and true. Of one type,
numbers that are equal are the same, however they are written: 1.50 and 1.5 are shown alike.
"""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from .decoding.strict_json import escape
from .records import Curated, Value


class Difference(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """One place (RFC 6901) where two values differ; a side that has nothing there is ``UNSET``."""

    pointer: str
    before: Value | UnsetType = UNSET
    after: Value | UnsetType = UNSET


def differences(before: Value, after: Value, pointer: str = "") -> Iterator[Difference]:
    """The deepest places at which two values differ, in the order of the first one's keys, then the second's."""
    if before.__class__ is not after.__class__:
        yield Difference(pointer, before, after)
    elif before.__class__ is dict:
        for key in before | after:
            yield from differences(before.get(key, UNSET), after.get(key, UNSET), f"{pointer}/{escape(key)}")
    elif before.__class__ is list:
        common = min(len(before), len(after))
        for place in range(common):
            yield from differences(before[place], after[place], f"{pointer}/{place}")
        for place in range(common, len(before)):
            yield Difference(f"{pointer}/{place}", before=before[place])
        for place in range(common, len(after)):
            yield Difference(f"{pointer}/{place}", after=after[place])
    elif before != after:
        yield Difference(pointer, before, after)


def changes(before: Curated, after: Curated, pointer: str = "") -> list[Difference]:
    """Where two records of one event differ in what they say of it: version, subject and fields."""
    one, other = _said(before), _said(after)
    return [] if alike(one, other) else [*differences(one, other, pointer)]


def alike(before: Value, after: Value) -> bool:
    """Whether two values differ nowhere."""
    if before.__class__ is not after.__class__:
        return False
    if before.__class__ is dict:
        return before.keys() == after.keys() and all(alike(item, after[key]) for key, item in before.items())
    if before.__class__ is list:
        return len(before) == len(after) and all(map(alike, before, after))
    return bool(before == after)


def rewritten(stored: Curated, record: Curated) -> Curated | None:
    """What ``CuratedStore.replace`` writes over what is stored at a record's key; None where it writes nothing."""
    mine = (stored.receipt, stored.index) == (record.receipt, record.index)
    if not mine or not changes(stored, record):
        return None
    return msgspec.structs.replace(record, curated_at=stored.curated_at, raw=stored.raw)


def _said(record: Curated) -> dict[str, Value]:
    return {"schemaVersion": record.version, "subject": record.subject, "fields": record.fields}
