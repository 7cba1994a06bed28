"""The ledger in SQLite."""

from collections.abc import Mapping, Sequence

import msgspec

from ...core.records import LedgerEntry
from .database import Database

_decode = msgspec.json.Decoder(LedgerEntry).decode


_AT_ONCE = 500


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
        found: dict[str, LedgerEntry] = {}
        for at in range(0, len(receipts), _AT_ONCE):
            some = receipts[at : at + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._database.fetch(f"SELECT receipt, entry FROM ledger WHERE receipt IN ({marks})", tuple(some))  # noqa: S608 (marks only)
            found |= {receipt: _decode(entry) for receipt, entry in rows}
        return found

    def list(self, *, after: str | None, limit: int) -> Sequence[LedgerEntry]:
        rows = self._database.fetch(
            "SELECT entry FROM ledger WHERE receipt > ? ORDER BY receipt LIMIT ?", (after or "", max(limit, 0))
        )
        return [_decode(entry) for (entry,) in rows]
