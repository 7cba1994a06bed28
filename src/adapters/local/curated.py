"""Curated events, changes and markers in SQLite."""

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from ...core.comparison import rewritten
from ...core.conditions import Where
from ...core.errors import Unstorable
from ...core.identity import TIE, content_hashes, tie_break, tie_breaks
from ...core.records import Changes, Curated, Lineage, Marker
from .database import BulkInsert, Database
from .lookups import Candidates, Lookups
from .values import encode, exact

ORIGIN = "local"

_insert_curated = BulkInsert("curated", "position, type, time, tie, part, receipt, idx, content, body")
_insert_marker = BulkInsert("markers", "source, id, type, time, receipt, idx")
_decode_body = msgspec.json.Decoder(tuple[str, str, int, str | None, int, dict[str, Any]], float_hook=Decimal).decode
_RECORDS = """SELECT c.position, t.name, c.time, c.part, r.name, c.idx, c.body
    FROM curated c CROSS JOIN types t ON t.id = c.type CROSS JOIN receipts r ON r.id = c.receipt"""
_CHANGES = _RECORDS + " WHERE c.position > ? ORDER BY c.position LIMIT ?"
_QUERY = """SELECT c.position, t.name, c.time, c.part, r.name, c.idx, c.body FROM
    (SELECT position FROM {} WHERE {} AND (time, tie) >= (?, ?) AND time < ? ORDER BY time, tie LIMIT ?) f
    CROSS JOIN curated c ON c.position = f.position
    CROSS JOIN types t ON t.id = c.type CROSS JOIN receipts r ON r.id = c.receipt ORDER BY c.time, c.tie"""
_TYPE = " WHERE c.type = (SELECT id FROM types WHERE name = ?)"
_FIND = f"{_RECORDS}{_TYPE} AND c.time = ? AND c.tie = ?"
_DELETE = """DELETE FROM curated WHERE type = (SELECT id FROM types WHERE name = ?) AND time = ? AND tie = ?
    AND receipt = (SELECT id FROM receipts WHERE name = ?) AND idx = ?"""
_MARKER = "SELECT type, time, receipt, idx FROM markers WHERE source = ? AND id = ?"
_WRITTEN = "SELECT position FROM curated WHERE position >= ? ORDER BY position"
_TYPES = ("SELECT id FROM types WHERE name = ?", "INSERT INTO types (name) VALUES (?)")
_RECEIPTS = ("SELECT id FROM receipts WHERE name = ?", "INSERT INTO receipts (name) VALUES (?)")
_FIRST, _LAST, _MIDDLE = -(2**63), 2**63 - 1, 2**63
_time, _part, _index, _type, _receipt = map(attrgetter, ("time", "part", "index", "type", "receipt"))

_Tail: TypeAlias = tuple[int, Sequence[int], Sequence[Curated]]
_LONGEST_TAIL = 5000


class LocalCurated:
    """Records with a unique index over (type, time, tie-break)."""

    def __init__(self, database: Database) -> None:
        self._database, self._lookups = database, Lookups(database)
        # What the newest insertions wrote, and the first position that was theirs to give: all there is from there on.
        # It spares ``changes`` reading back what this process has just written.
        self._tail: _Tail | None = None

    def insert(self, records: Sequence[Curated]) -> Sequence[Lineage | None]:
        if not records:
            return []
        try:
            ties = [tie - _MIDDLE for tie in tie_breaks(records)]
            bodies = [*map(_body, records)]
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise _first_unstorable(records, _check_record) from None
        with self._database.lock:
            before, self._tail = self._tail, None
            answers, written = self._write(records, ties, bodies)
            self._tail = written if before is None else _joined(before, written)
            return answers

    def _write(
        self, records: Sequence[Curated], ties: Sequence[int], bodies: Sequence[bytes]
    ) -> tuple[Sequence[Lineage | None], _Tail]:
        """One transaction: the answers, and what was written at which positions."""
        contents = content_hashes(records)
        count = len(records)
        try:
            with self._database.transaction() as connection:
                first = _take_positions(connection, count)
                types = _numbers(connection, _TYPES, map(_type, records))
                receipts = _numbers(connection, _RECEIPTS, map(_receipt, records))
                times, parts, indexes = map(_time, records), map(_part, records), map(_index, records)
                positions = range(first, first + count)
                rows = zip(positions, types, times, ties, parts, receipts, indexes, contents, bodies, strict=True)
                if _insert_curated(connection, rows, count) == count:
                    return [None] * count, (first, positions, list(records))
                written = [position for (position,) in connection.execute(_WRITTEN, (first,))]
                answers: list[Lineage | None] = [None] * count
                for place in sorted(position - first for position in set(positions).difference(written)):
                    record = records[place]
                    answers[place] = _lineage(connection, (types[place], record.time, ties[place]), record)
                return answers, (first, written, [records[position - first] for position in written])
        except UnicodeEncodeError:
            raise _first_unstorable(records, _check_record) from None

    def forget_tail(self) -> None:
        """What was inserted last may not be there any more."""
        with self._database.lock:
            self._tail = None

    def check(self, records: Sequence[Curated]) -> None:
        for position, record in enumerate(records):
            if (error := _objection(position, record, _check_record)) is not None:
                raise error

    def mark(self, markers: Sequence[Marker]) -> Sequence[Marker]:
        rows = [(m.source, m.id, m.type, m.time, m.receipt, m.index) for m in markers]
        try:
            with self._database.transaction() as connection:
                if _insert_marker(connection, rows, len(rows)) == len(rows):
                    return list(markers)
                return [_first_marker(connection, marker) for marker in markers]
        except UnicodeEncodeError:
            raise _first_unstorable(markers, _check_marker) from None

    def find(self, records: Sequence[Curated]) -> Sequence[Curated | None]:
        self.check(records)
        with self._database.lock:
            return [_first(self._database.fetch(_FIND, _key(record))) for record in records]

    def marked(self, markers: Sequence[Marker]) -> Sequence[Marker | None]:
        try:
            with self._database.lock:
                return [
                    _marker(marker, self._database.fetch(_MARKER, (marker.source, marker.id))) for marker in markers
                ]
        except UnicodeEncodeError:
            raise _first_unstorable(markers, _check_marker) from None

    def replace(self, records: Sequence[Curated]) -> Sequence[bool]:
        self.check(records)
        with self._database.lock:
            self._tail = None
            with self._database.transaction() as connection:
                return [_replace(connection, record) for record in records]

    def delete(self, records: Sequence[Curated]) -> None:
        self.check(records)
        with self._database.lock:
            self._tail = None
            with self._database.transaction() as connection:
                connection.executemany(_DELETE, ((*_key(record), record.receipt, record.index) for record in records))

    def restore(self, records: Sequence[Curated]) -> None:
        self.check(records)
        with self._database.lock:
            self._tail = None
            with self._database.transaction() as connection:
                # Below all that a feed begins with: no reader ever asks for them.
                (lowest,) = connection.execute("SELECT min(0, coalesce(min(position), 0)) FROM curated").fetchone()
                types = _numbers(connection, _TYPES, map(_type, records))
                receipts = _numbers(connection, _RECEIPTS, map(_receipt, records))
                rows = zip(
                    range(lowest - len(records), lowest),
                    types,
                    map(_time, records),
                    [tie - _MIDDLE for tie in tie_breaks(records)],
                    map(_part, records),
                    receipts,
                    map(_index, records),
                    content_hashes(records),
                    map(_body, records),
                    strict=True,
                )
                _insert_curated(connection, rows, len(records))

    def query(
        self, event_type: str, *, since: int, until: int, after: int | None, limit: int, where: Where = ()
    ) -> Sequence[Curated]:
        numbers = self._database.fetch(_TYPES[0], (event_type,))
        if not numbers or limit <= 0:
            return []
        [(number,)] = numbers
        page = partial(self._page, number, since, until)
        return self._lookups.select(number, where, page, after, limit) if where else page(after, limit)

    def _page(
        self, number: int, since: int, until: int, after: int | None, limit: int, among: Candidates | None = None
    ) -> Sequence[Curated]:
        lowest = since * TIE if after is None else max(since * TIE, after + 1)
        time, tie = divmod(max(lowest, _FIRST * TIE), TIE)
        if tie >= 2 * _MIDDLE:  # beyond every tie-break
            time, tie = time + 1, 0
        if time > _LAST:
            return []
        table, terms, values = among or ("curated", "type = ?", (number,))
        rows = self._database.fetch(
            _QUERY.format(table, terms), (*values, time, tie - _MIDDLE, min(max(until, _FIRST), _LAST), limit)
        )
        return [_record(row) for row in rows]

    def origins(self) -> Sequence[str]:
        return [ORIGIN]

    def changes(self, origin: str, after: int, limit: int) -> Changes:
        with self._database.lock:
            if self._tail is not None and after >= self._tail[0] - 1:
                _, positions, records = self._tail
                start = bisect_right(positions, after)
                stop = start + max(limit, 0)
                if start == len(positions):
                    # All of it was read. Kept any longer, it would scatter what the next batch allocates over memory,
                    # which costs a fifth of the whole speed from some 500,000 events on.
                    self._tail = after + 1, (), ()
                return Changes(origin, positions[start:stop], records[start:stop])
        rows = self._database.fetch(_CHANGES, (after, max(limit, 0)))
        return Changes(origin, [row[0] for row in rows], [_record(row) for row in rows])

    def count(self) -> int:
        # A plain count walks the smallest index; the partial one holds only second and further parts.
        [(events,)] = self._database.fetch(
            "SELECT (SELECT count(*) FROM curated) - (SELECT count(*) FROM curated WHERE part > 0)"
        )
        return int(events)


def _joined(before: _Tail, written: _Tail) -> _Tail:
    """Two tails as one, or the second where they are many: of small insertions several are read together."""
    first, positions, records = before
    if not positions or len(positions) + len(written[1]) > _LONGEST_TAIL:
        return written
    return first, [*positions, *written[1]], [*records, *written[2]]


def _take_positions(connection: sqlite3.Connection, count: int) -> int:
    """The first of ``count`` positions that were never given before and never will be again."""
    (last,) = connection.execute("SELECT last FROM positions").fetchone()
    connection.execute("UPDATE positions SET last = ?", (last + count,))
    return int(last) + 1


def _numbers(connection: sqlite3.Connection, statements: tuple[str, str], names: Iterable[str]) -> Sequence[int]:
    """The number of each name in a table of names, giving new names one."""
    find, add = statements
    listed = list(names)
    numbers = {}
    for name in dict.fromkeys(listed):
        found = connection.execute(find, (name,)).fetchone()
        numbers[name] = found[0] if found else connection.execute(add, (name,)).lastrowid or 0
    return [numbers[name] for name in listed]


def _lineage(connection: sqlite3.Connection, key: tuple[int, int, int], record: Curated) -> Lineage | None:
    receipt, index, content, body = connection.execute(
        """SELECT r.name, c.idx, c.content, c.body FROM curated c CROSS JOIN receipts r ON r.id = c.receipt
        WHERE c.type = ? AND c.time = ? AND c.tie = ?""",
        key,
    ).fetchone()
    if receipt == record.receipt and index == record.index:
        return None
    source, event_id, *_ = _decode_body(body)
    return Lineage(source, event_id, receipt, index, content)


def _first_marker(connection: sqlite3.Connection, marker: Marker) -> Marker:
    return _marker(marker, connection.execute(_MARKER, (marker.source, marker.id)).fetchall()) or marker


def _marker(marker: Marker, rows: Sequence[Any]) -> Marker | None:
    return Marker(marker.source, marker.id, *rows[0]) if rows else None


def _replace(connection: sqlite3.Connection, record: Curated) -> bool:
    stored = _first(rows := connection.execute(_FIND, _key(record)).fetchall())
    written = None if stored is None else rewritten(stored, record)
    if written is None:
        return False
    connection.execute("UPDATE curated SET body = ? WHERE position = ?", (_body(written), rows[0][0]))
    return True


def _key(record: Curated) -> tuple[str, int, int]:
    return record.type, record.time, tie_break(record.source, record.id, record.part) - _MIDDLE


def _body(record: Curated) -> bytes:
    return encode((record.source, record.id, record.version, record.subject, record.curated_at, exact(record.fields)))


def _first(rows: Sequence[Any]) -> Curated | None:
    return _record(rows[0]) if rows else None


def _record(row: tuple[int, str, int, int, str, int, bytes]) -> Curated:
    _, event_type, time, part, receipt, index, body = row
    source, event_id, version, subject, curated_at, fields = _decode_body(body)
    return Curated(event_type, time, source, event_id, part, version, subject, receipt, index, curated_at, fields)


def _first_unstorable(items: Sequence[Any], check: Callable[[Any], None]) -> Exception:
    """The error that names the first item that ``check`` refuses."""
    objections = (_objection(position, item, check) for position, item in enumerate(items))
    return next(filter(None, objections), AssertionError("no item of the batch is at fault"))


def _objection(position: int, item: Any, check: Callable[[Any], None]) -> Unstorable | None:
    try:
        check(item)
    except UnicodeEncodeError:
        return Unstorable(position, "a string holds half of a surrogate pair, which is no Unicode text")
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return Unstorable(position, f"a value cannot be stored exactly: {error}")
    return None


def _check_record(record: Curated) -> None:
    tie_break(record.source, record.id, record.part)
    encode((record.type, record.receipt, record.subject, exact(record.fields)))


def _check_marker(marker: Marker) -> None:
    encode(marker)
