"""Curated events in the table ``CuratedEvents``, markers in the table ``Identities``."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ...core.identity import TIE, content_hash
from ...core.records import Curated, Lineage, Marker
from .dynamodb import DynamoDB, page_of, put_head
from .identities import DynamoIdentities
from .items import (
    FIRST_KEY,
    LAST_KEY,
    PARTITION,
    SORT,
    encoded,
    key_number,
    key_of,
    lineage_of,
    partitions_of,
    record_of,
)
from .values import refusing

SEGMENTS: Final = 8
"""Parts in which the table is counted, in parallel."""


class _Put(NamedTuple):
    record: Curated
    key: tuple[str, str]
    body: bytes


class DynamoCurated:
    """Records by (type or type#k, time with tie-break); inserted one by one under a condition, never overwritten.

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

    def query(self, event_type: str, *, since: int, until: int, after: int | None, limit: int) -> Sequence[Curated]:
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
        partition, number = put.key
        held = self._database.put_new(self._table, {PARTITION: {"S": partition}, SORT: {"N": number}}, put.body)
        return None if held is None else lineage_of(held)
