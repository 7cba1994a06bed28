"""Whole tables, item by item as the service has them: what a restored copy holds, and putting back what is missing."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from .clients import Clients
from .dynamodb import DynamoDB, Item, encode, put_head

Key: TypeAlias = tuple[tuple[str, str | Decimal], ...]
"""The key of an item: of each of its attributes the type and the value; numbers that are equal are equal."""

PAGE: Final = 1000
"""Items that one Scan reads, at most; an answer has at most 1 MB whatever is asked."""


class Tables:
    """Reads tables whole, and writes items where nothing is. ``close`` it when it is no longer wanted."""

    def __init__(self, clients: Clients) -> None:
        self._database = DynamoDB(clients)

    def close(self) -> None:
        """Let go of connections and threads."""
        self._database.close()

    def pages(self, table: str) -> Iterator[list[Item]]:
        """All items, a page at a time, in no order. Each page is one read that sees what was written before it."""
        asked: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "Limit": PAGE}
        while True:
            answer = self._database.ask("Scan", asked, table)
            if answer["Items"]:
                yield answer["Items"]
            if (last := answer.get("LastEvaluatedKey")) is None:
                return
            asked["ExclusiveStartKey"] = last

    def found(self, table: str, names: Sequence[str], items: Sequence[Item]) -> Mapping[Key, Item]:
        """What the table holds under the keys of some items; ``names`` are the key's attributes."""
        keys = {key_of(names, item): {name: item[name] for name in names} for item in items}
        held = self._database.found(table, [*keys.values()])
        return {key_of(names, item): item for item in held}

    def add(self, table: str, names: Sequence[str], items: Sequence[Item]) -> int:
        """Write each item whose key is free, and say how many were. The first write of a key wins, whoever races."""
        head = put_head(table, names[0])

        def put(item: Item) -> bool:
            key = {name: item[name] for name in names}
            return self._database.put_new(table, key, head + encode(item) + b"}") is None

        return sum(self._database.each(put, items))


def key_of(names: Sequence[str], item: Item) -> Key:
    """The key of an item, such that equal keys are equal however the service writes a number."""
    found: list[tuple[str, str | Decimal]] = []
    for name in names:
        [(kind, value)] = item[name].items()
        found.append((kind, Decimal(value) if kind == "N" else value))
    return tuple(found)
