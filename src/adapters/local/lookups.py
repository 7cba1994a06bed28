"""Looking events up by what their fields hold: indexes in SQLite, each made when its field is first asked for.

So accepting events pays for no index that nobody needs. What an index finds are candidates, all that are sought among
them: whether a condition holds is for the condition itself to say.
"""

import math
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from ...core.conditions import Condition, Where, sifted
from ...core.errors import StoreError, TransientError
from ...core.identity import record_key
from ...core.records import Curated
from ...core.times import parse_time
from .database import Database

PATIENCE: Final = 10_000
"""Events that are read one by one before an index is made: what is frequent is found among them."""
MOST: Final = 16
"""Indexes there are at a time; for a further one the oldest is dropped."""

SORTERS: Final = 2
"""Threads that sort what an index holds, beside the one that reads it."""

_KEY = "curated_key"
_PREFIX = "curated by "
_MADE = f"SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE '{_PREFIX}%' ORDER BY rowid"  # noqa: S608
_TEXT = "CAST(body AS TEXT)"
_PLACES = {"source": 0, "eventId": 1, "schemaVersion": 2, "subject": 3, "curatedAt": 4}
_LONGEST = 200
_FIRST_INT, _LAST_INT = -(2**63), 2**63 - 1


class Lookup(NamedTuple):
    """A condition for SQLite: an expression over a row of ``curated``, and all values that it may have then; none
    where nothing that is kept fulfils it.
    """

    name: str
    expression: str
    values: Sequence[str | int | float]
    mark: str = "?"
    index_of_all: str | None = None

    @property
    def term(self) -> str:
        """The condition as SQL."""
        if len(self.values) == 1:
            return f"{self.expression} = {self.mark}"
        return f"{self.expression} IN ({', '.join([self.mark] * len(self.values))})"

    def index_over(self, number: int) -> str:
        """The name of the index over the type of this number; in hex, since SQLite takes ``a`` and ``A`` for one."""
        return self.index_of_all or f"{_PREFIX}{number} {self.name.encode().hex()}"


class Candidates(NamedTuple):
    """Rows to choose among: a table with the index to use, SQL for their condition, and its parameters."""

    table: str
    terms: str
    values: Sequence[Any]

    @classmethod
    def of(cls, number: int, first: Lookup, others: Sequence[Lookup] = ()) -> "Candidates":
        """Those of the type of this number, found by the index of one condition and filtered by the others."""
        lookups = [first, *others]
        # The number is written out, because that is how SQLite sees that the index over this type serves.
        terms = " AND ".join([f"type = {number}", *(each.term for each in lookups)])
        table = f'curated INDEXED BY "{first.index_over(number)}"'
        return cls(table, terms, [value for each in lookups for value in each.values])


Page = Callable[..., Sequence[Curated]]
"""Records beyond a sort key, and how many at most; of candidates, if a third argument names them."""


class Lookups:
    """The indexes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def select(self, number: int, where: Where, page: Page, after: int | None, limit: int) -> Sequence[Curated]:
        """Up to ``limit`` records of the type of this number, beyond a sort key, that fulfil the conditions."""
        lookups = [*filter(None, map(lookup_of, where))]
        if not lookups:
            return [*sifted(page, where, after, limit)]
        if not all(each.values for each in lookups):
            return []
        found: list[Curated] = []
        if self._lacks(number, lookups):
            beginning = _Beginning(page, after)
            found += sifted(beginning.page, where, after, limit)
            if len(found) == limit or beginning.ended:
                return found
            after = beginning.after
            if not self._make(number, lookups):
                return [*found, *sifted(page, where, after, limit - len(found))]
        try:
            first = min(lookups, key=lambda each: self._count(number, each, limit)) if len(lookups) > 1 else lookups[0]
            among = Candidates.of(number, first, [each for each in lookups if each is not first])
            further = [*sifted(lambda beyond, most: page(beyond, most, among), where, after, limit - len(found))]
        except sqlite3.OperationalError as error:
            if "no such index" not in str(error):
                raise
            # Another process has just dropped it, for the index of another field.
            further = [*sifted(page, where, after, limit - len(found))]
        return [*found, *further]

    def _lacks(self, number: int, lookups: Sequence[Lookup]) -> bool:
        made = {name for (name,) in self._database.fetch(_MADE)}
        return not made.issuperset(each.index_over(number) for each in lookups if each.index_of_all is None)

    def _make(self, number: int, lookups: Sequence[Lookup]) -> bool:
        """Make the indexes that lack; whether that could be done."""
        wanted = {each.index_over(number): each for each in lookups if each.index_of_all is None}
        try:
            with self._database.aside(SORTERS) as connection:
                made = [name for (name,) in connection.execute(_MADE)]
                new = [name for name in wanted if name not in made]
                old = [name for name in made if name not in wanted]
                for name in old[: max(len(made) + len(new) - MOST, 0)]:
                    connection.execute(f'DROP INDEX "{name}"')
                for name in new:
                    connection.execute(
                        f'CREATE INDEX "{name}" ON curated ({wanted[name].expression}, time, tie) WHERE type = {number}'
                    )
        except (StoreError, TransientError):
            # A folder that only can be read, a full disk, another process that writes for long: the answer is the same
            # without an index, and comes later.
            return False
        return True

    def _count(self, number: int, lookup: Lookup, most: int) -> int:
        among = Candidates.of(number, lookup)
        [(count,)] = self._database.fetch(
            f"SELECT count(*) FROM (SELECT 1 FROM {among.table} WHERE {among.terms} LIMIT ?)",  # noqa: S608
            [*among.values, 10 * most],
        )
        return int(count)


class _Beginning:
    """The first records of a type beyond a sort key, ``PATIENCE`` of them."""

    def __init__(self, page: Page, after: int | None) -> None:
        self._page, self._left = page, PATIENCE
        self.after, self.ended = after, False

    def page(self, after: int | None, limit: int) -> Sequence[Curated]:
        if not self._left:
            return []
        records = self._page(after, min(limit, self._left))
        self._left -= len(records)
        if records:
            self.after = record_key(records[-1])
        else:
            self.ended = True
        return records


def lookup_of(condition: Condition) -> Lookup | None:
    """What finds the records for which a condition holds; None where SQLite cannot tell."""
    name, field, text = condition.name, condition.field, condition.text
    if not _is_text(text):
        return Lookup(name, "type", ())
    if field is not None:
        if "\0" in text or text[:1] in ("[", "{") or not _is_path(field):
            return None
        path = f"""'$[5]."{field.replace("'", "''")}"'"""
        # Only what then is nothing is asked whether it is null, or not there at all.
        expression = f"coalesce(json_extract({_TEXT}, {path}), json_type({_TEXT}, {path}))"
        return Lookup(name, expression, [text, *_WORDS.get(text, ()), *_numbers(condition)])
    match name:
        case "eventType":
            return Lookup(name, "type", [text], "(SELECT id FROM types WHERE name = ?)", _KEY)
        case "eventTime":
            return Lookup(name, "time", _instants(text), index_of_all=_KEY)
        case "receipt":
            return Lookup(name, "receipt", [text], "(SELECT id FROM receipts WHERE name = ?)")
        case "curatedAt":
            values: Sequence[str | int | float] = _instants(text)
        case "schemaVersion":
            values = _numbers(condition)
        case _:
            values = [text]
    return None if "\0" in text else Lookup(name, f"json_extract({_TEXT}, '$[{_PLACES[name]}]')", values)


_WORDS: Final = {"": ("null",), "true": (1,), "false": (0,)}
"""What else than the text itself SQLite has for a word of JSON."""


def _is_text(text: str) -> bool:
    """Whether it is Unicode: half of a surrogate pair is not."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _is_path(field: str) -> bool:
    """Whether a field can be named in a path of SQLite, which knows no escapes."""
    return len(field) <= _LONGEST and field.isprintable() and '"' not in field and "\\" not in field and _is_text(field)


def _instants(text: str) -> Sequence[int]:
    try:
        return [parse_time(text)]
    except ValueError:
        return []


def _numbers(condition: Condition) -> Sequence[int | float]:
    """All that SQLite may make of the number: an int exactly, any other to the nearest double, or its neighbours where
    it rounds in another way.
    """
    number = condition.number
    if number is None:
        return []
    if _FIRST_INT <= number <= _LAST_INT and number == number.to_integral_value():
        exact = int(number)
        return [exact] if abs(exact) < 2**53 else [exact, *_around(float(number))]
    return _around(float(number))


def _around(double: float) -> Sequence[float]:
    return [math.nextafter(double, -math.inf), double, math.nextafter(double, math.inf)]
