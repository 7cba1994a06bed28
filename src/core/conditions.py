"""Conditions on curated events, FIELD=VALUE as people write them: which records hold, and how a store finds them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from .canonical import canonical_text
from .decoding.strict_json import parse
from .errors import BodyError
from .identity import record_key
from .records import Curated, Value
from .times import format_time

ENVELOPE: Final[Mapping[str, Callable[[Curated], Value]]] = {
    "eventId": lambda record: record.id,
    "eventType": lambda record: record.type,
    "eventTime": lambda record: format_time(record.time),
    "source": lambda record: record.source,
    "subject": lambda record: record.subject,
    "schemaVersion": lambda record: record.version,
    "curatedAt": lambda record: format_time(record.curated_at),
    "receipt": lambda record: record.receipt,
}
"""What surrounds an event's fields, by the names under which it is shown."""

_AT_ONCE = 1000
_OF_FIELDS = "fields."


class Condition(NamedTuple):
    """A field has a value: a name of ``ENVELOPE``, or of a curated field (``fields.NAME`` where that is one of those),
    and the value's text.

    A number is meant whichever way it is written; null is ``null`` or nothing; arrays and objects are JSON.
    """

    name: str
    text: str

    @property
    def field(self) -> str | None:
        """The curated field that is meant; None for a name of the envelope."""
        inner = self.name.removeprefix(_OF_FIELDS)
        if inner in ENVELOPE:
            return None if inner == self.name else inner
        return self.name

    def is_given(self, record: Curated) -> bool:
        """Whether a record has the field."""
        field = self.field
        return self.name != "subject" or record.subject is not None if field is None else field in record.fields

    def holds(self, record: Curated) -> bool:
        """Whether the record has the field, with this value."""
        field = self.field
        if field is not None:
            return field in record.fields and self._fits(record.fields[field])
        return self.is_given(record) and self._fits(ENVELOPE[self.name](record))

    @property
    def number(self) -> Decimal | None:
        """The number that the text is, if it is one."""
        try:
            found = Decimal(self.text)
        except InvalidOperation:
            return None
        return found if found.is_finite() else None

    def _fits(self, value: Value) -> bool:
        match value:
            case str():
                return value == self.text
            case bool():
                return self.text == ("true" if value else "false")
            case None:
                return self.text in ("", "null")
            case int() | Decimal():
                return value == self.number
            case _:
                return self._fits_nested(value)

    def _fits_nested(self, value: Value) -> bool:
        if self.text[:1] not in ("[", "{"):
            return False
        try:
            return canonical_text(parse(self.text.encode())) == canonical_text(value)
        except (BodyError, UnicodeEncodeError):
            return False


Where = Sequence[Condition]
"""Conditions that all have to hold."""

Page = Callable[[int | None, int], Sequence[Curated]]
"""Records beyond a sort key, at most so many."""


def chosen(page: Page, where: Where, after: int | None, limit: int) -> Sequence[Curated]:
    """What a store answers that can only read page by page."""
    return [*sifted(page, where, after, limit)] if where else page(after, limit)


def sifted(page: Page, where: Where, after: int | None, limit: int) -> Iterator[Curated]:
    """Up to ``limit`` of the records beyond a sort key that fulfil the conditions, of all that ``page`` reads."""
    found = 0
    while found < limit and (records := page(after, max(limit, _AT_ONCE))):
        after = record_key(records[-1])
        for record in records:
            if all(condition.holds(record) for condition in where):
                yield record
                found += 1
                if found == limit:
                    return
