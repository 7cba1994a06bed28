"""Curated events, changes and markers in dictionaries."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from functools import partial
from itertools import chain, compress, islice
from operator import attrgetter, is_, itemgetter, not_

from ...core.comparison import rewritten
from ...core.conditions import Where, chosen
from ...core.identity import TIE, content_hash, record_key
from ...core.records import Changes, Curated, Lineage, Marker

ORIGIN = "memory"

_id = attrgetter("id")
_natural_key = attrgetter("type", "time", "source", "id", "part")
_sort_key = itemgetter(0)


class MemoryCurated:
    """Records by id, and those that share one with another identity by their natural key.

    The natural key stands for the sort key; hashing that is left to ``query``. ``_changes`` keeps every insertion as it
    was, also of what was replaced or deleted since.
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

    def find(self, records: Sequence[Curated]) -> Sequence[Curated | None]:
        return [*map(self._stored, records)]

    def marked(self, markers: Sequence[Marker]) -> Sequence[Marker | None]:
        return [self._markers.get((marker.source, marker.id)) for marker in markers]

    def replace(self, records: Sequence[Curated]) -> Sequence[bool]:
        self._index()
        answers = []
        for record in records:
            stored = self._stored(record)
            written = None if stored is None else rewritten(stored, record)
            answers.append(written is not None)
            if written is not None:
                if self._held[record.id] is stored:
                    self._held[record.id] = written
                else:
                    self._namesakes[_natural_key(record)] = written
                entries, key = self._by_type[record.type], record_key(record)
                entries[bisect_left(entries, key, key=_sort_key)] = key, written
        return answers

    def delete(self, records: Sequence[Curated]) -> None:
        self._index()
        gone: dict[str, set[int]] = {}
        for record in records:
            stored = self._stored(record)
            if stored is not None and _lineage(stored, record) is None:
                gone.setdefault(record.type, set()).add(record_key(record))
                if self._held[record.id] is stored:
                    del self._held[record.id]
                    self._promote(record.id)
                else:
                    del self._namesakes[_natural_key(record)]
        for event_type, keys in gone.items():
            entries = self._by_type[event_type]
            self._by_type[event_type] = [entry for entry in entries if entry[0] not in keys]

    def restore(self, records: Sequence[Curated]) -> None:
        self._index()
        for record in records:
            if self._stored(record) is None:
                if self._held.setdefault(record.id, record) is not record:
                    self._namesakes[_natural_key(record)] = record
                insort(self._by_type.setdefault(record.type, []), (record_key(record), record), key=_sort_key)

    def query(
        self, event_type: str, *, since: int, until: int, after: int | None, limit: int, where: Where = ()
    ) -> Sequence[Curated]:
        return chosen(partial(self._page, event_type, since, until), where, after, limit)

    def _page(self, event_type: str, since: int, until: int, after: int | None, limit: int) -> Sequence[Curated]:
        self._index()
        entries = self._by_type.get(event_type, [])
        lowest = since * TIE if after is None else max(since * TIE, after + 1)
        start = bisect_left(entries, lowest, key=_sort_key)
        stop = bisect_left(entries, until * TIE, key=_sort_key)
        return [record for _, record in entries[start : min(stop, start + max(limit, 0))]]

    def _stored(self, record: Curated) -> Curated | None:
        first, key = self._held.get(record.id), _natural_key(record)
        return first if first is None or _natural_key(first) == key else self._namesakes.get(key)

    def _promote(self, event_id: str) -> None:
        """Let a namesake take the place of a record that was deleted: namesakes are sought only behind a record."""
        for key, record in self._namesakes.items():
            if record.id == event_id:
                self._held[event_id] = self._namesakes.pop(key)
                return

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
        return sum(record.part == 0 for record in chain(self._held.values(), self._namesakes.values()))


def _lineage(first: Curated, record: Curated) -> Lineage | None:
    if first.receipt == record.receipt and first.index == record.index:
        return None
    return Lineage(first.source, first.id, first.receipt, first.index, content_hash(first.raw))
