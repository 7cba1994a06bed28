"""View rows and cursors in SQLite."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import msgspec

from ...core.records import RowKey, ViewRow
from .database import Database
from .values import decode_list, encode_list

_decode_positions = msgspec.json.Decoder(dict[str, int]).decode
_ADVANCE = """INSERT INTO cursors (view, origin, position) VALUES (?, ?, max(?, 0))
    ON CONFLICT (view, origin) DO UPDATE SET position = excluded.position WHERE excluded.position > position"""
_AT_ONCE = 200
_FIRST, _LAST = -(2**63), 2**63 - 1


class LocalViews:
    """One table of rows, one of cursors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, view: str, keys: Sequence[RowKey]) -> Mapping[RowKey, ViewRow]:
        found = {}
        with self._database.lock:
            for at in range(0, len(keys), _AT_ONCE):
                some = keys[at : at + _AT_ONCE]
                for row in self._database.fetch(_load(len(some)), (*chain.from_iterable(some), view)):
                    loaded = _row(row)
                    found[loaded.key] = loaded
        return found

    def commit(self, view: str, rows: Sequence[ViewRow]) -> Sequence[RowKey]:
        prepared = [(row, encode_list(row.states), msgspec.json.encode(row.positions)) for row in rows]
        lost = []
        with self._database.transaction() as connection:
            for row, states, positions in prepared:
                if row.version == 0:
                    done = connection.execute(
                        "INSERT OR IGNORE INTO view_rows (states, positions, version, view, start, grp)"
                        " VALUES (?, ?, 1, ?, ?, ?)",
                        (states, positions, view, *row.key),
                    )
                else:
                    done = connection.execute(
                        "UPDATE view_rows SET states = ?, positions = ?, version = version + 1"
                        " WHERE view = ? AND start = ? AND grp = ? AND version = ?",
                        (states, positions, view, *row.key, row.version),
                    )
                if done.rowcount != 1:
                    lost.append(row.key)
        return lost

    def rows(self, view: str, *, since: int, until: int, after: RowKey | None, limit: int) -> Sequence[ViewRow]:
        lowest = (since, "") if after is None else max((since, ""), (after.window, after.group))
        # No group is the empty text (a canonical JSON array has brackets), so "beyond (since, '')" includes all.
        found = self._database.fetch(
            """SELECT start, grp, states, positions, version FROM view_rows
            WHERE view = ? AND (start, grp) > (?, ?) AND start < ? ORDER BY start, grp LIMIT ?""",
            (view, max(lowest[0], _FIRST), lowest[1], min(max(until, _FIRST), _LAST), max(limit, 0)),
        )
        return [_row(row) for row in found]

    def cursor(self, view: str, origin: str) -> int:
        found = self._database.fetch("SELECT position FROM cursors WHERE view = ? AND origin = ?", (view, origin))
        return int(found[0][0]) if found else 0

    def advance(self, view: str, origin: str, position: int) -> None:
        with self._database.transaction() as connection:
            connection.execute(_ADVANCE, (view, origin, position))

    def advance_aside(self, view: str, origin: str, position: int) -> None:
        """As ``advance``, by a reader too: for a cursor of what is only read, and would be again."""
        with self._database.aside() as connection:
            connection.execute(_ADVANCE, (view, origin, position))

    def forget(self, view: str, limit: int) -> int:
        with self._database.transaction() as connection:
            cursors = connection.execute(
                """DELETE FROM cursors WHERE view = ?1 AND origin IN
                (SELECT origin FROM cursors WHERE view = ?1 ORDER BY origin LIMIT ?2)""",
                (view, max(limit, 0)),
            ).rowcount
            rows = connection.execute(
                """DELETE FROM view_rows WHERE view = ?1 AND (start, grp) IN
                (SELECT start, grp FROM view_rows WHERE view = ?1 ORDER BY start, grp LIMIT ?2)""",
                (view, max(limit - cursors, 0)),
            ).rowcount
        return cursors + rows


@cache
def _load(count: int) -> str:
    """The query for so many rows by their keys. A join, since SQLite looks a row value in a list up by no index."""
    wanted = ", ".join(["(?, ?)"] * count)
    return f"""WITH wanted (start, grp) AS (VALUES {wanted})
        SELECT r.start, r.grp, r.states, r.positions, r.version FROM wanted CROSS JOIN view_rows r
        ON r.view = ? AND r.start = wanted.start AND r.grp = wanted.grp"""  # noqa: S608 (marks only)


def _row(row: tuple[int, str, bytes, bytes, int]) -> ViewRow:
    start, group, states, positions, version = row
    loaded: tuple[Any, ...] = tuple(decode_list(states))
    return ViewRow(RowKey(start, group), loaded, _decode_positions(positions), version)
