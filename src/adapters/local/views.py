"""View rows and cursors in SQLite."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...core.records import RowKey, ViewRow
from .database import Database
from .values import decode_list, encode_list

_decode_positions = msgspec.json.Decoder(dict[str, int]).decode
_ADVANCE = """INSERT INTO cursors (view, origin, position) VALUES (?, ?, max(?, 0))
    ON CONFLICT (view, origin) DO UPDATE SET position = excluded.position WHERE excluded.position > position"""
_FIRST, _LAST = -(2**63), 2**63 - 1


class LocalViews:
    """One table of rows, one of cursors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, view: str, keys: Sequence[RowKey]) -> Mapping[RowKey, ViewRow]:
        found = {}
        with self._database.lock:
            for key in keys:
                for row in self._database.fetch(
                    "SELECT start, grp, states, positions, version FROM view_rows"
                    " WHERE view = ? AND start = ? AND grp = ?",
                    (view, *key),
                ):
                    found[key] = _row(row)
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


def _row(row: tuple[int, str, bytes, bytes, int]) -> ViewRow:
    start, group, states, positions, version = row
    loaded: tuple[Any, ...] = tuple(decode_list(states))
    return ViewRow(RowKey(start, group), loaded, _decode_positions(positions), version)
