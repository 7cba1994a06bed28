"""Curated events in the table ``CuratedEvents``, markers in the table ``Identities``."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

from ...core.comparison import rewritten
from ...core.conditions import Where, chosen
from ...core.identity import TIE, content_hash
from ...core.records import Curated, Lineage, Marker
from .dynamodb import ConditionFailed, DynamoDB, Item, encode, page_of, put_head
from .identities import DynamoIdentities
from .items import (
    FIRST_KEY,
    LAST_KEY,
    PARTITION,
    RESTORED,
    SORT,
    content_of,
    encoded,
    key_number,
    key_of,
    lineage_of,
    partitions_of,
    place_of,
    record_of,
)
from .values import refusing

SEGMENTS: Final = 8
"""Parts in which the table is counted, in parallel."""


_NAMES: Final = {"#receipt": "receipt", "#index": "index", "#at": "curatedAt"}


class _Put(NamedTuple):
    record: Curated
    key: tuple[str, str]
    body: bytes

    @property
    def item_key(self) -> Item:
        partition, number = self.key
        return {PARTITION: {"S": partition}, SORT: {"N": number}}


class DynamoCurated:
    """Records by (type or type#k, time with tie-break), written one by one, each under a condition.

    A new record costs one write and no read. Of a type with shards, ``shards`` says how many: it must never change
    while the table holds events of the type, since the shard is a part of the key.
    """

    def __init__(
        self, database: DynamoDB, table: str, identities: DynamoIdentities, shards: Mapping[str, int] | None = None
    ) -> None:
        self._database, self._table, self._identities = database, table, identities
        self._shards = dict(shards or {})
        self._head = put_head(table, PARTITION)

    def insert(self, records: Sequence[Curated]) -> Sequence[Lineage | None]:
        puts = self._prepared(records)
        # Of records with one key the first is sent; what the others find follows from what it found.
        first: dict[tuple[str, str], _Put] = {}
        for put in puts:
            first.setdefault(put.key, put)
        found = dict(zip(first, self._database.each(self._put, [*first.values()]), strict=True))
        answers: list[Lineage | None] = []
        for put in puts:
            record, sent = put.record, first[put.key].record
            held = found[put.key]
            if held is None and sent is not record:
                held = Lineage(sent.source, sent.id, sent.receipt, sent.index, content_hash(sent.raw))
            mine = held is None or (held.receipt, held.index) == (record.receipt, record.index)
            answers.append(None if mine else held)
        return answers

    def check(self, records: Sequence[Curated]) -> None:
        self._prepared(records)

    def mark(self, markers: Sequence[Marker]) -> Sequence[Marker]:
        return self._identities.mark(markers)

    def find(self, records: Sequence[Curated]) -> Sequence[Curated | None]:
        puts = self._prepared(records)
        held = self._held(puts)
        return [None if (item := held.get(place_of(put.item_key))) is None else record_of(item) for put in puts]

    def marked(self, markers: Sequence[Marker]) -> Sequence[Marker | None]:
        return self._identities.marked(markers)

    def replace(self, records: Sequence[Curated]) -> Sequence[bool]:
        puts = self._prepared(records)
        held = self._held(puts)
        # Records with one key go one after the other, as their order says; all others at a time.
        turns: dict[tuple[str, str], list[int]] = {}
        for place, put in enumerate(puts):
            turns.setdefault(put.key, []).append(place)
        answers = [False] * len(puts)

        def replace(places: Sequence[int]) -> None:
            item = held.get(place_of(puts[places[0]].item_key))
            stored = None if item is None else record_of(item)
            for place in places:
                written = None if stored is None else rewritten(stored, puts[place].record)
                if item is not None and written is not None and self._overwrite(written, content_of(item)):
                    answers[place], stored = True, written

        self._database.each(replace, [*turns.values()])
        return answers

    def delete(self, records: Sequence[Curated]) -> None:
        puts = self._prepared(records)
        self._database.each(self._delete, [*{(p.key, p.record.receipt, p.record.index): p for p in puts}.values()])

    def restore(self, records: Sequence[Curated]) -> None:
        restored = [put._replace(body=put.body[:-2] + RESTORED + put.body[-2:]) for put in self._prepared(records)]
        self._database.each(self._put, [*{put.key: put for put in reversed(restored)}.values()])

    def query(
        self, event_type: str, *, since: int, until: int, after: int | None, limit: int, where: Where = ()
    ) -> Sequence[Curated]:
        # A filter expression reads and is billed as much, and knows neither exact numbers nor nested values.
        return chosen(partial(self._page, event_type, since, until), where, after, limit)

    def _page(self, event_type: str, since: int, until: int, after: int | None, limit: int) -> Sequence[Curated]:
        lowest = since * TIE if after is None else max(since * TIE, after + 1)
        lowest, highest = max(lowest, FIRST_KEY), min(until * TIE - 1, LAST_KEY)
        if lowest > highest or limit <= 0:
            return []
        partitions = partitions_of(event_type, self._shards.get(event_type, 1))
        queries = [
            self._database.query(
                self._table,
                "#p = :p AND #s BETWEEN :a AND :b",
                {":p": {"S": partition}, ":a": {"N": key_number(lowest)}, ":b": {"N": key_number(highest)}},
                {"#p": PARTITION, "#s": SORT},
                page_of(limit, len(partitions)),
            )
            for partition in partitions
        ]
        return [record_of(item) for item in self._database.merged(queries, key_of, limit)]

    def count(self) -> int:
        """Reads the whole table: a matter of minutes and of some dollars where it holds many millions."""
        segments = min(SEGMENTS, self._database.parallelism)
        return sum(self._database.each(lambda segment: self._count(segment, segments), range(segments)))

    def _count(self, segment: int, segments: int) -> int:
        asked: dict[str, Any] = {
            "TableName": self._table,
            "Select": "COUNT",
            "FilterExpression": "#part = :first",
            "ExpressionAttributeNames": {"#part": "part"},
            "ExpressionAttributeValues": {":first": {"N": "0"}},
            "Segment": segment,
            "TotalSegments": segments,
            "ConsistentRead": True,
        }
        count = 0
        while True:
            answer = self._database.ask("Scan", asked, self._table)
            count += int(answer["Count"])
            if (last := answer.get("LastEvaluatedKey")) is None:
                return count
            asked["ExclusiveStartKey"] = last

    def _prepared(self, records: Sequence[Curated]) -> list[_Put]:
        """What would be sent for each record. Raises ``Unstorable``."""
        puts: list[_Put] = []
        for position, record in enumerate(records):
            with refusing(position):
                key, item = encoded(record, self._shards.get(record.type, 1))
            puts.append(_Put(record, key, self._head + item + b"}"))
        return puts

    def _put(self, put: _Put) -> Lineage | None:
        """Write it; None where it was new, else the lineage of what was there."""
        held = self._database.put_new(self._table, put.item_key, put.body)
        return None if held is None else lineage_of(held)

    def _held(self, puts: Sequence[_Put]) -> dict[tuple[str, int], Item]:
        """What is stored at their keys, by ``place_of``."""
        keys = [*{put.key: put.item_key for put in puts}.values()]
        return {place_of(item): item for item in self._database.found(self._table, keys)}

    def _overwrite(self, record: Curated, content: bytes) -> bool:
        """Write a record over the item of the same receipt, index and instant of insertion; whether it was there."""
        _, item = encoded(record, self._shards.get(record.type, 1), content)
        condition = "#receipt = :receipt AND #index = :index AND #at = :at"
        values = {**_lineage_values(record), ":at": {"N": str(record.curated_at)}}
        head = {"TableName": self._table, "ConditionExpression": condition, "ExpressionAttributeNames": _NAMES}
        body = encode({**head, "ExpressionAttributeValues": values})
        try:
            self._database.call("PutItem", body[:-1] + b',"Item":' + item + b"}", self._table)
        except ConditionFailed:  # it was deleted, or deleted and inserted anew, since it was read
            return False
        return True

    def _delete(self, put: _Put) -> None:
        names = {name: _NAMES[name] for name in ("#receipt", "#index")}
        asked = {
            "TableName": self._table,
            "Key": put.item_key,
            "ConditionExpression": "#receipt = :receipt AND #index = :index",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": _lineage_values(put.record),
        }
        with suppress(ConditionFailed):  # it is another event's, or gone
            self._database.ask("DeleteItem", asked, self._table)


def _lineage_values(record: Curated) -> Item:
    return {":receipt": {"S": record.receipt}, ":index": {"N": str(record.index)}}
