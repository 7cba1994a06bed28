"""``Meter``: counts what is curated while it is, and ``Metered``, the curated store that it watches."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from ...core.identity import received_at
from ...core.ports import Clock, CuratedStore
from ...core.records import Curated, LedgerEntry, Lineage
from ..rows import event_row, shown
from .wire import Counted

SHOWN_OF_A_TYPE: Final = 20
"""Events of each type that are shown of those between two readings."""
_type, _receipt, _part = attrgetter("type"), attrgetter("receipt"), attrgetter("part")


class Meter:
    """What was processed since it was last read. Threads may share it."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._inserted: list[Curated] = []
        self._clear()

    def inserted(self, records: Sequence[Curated]) -> None:
        """Records were inserted, each the first of its event, and are about to be committed."""
        self._inserted += records

    def forget(self) -> None:
        """What was inserted was not committed."""
        self._inserted = []

    def committed(self, entries: Iterable[LedgerEntry]) -> None:
        """What was inserted is committed just now, with the entries of receipts."""
        records, self._inserted = self._inserted, []
        if records:
            self._curated(records)
        self._processed(entries)

    def _curated(self, records: Sequence[Curated]) -> None:
        now = self._clock.now() // 1000
        by_receipt = Counter(map(_receipt, records))
        with self._lock:
            self._types.update(map(_type, records))
            for receipt, count in by_receipt.items():
                self._milliseconds[max(now - received_at(receipt) // 1000, 0)] += count
            for record in records[-SHOWN_OF_A_TYPE:]:
                kept = self._events.setdefault(record.type, [])
                if len(kept) < SHOWN_OF_A_TYPE:
                    kept.append(record)

    def _processed(self, entries: Iterable[LedgerEntry]) -> None:
        with self._lock:
            for entry in entries:
                self._outcomes["curated"] += entry.curated
                self._outcomes["duplicate"] += entry.duplicate
                self._outcomes["filtered"] += entry.filtered
                self._outcomes["dead_lettered"] += entry.dead_lettered

    def read(self) -> Counted | None:
        """What there was, once; None where there was nothing."""
        with self._lock:
            if not self._types and not any(self._outcomes.values()):
                return None
            records = [record for kept in self._events.values() for record in kept]
            counted = Counted(dict(self._types), dict(self._outcomes), dict(self._milliseconds), rows_of(records))
            self._clear()
        return counted

    def _clear(self) -> None:
        self._types: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._milliseconds: Counter[int] = Counter()
        self._events: dict[str, list[Curated]] = {}


def rows_of(records: Iterable[Curated]) -> list[dict[str, Any]]:
    """Curated events as JSON shows them."""
    return [shown(event_row(record)) for record in records]


class Metered:
    """A curated store whose insertions are counted."""

    def __init__(self, curated: CuratedStore, meter: Meter) -> None:
        self._curated, self._meter = curated, meter

    def insert(self, records: Sequence[Curated]) -> Sequence[Lineage | None]:
        answers = self._curated.insert(records)
        if any(answers) or any(map(_part, records)):
            pairs = zip(records, answers, strict=True)
            records = [record for record, lost in pairs if lost is None and not record.part]
        if records:
            self._meter.inserted(records)
        return answers

    def __getattr__(self, method: str) -> Any:
        return getattr(self._curated, method)
