"""Curated events, changes and markers in dictionaries."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import compress, islice
from operator import attrgetter, is_, itemgetter, not_

from ...core.identity import TIE, content_hash, record_key
from ...core.records import Changes, Curated, Lineage, Marker

ORIGIN = "memory"

_id = attrgetter("id")
_natural_key = attrgetter("type", "time", "source", "id", "part")
_sort_key = itemgetter(0)


class MemoryCurated:
    """Records by id, and those that share one with another identity by their natural key.

    The natural key stands for the sort key; hashing that is left to ``query``.
    """

    def __init__(self) -> None:
        self._held: dict[str, Curated] = {}
        self._namesakes: dict[tuple[object, ...], Curated] = {}
        self._changes: list[Curated] = []
        self._by_type: dict[str, list[tuple[int, Curated]]] = {}
        self._indexed = 0
        self._markers: dict[tuple[str, str], Marker] = {}

    def insert(self, records: Sequence[Curated]) -> Sequence[Lineage | None]:
        held, before = self._held, len(self._held)
        firsts = list(map(held.setdefault, map(_id, records), records))
        if len(held) - before == len(records):
            self._changes.extend(records)
            return [None] * len(records)
        found: list[Lineage | None] = [None] * len(records)
        new = list(map(is_, firsts, records))
        if new.count(True) > len(held) - before:  # a record object of before: it is itself what was first
            fresh = set(islice(reversed(held), len(held) - before))
            for place in compress(range(len(records)), new):
                new[place] = records[place].id in fresh
                fresh.discard(records[place].id)
        for place in compress(range(len(records)), map(not_, new[:])):
            first, record = firsts[place], records[place]
            if (key := _natural_key(record)) != _natural_key(first):
                namesakes = len(self._namesakes)
                first = self._namesakes.setdefault(key, record)
                new[place] = len(self._namesakes) > namesakes
            found[place] = _lineage(first, record)
        self._changes.extend(compress(records, new))
        return found

    def check(self, records: Sequence[Curated]) -> None:
        """There is nothing that a dictionary cannot hold."""

    def mark(self, markers: Sequence[Marker]) -> Sequence[Marker]:
        held = self._markers
        return [held.setdefault((marker.source, marker.id), marker) for marker in markers]

    def query(self, event_type: str, *, since: int, until: int, after: int | None, limit: int) -> Sequence[Curated]:
        self._index()
        entries = self._by_type.get(event_type, [])
        lowest = since * TIE if after is None else max(since * TIE, after + 1)
        start = bisect_left(entries, lowest, key=_sort_key)
        stop = bisect_left(entries, until * TIE, key=_sort_key)
        return [record for _, record in entries[start : min(stop, start + max(limit, 0))]]

    def _index(self) -> None:
        """Sort in what was inserted since the last call. Appending and sorting again is linear on sorted runs."""
        touched = set()
        for record in islice(self._changes, self._indexed, None):
            self._by_type.setdefault(record.type, []).append((record_key(record), record))
            touched.add(record.type)
        self._indexed = len(self._changes)
        for event_type in touched:
            self._by_type[event_type].sort(key=_sort_key)

    def origins(self) -> Sequence[str]:
        return [ORIGIN]

    def changes(self, origin: str, after: int, limit: int) -> Changes:
        records = self._changes[after : after + limit]
        return Changes(origin, range(after + 1, after + 1 + len(records)), records)

    def count(self) -> int:
        return sum(record.part == 0 for record in self._changes)


def _lineage(first: Curated, record: Curated) -> Lineage | None:
    if first.receipt == record.receipt and first.index == record.index:
        return None
    return Lineage(first.source, first.id, first.receipt, first.index, content_hash(first.raw))
