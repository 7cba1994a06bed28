"""The ledger in a dictionary."""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence

from ...core.records import LedgerEntry


class MemoryLedger:
    """Entries by receipt, and their receipts in order."""

    def __init__(self) -> None:
        self._entries: dict[str, LedgerEntry] = {}
        self._receipts: list[str] = []

    def record(self, entry: LedgerEntry) -> None:
        if entry.receipt not in self._entries:
            insort(self._receipts, entry.receipt)
        self._entries[entry.receipt] = entry

    def entries(self, receipts: Sequence[str]) -> Mapping[str, LedgerEntry]:
        return {receipt: self._entries[receipt] for receipt in receipts if receipt in self._entries}

    def list(self, *, after: str | None, limit: int) -> Sequence[LedgerEntry]:
        start = 0 if after is None else bisect_right(self._receipts, after)
        return [self._entries[receipt] for receipt in self._receipts[start : start + limit]]
