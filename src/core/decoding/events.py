"""``Event``: what one document says, read with care; every form of envelope ends here."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..errors import BodyError
from ..records import Violation

PLAIN_KEYS = frozenset({"eventType", "eventId", "eventTime", "source", "subject", "schemaVersion"})
_TRAILING_NUMBER = re.compile(r"(?:^|[/:#=._-])v?(\d{1,9})(?:\.json)?$")


class Event(msgspec.Struct, frozen=True):
    """One event before its type is looked at.

    ``time`` is None where the event has none of its own. ``version`` is what it says of itself. ``data`` is JSON with
    exact numbers, and ``base`` the JSON pointer to it within the document.
    """

    type: str
    id: str
    source: str
    time: int | None
    subject: str | None
    version: int | None
    data: Any
    base: str


class NoEvent(Exception):
    """A document is no event. What could be read of its identity is kept for the dead letter."""

    def __init__(
        self,
        violations: Sequence[Violation],
        *,
        event_type: str | None = None,
        event_id: str | None = None,
        reason: str = "malformed",
    ) -> None:
        super().__init__(violations)
        self.violations = tuple(violations)
        self.event_type, self.event_id, self.reason = event_type, event_id, reason

    @classmethod
    def because(cls, error: BodyError) -> "NoEvent":
        """A document that is wrong as a whole."""
        return cls([Violation(error.pointer, error.code, error.message)], reason=error.reason)


def version_of_schema(schema: str) -> int | None:
    """The version that a ``dataschema`` URI ends with (…/purchase/2, …:v2, …#2.json), if it does."""
    found = _TRAILING_NUMBER.search(schema)
    return int(found[1]) if found else None


def text_at(document: Mapping[str, Any], key: str, wrong: list[Violation], *, required: bool = False) -> str | None:
    """A non-empty text of an envelope; null counts as absent. What is wrong is added to ``wrong``."""
    value = document.get(key)
    if value is None:
        if required:
            wrong.append(Violation(f"/{key}", "required", "is missing"))
    elif not isinstance(value, str):
        wrong.append(Violation(f"/{key}", "type", "is not a string"))
    elif not value or len(value) > 2048:
        wrong.append(Violation(f"/{key}", "length", "is not 1 to 2048 characters long"))
    else:
        return value
    return None
