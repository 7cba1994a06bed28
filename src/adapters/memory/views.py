"""View rows and cursors in dictionaries."""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from ...core.records import RowKey, ViewRow


class MemoryViews:
    """Rows by view and key, and the keys of each view in order."""

    def __init__(self) -> None:
        self._views: defaultdict[str, dict[RowKey, ViewRow]] = defaultdict(dict)
        self._keys: defaultdict[str, list[RowKey]] = defaultdict(list)
        self._cursors: dict[tuple[str, str], int] = {}

    def load(self, view: str, keys: Sequence[RowKey]) -> Mapping[RowKey, ViewRow]:
        rows = self._views[view]
        return {key: rows[key] for key in keys if key in rows}

    def commit(self, view: str, rows: Sequence[ViewRow]) -> Sequence[RowKey]:
        held = self._views[view]
        lost = []
        for row in rows:
            stored = held.get(row.key)
            if (stored.version if stored else 0) != row.version:
                lost.append(row.key)
            else:
                if stored is None:
                    insort(self._keys[view], row.key)
                held[row.key] = msgspec.structs.replace(row, version=row.version + 1)
        return lost

    def rows(self, view: str, *, since: int, until: int, after: RowKey | None, limit: int) -> Sequence[ViewRow]:
        held, keys = self._views[view], self._keys[view]
        start = bisect_left(keys, RowKey(since, ""))
        if after is not None:
            start = max(start, bisect_right(keys, after))
        stop = bisect_left(keys, RowKey(until, ""))
        return [held[key] for key in keys[start : min(stop, start + limit)]]

    def cursor(self, view: str, origin: str) -> int:
        return self._cursors.get((view, origin), 0)

    def advance(self, view: str, origin: str, position: int) -> None:
        self._cursors[view, origin] = max(position, self.cursor(view, origin))

    def forget(self, view: str, limit: int) -> int:
        cursors = [key for key in self._cursors if key[0] == view][: max(limit, 0)]
        for key in cursors:
            del self._cursors[key]
        rows = self._keys[view][: max(limit - len(cursors), 0)]
        for row in rows:
            del self._views[view][row]
        del self._keys[view][: len(rows)]
        return len(cursors) + len(rows)
