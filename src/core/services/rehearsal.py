"""Rehearsed ports: they answer as if what they are given had been written, and write nothing."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from ..identity import content_hash, record_key
from ..ports import CuratedStore
from ..records import Curated, DeadLetter, LedgerEntry, Lineage, Marker
from .process import Process

REMEMBERED = 100_000
"""Records, and markers, that would have been written and are remembered as if they had been. Beyond so many, events
that would meet only each other are taken for the first.
"""
_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


class RehearsedCurated:
    """The writing half of a curated store, as ``Process`` uses it."""

    def __init__(self, store: CuratedStore) -> None:
        self._store = store
        self._records: dict[tuple[str, int], Lineage] = {}
        self._markers: dict[tuple[str, str], Marker] = {}

    def insert(self, records: Sequence[Curated]) -> Sequence[Lineage | None]:
        # A stored record comes back without the bytes that its lineage has a hash of: content is compared then.
        firsts = [
            self._first(record) if found is None else _lineage(found)
            for record, found in zip(records, self._store.find(records), strict=True)
        ]
        return [
            None if (first.receipt, first.index) == (record.receipt, record.index) else first
            for record, first in zip(records, firsts, strict=True)
        ]

    def check(self, records: Sequence[Curated]) -> None:
        self._store.check(records)

    def mark(self, markers: Sequence[Marker]) -> Sequence[Marker]:
        return [
            _kept(self._markers, (marker.source, marker.id), marker) if found is None else found
            for marker, found in zip(markers, self._store.marked(markers), strict=True)
        ]

    def _first(self, record: Curated) -> Lineage:
        return _kept(self._records, (record.type, record_key(record)), _lineage(record))


class RehearsedLetters:
    """Dead letters that nobody keeps."""

    def add(self, letters: Iterable[DeadLetter]) -> None:
        pass


class RehearsedLedger:
    """Ledger entries that nobody keeps."""

    def record(self, entry: LedgerEntry) -> None:
        pass


def rehearsal(process: Process, curated: CuratedStore) -> Process:
    """A process that comes to the same results and writes nothing."""
    # Any, since only what a process calls is rehearsed.
    rehearsed: Any = RehearsedCurated(curated)
    letters: Any = RehearsedLetters()
    ledger: Any = RehearsedLedger()
    return process.over(rehearsed, letters, ledger)


def _kept(items: dict[_Key, _Item], key: _Key, item: _Item) -> _Item:
    """The item that came first under a key."""
    return items.setdefault(key, item) if key in items or len(items) < REMEMBERED else item


def _lineage(record: Curated) -> Lineage:
    return Lineage(record.source, record.id, record.receipt, record.index, content_hash(record.raw))
