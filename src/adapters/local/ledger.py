"""The ledger in SQLite."""

from collections.abc import Mapping, Sequence

import msgspec

from ...core.records import LedgerEntry
from .database import Database

_decode = msgspec.json.Decoder(LedgerEntry).decode


class LocalLedger:
    """One row per receipt."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, entry: LedgerEntry) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO ledger (receipt, entry) VALUES (?, ?)",
                (entry.receipt, msgspec.json.encode(entry)),
            )

    def entries(self, receipts: Sequence[str]) -> Mapping[str, LedgerEntry]:
        with self._database.lock:
            rows = [
                row
                for receipt in receipts
                for row in self._database.fetch("SELECT receipt, entry FROM ledger WHERE receipt = ?", (receipt,))
            ]
        return {receipt: _decode(entry) for receipt, entry in rows}

    def list(self, *, after: str | None, limit: int) -> Sequence[LedgerEntry]:
        rows = self._database.fetch(
            "SELECT entry FROM ledger WHERE receipt > ? ORDER BY receipt LIMIT ?", (after or "", max(limit, 0))
        )
        return [_decode(entry) for (entry,) in rows]
