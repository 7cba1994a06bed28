"""View rows and cursors in the table ``Views``."""

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import groupby, islice
from typing import Any, Final

import msgspec

from ...core.errors import StoreError
from ...core.records import RowKey, ViewRow
from .dynamodb import LARGEST_PAGE, ConditionFailed, DynamoDB, Item, encode
from .values import decode_json, encode_json, item_json

PARTITION: Final = "view"
SORT: Final = "row"
KEPT_MILLISECONDS: Final = 48 * 3_600_000
"""How long a row remembers a shard after a newer one began. A shard takes changes for some 4 hours, and a change can be
read for 24 (DynamoDB developer guide, "Change data capture with DynamoDB Streams")."""

_WINDOW_DIGITS: Final = 20
_ZERO: Final = 10**19
"""Added to a window's start, so that as text they sort like the numbers, negative ones too."""
_LONGEST_GROUP: Final = 235
"""Characters of a group, of at most four bytes each, that fit a sort key of 1024 bytes with a window and a hash."""
_LONGEST_VIEW: Final = 400
_POSITION_DIGITS: Final = 40
"""Digits of the longest sequence number (API reference, StreamRecord): too many for a number of DynamoDB."""
_SHARD: Final = re.compile(r"shardId-([0-9]+)-[0-9a-f]+")
_decode_positions = msgspec.json.Decoder(dict[str, int]).decode


class DynamoViews:
    """One item per row, with its states, positions and version; one per view and origin for the cursor.

    A commit whose answer was lost counts its row among those that lost the race, although it was written: who loads
    the row again finds its own positions in it, and nothing left to fold. Origins that are shards of a stream are
    forgotten ``KEPT_MILLISECONDS`` after a newer one began.
    """

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database, self._table = database, table

    def load(self, view: str, keys: Sequence[RowKey]) -> Mapping[RowKey, ViewRow]:
        wanted = [_key(view, key) for key in dict.fromkeys(keys)]
        rows = map(_row, self._database.found(self._table, wanted))
        return {row.key: row for row in rows}

    def commit(self, view: str, rows: Sequence[ViewRow]) -> Sequence[RowKey]:
        """As the port says. Raises ``StoreError`` before writing anything if a row has outgrown an item."""
        bodies = [self._body(view, row) for row in rows]
        # Of rows with one key the first may go at once, later ones when it is done.
        first: dict[RowKey, int] = {}
        for place, row in enumerate(rows):
            first.setdefault(row.key, place)
        written = dict(
            zip(first.values(), self._database.each(self._put, [bodies[n] for n in first.values()]), strict=True)
        )
        for place, body in enumerate(bodies):
            if place not in written:
                written[place] = self._put(body)
        return [row.key for place, row in enumerate(rows) if not written[place]]

    def rows(self, view: str, *, since: int, until: int, after: RowKey | None, limit: int) -> Sequence[ViewRow]:
        lowest = RowKey(since, "") if after is None else max(RowKey(since, ""), after)
        lowest, end = RowKey(max(lowest.window, -_ZERO), lowest.group), min(until, _ZERO)
        if lowest.window >= end or limit <= 0:
            return []
        items = self._database.query(
            self._table,
            "#p = :p AND #s BETWEEN :a AND :b",
            {":p": {"S": _partition(view)}, ":a": {"S": _head(lowest)}, ":b": {"S": _head(RowKey(end, ""))}},
            {"#p": PARTITION, "#s": SORT},
            min(limit + 1, LARGEST_PAGE),
        )
        beyond = (row for row in _sorted(items) if row.key.window < end and (after is None or row.key > after))
        return list(islice(beyond, limit))

    def cursor(self, view: str, origin: str) -> int:
        item = self._database.item(self._table, _cursor_key(view, origin))
        return 0 if item is None else int(item["position"]["S"])

    def advance(self, view: str, origin: str, position: int) -> None:
        if position <= 0:
            return
        text = {"S": f"{position:0{_POSITION_DIGITS}d}"}
        asked = {
            "TableName": self._table,
            "Item": {**_cursor_key(view, origin), "position": text},
            "ConditionExpression": "attribute_not_exists(#p) OR #p < :p",
            "ExpressionAttributeNames": {"#p": "position"},
            "ExpressionAttributeValues": {":p": text},
        }
        self._put(encode(asked))

    def forget(self, view: str, limit: int) -> int:
        """As the port says, with at most ``LARGEST_PAGE`` keys in hand."""
        gone = 0
        for partition in (_cursors(view), _partition(view)):
            keys = self._database.query(
                self._table,
                "#p = :p",
                {":p": {"S": partition}},
                {"#p": PARTITION, "#s": SORT},
                min(max(limit - gone, 1), LARGEST_PAGE),
                only="#p, #s",
            )
            while gone < limit and (some := list(islice(keys, min(limit - gone, LARGEST_PAGE)))):
                self._database.delete(self._table, some)
                gone += len(some)
        return gone

    def _put(self, body: bytes) -> bool:
        """Whether the condition held and the item was written."""
        try:
            self._database.call("PutItem", body, self._table)
        except ConditionFailed:
            return False
        return True

    def _body(self, view: str, row: ViewRow) -> bytes:
        item = {
            **_key(view, row.key),
            "states": {"S": encode_json(row.states).decode()},
            "positions": {"S": encode(_recent(row.positions)).decode()},
            "version": {"N": str(row.version + 1)},
        }
        if len(row.key.group) > _LONGEST_GROUP:
            item["group"] = {"S": row.key.group}
        try:
            text = item_json(item)
        except ValueError as error:
            raise StoreError(f"A row of view {view} cannot be kept: {error}") from None
        asked: dict[str, Any] = {"TableName": self._table}
        if row.version == 0:
            asked |= {
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": {"#key": PARTITION},
            }
        else:
            asked |= {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(row.version)}},
            }
        return encode(asked)[:-1] + b',"Item":' + text + b"}"


def _partition(view: str) -> str:
    """The partition value of a view; of one with very many measures a part of the signature and its hash."""
    return view if len(view) <= _LONGEST_VIEW else f"{view[:_LONGEST_VIEW]}#{sha256(view.encode()).hexdigest()}"


def _head(key: RowKey) -> str:
    """The beginning of a row's sort key: all of it but the hash of a long group."""
    return f"{key.window + _ZERO:0{_WINDOW_DIGITS}d}{key.group[:_LONGEST_GROUP]}"


def _key(view: str, key: RowKey) -> Item:
    rest = sha256(key.group.encode()).hexdigest() if len(key.group) > _LONGEST_GROUP else ""
    return {PARTITION: {"S": _partition(view)}, SORT: {"S": _head(key) + rest}}


def _cursors(view: str) -> str:
    """The partition value of a view's cursors."""
    return f"cursor#{_partition(view)}"


def _cursor_key(view: str, origin: str) -> Item:
    return {PARTITION: {"S": _cursors(view)}, SORT: {"S": origin}}


def _row(item: Item) -> ViewRow:
    row = item[SORT]["S"]
    group = item["group"]["S"] if "group" in item else row[_WINDOW_DIGITS:]
    return ViewRow(
        key=RowKey(int(row[:_WINDOW_DIGITS]) - _ZERO, group),
        states=tuple(decode_json(item["states"]["S"])),
        positions=_decode_positions(item["positions"]["S"]),
        version=int(item["version"]["N"]),
    )


def _sorted(items: Iterator[Item]) -> Iterator[ViewRow]:
    """The rows of items that come in order of sort key, in order of key: long groups are sorted among themselves."""
    for _, rows in groupby(map(_row, items), key=lambda row: _head(row.key)):
        yield from sorted(rows, key=lambda row: row.key)


def _recent(positions: Mapping[str, int]) -> dict[str, int]:
    """The positions without those of shards whose changes expired long ago."""
    begun = {origin: int(shard[1]) for origin in positions if (shard := _SHARD.fullmatch(origin))}
    oldest = max(begun.values(), default=0) - KEPT_MILLISECONDS
    return {origin: position for origin, position in positions.items() if begun.get(origin, oldest) >= oldest}
