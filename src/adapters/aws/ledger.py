"""The ledger in the table ``Ledger``: an item per receipt, spread over 16 partitions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...core.records import LedgerEntry
from .dynamodb import DynamoDB, Item, encode, page_of

SHARDS: Final = tuple(f"{shard:02x}" for shard in range(16))
"""The partition values: a receipt is in the one of its last hex digit, which is random in a UUIDv7."""


class DynamoLedger:
    """Entries by (shard, receipt). Writing an entry again replaces it by itself."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database, self._table = database, table

    def record(self, entry: LedgerEntry) -> None:
        self._database.call("PutItem", encode({"TableName": self._table, "Item": _item(entry)}), self._table)

    def entries(self, receipts: Sequence[str]) -> Mapping[str, LedgerEntry]:
        found = self._database.found(self._table, [_key(receipt) for receipt in dict.fromkeys(receipts)])
        return {entry.receipt: entry for entry in map(_entry, found)}

    def list(self, *, after: str | None, limit: int) -> Sequence[LedgerEntry]:
        if limit <= 0:
            return []
        condition, names, values = "#s = :s", {"#s": "shard"}, {}
        if after:
            condition, names["#r"], values[":r"] = "#s = :s AND #r > :r", "receipt", {"S": after}
        page = page_of(limit, len(SHARDS))
        queries = [
            self._database.query(self._table, condition, {**values, ":s": {"S": shard}}, names, page)
            for shard in SHARDS
        ]
        return [_entry(item) for item in self._database.merged(queries, lambda item: item["receipt"]["S"], limit)]


def _key(receipt: str) -> Item:
    return {"shard": {"S": SHARDS[int(receipt[-1], 16)]}, "receipt": {"S": receipt}}


def _item(entry: LedgerEntry) -> Item:
    return {
        **_key(entry.receipt),
        "events": _number(entry.events),
        "curated": _number(entry.curated),
        "duplicate": _number(entry.duplicate),
        "filtered": _number(entry.filtered),
        "deadLettered": _number(entry.dead_lettered),
        "deadLetters": {"M": {reason: _number(count) for reason, count in entry.dead_letters.items()}},
    }


def _entry(item: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        receipt=item["receipt"]["S"],
        events=int(item["events"]["N"]),
        curated=int(item["curated"]["N"]),
        duplicate=int(item["duplicate"]["N"]),
        filtered=int(item["filtered"]["N"]),
        dead_lettered=int(item["deadLettered"]["N"]),
        dead_letters={reason: int(count["N"]) for reason, count in item["deadLetters"]["M"].items()},
    )


def _number(count: int) -> dict[str, str]:
    return {"N": str(count)}
