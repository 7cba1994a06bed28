"""Markers in the table ``Identities``: which event was first for a source and id, where its time does not say."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from ...core.records import Marker
from .dynamodb import DynamoDB, Item, put_head
from .values import item_json, refusing

KEY: Final = "identity"


class DynamoIdentities:
    """One item per (source, id), written under a condition and never changed."""

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database, self._table = database, table
        self._head = put_head(table, KEY)

    def mark(self, markers: Sequence[Marker]) -> Sequence[Marker]:
        """For each marker, in order, the one that was first for its (source, id): this or an earlier one."""
        first: dict[tuple[str, str], tuple[Marker, bytes]] = {}
        for position, marker in enumerate(markers):
            with refusing(position):
                body = self._head + item_json(_item(marker)) + b"}"
            first.setdefault((marker.source, marker.id), (marker, body))
        held = dict(zip(first, self._database.each(self._put, [*first.values()]), strict=True))
        return [held[marker.source, marker.id] for marker in markers]

    def marked(self, markers: Sequence[Marker]) -> Sequence[Marker | None]:
        """For each marker, in order, the one that is there for its (source, id). Writes none."""
        keys: dict[tuple[str, str], Item] = {}
        for position, marker in enumerate(markers):
            with refusing(position):
                keys[marker.source, marker.id] = _key(marker)
        found = map(_marker, self._database.found(self._table, [*keys.values()]))
        held = {(marker.source, marker.id): marker for marker in found}
        return [held.get((marker.source, marker.id)) for marker in markers]

    def _put(self, put: tuple[Marker, bytes]) -> Marker:
        marker, body = put
        held = self._database.put_new(self._table, _key(marker), body)
        return marker if held is None else _marker(held)


def _key(marker: Marker) -> Item:
    # The length says where the source ends, as in the tie-break of a sort key.
    text = f"{len(marker.source)}\0{marker.source}{marker.id}"
    return {KEY: {"S": sha256(text.encode()).hexdigest()}}


def _item(marker: Marker) -> Item:
    return {
        **_key(marker),
        "source": {"S": marker.source},
        "eventId": {"S": marker.id},
        "eventType": {"S": marker.type},
        "time": {"N": str(marker.time)},
        "receipt": {"S": marker.receipt},
        "index": {"N": str(marker.index)},
    }


def _marker(item: Item) -> Marker:
    return Marker(
        source=item["source"]["S"],
        id=item["eventId"]["S"],
        type=item["eventType"]["S"],
        time=int(item["time"]["N"]),
        receipt=item["receipt"]["S"],
        index=int(item["index"]["N"]),
    )
