"""What a diff says: what would become of each event, and how many there are of each kind."""

import enum
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from .comparison import Difference
from .records import Curated, Violation

_INDEX = re.compile("/[0-9]+(?=/|$)")


class Category(enum.StrEnum):
    """What would become of an event: exactly one of these."""

    NEW = "new"
    """It would be curated, and nothing is stored of it. Here and below, what is archived is stored."""
    SAME = "same"
    CHANGED = "changed"
    """It would be curated into something else than what is stored of it."""
    LOST = "lost"
    """It is stored, and would be rejected or filtered."""
    DUPLICATE = "duplicate"
    """Another delivery of it is stored, or came earlier among these receipts."""
    REJECTED = "rejected"
    """It would become a dead letter, and is not stored."""
    FILTERED = "filtered"
    """It would be filtered, and is not stored."""


class EventDiff(msgspec.Struct, frozen=True):
    """What would become of one event.

    ``reason`` says why it is lost or rejected: that of its dead letter, or "filtered". ``changes`` are places in an
    object of ``schemaVersion``, ``subject`` and ``fields``; of the second and further records of an event below
    "/parts/1" and so on. ``stored`` holds its records as they are stored, ``records`` as they would be. ``archived``
    says of what is the same, changed or lost that something of it is in the archive, and not in the store.
    """

    category: Category
    type: str | None
    id: str | None
    source: str
    receipt: str
    index: int
    changes: Sequence[Difference] = ()
    reason: str | None = None
    violations: Sequence[Violation] = ()
    stored: Sequence[Curated] = ()
    records: Sequence[Curated] = ()
    archived: bool = False


@attrs.define
class Totals:
    """How many events are in each category: in all, by type, and by reason; and which fields would change."""

    events: int = 0
    categories: Counter[str] = attrs.field(factory=Counter)
    types: dict[str, Counter[str]] = attrs.field(factory=dict)
    """By type ("" where an event names none), then category."""
    reasons: dict[str, Counter[str]] = attrs.field(factory=dict)
    """By category (lost, rejected), then reason."""
    fields: dict[str, Counter[str]] = attrs.field(factory=dict)
    """By type, then the place of a change, "*" for the indexes in it."""
    archived: Counter[str] = attrs.field(factory=Counter)
    """By category (same, changed, lost): those that are archived, and not in the store."""

    def add(self, diff: EventDiff) -> None:
        """Count one event more."""
        category, event_type = diff.category.value, diff.type or ""
        self.events += 1
        self.categories[category] += 1
        self.types.setdefault(event_type, Counter())[category] += 1
        if diff.category in (Category.LOST, Category.REJECTED):
            self.reasons.setdefault(category, Counter())[diff.reason or ""] += 1
        if diff.changes:
            places = {_INDEX.sub("/*", change.pointer) for change in diff.changes}
            self.fields.setdefault(event_type, Counter()).update(places)
        if diff.archived:
            self.archived[category] += 1

    def merge(self, other: "Totals") -> None:
        """Count what another one has counted as well."""
        self.events += other.events
        self.categories.update(other.categories)
        self.archived.update(other.archived)
        for mine, theirs in ((self.types, other.types), (self.reasons, other.reasons), (self.fields, other.fields)):
            for name, counts in theirs.items():
                mine.setdefault(name, Counter()).update(counts)

    @property
    def breaks(self) -> bool:
        """Whether anything that is stored would be lost or changed."""
        return bool(self.categories[Category.LOST] or self.categories[Category.CHANGED])

    @property
    def out_of_reach(self) -> int:
        """How many would be lost or changed that are archived: ``Replace`` leaves them as they are."""
        return self.archived[Category.LOST] + self.archived[Category.CHANGED]

    def as_dict(self) -> dict[str, Any]:
        """The totals as JSON shows them; categories that have none are 0."""
        return {
            "events": self.events,
            **{category.value: self.categories[category.value] for category in Category},
            "types": {name: dict(counts) for name, counts in sorted(self.types.items())},
            "reasons": {name: dict(counts.most_common()) for name, counts in sorted(self.reasons.items())},
            "fields": {name: dict(counts.most_common()) for name, counts in sorted(self.fields.items())},
            "archived": dict(sorted(self.archived.items())),
        }
