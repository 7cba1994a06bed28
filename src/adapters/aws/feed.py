"""The stream of the table ``CuratedEvents`` as a feed of changes, and its records as the core sees them.

Origins are the stream's shards, positions their sequence numbers. Shards are read in any order, children before their
parents too: what views keep is commutative, and each change is in one shard only.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from ...core.errors import StoreError
from ...core.identity import TIE
from ...core.records import Changes, Curated
from .clients import Clients
from .errors import code_of, translated
from .items import key_of, record_of

LARGEST_PAGE: Final = 1000
"""Records that one GetRecords may give (DynamoDB Streams API reference)."""
EMPTY_PAGES: Final = 5
"""Pages without a record after which an open shard is taken to be read to its end: only a closed shard says so itself,
and a page may be empty although more follow."""

_OTHERS: Final = frozenset({"MODIFY", "REMOVE"})
_EXPIRY: Final = "dynamodb.amazonaws.com"
"""Who deletes items that have expired (DynamoDB developer guide, "DynamoDB Streams and Time to Live")."""


class DynamoFeed:
    """Reads the table's latest stream, from which changes are gone 24 hours after they were made."""

    def __init__(self, clients: Clients, table: str) -> None:
        self._clients, self._table = clients, table
        self._place = f"the stream of {table}"
        self._stream = ""

    def origins(self) -> Sequence[str]:
        self._stream = self._latest()
        shards: list[str] = []
        asked = {"StreamArn": self._stream}
        while True:
            with translated(self._place):
                told = self._clients.get("dynamodbstreams").describe_stream(**asked)["StreamDescription"]
            shards += (shard["ShardId"] for shard in told["Shards"])
            if (last := told.get("LastEvaluatedShardId")) is None:
                return shards
            asked["ExclusiveStartShardId"] = last

    def changes(self, origin: str, after: int, limit: int) -> Changes:
        """As the port says. Raises ``StoreError`` where changes beyond ``after`` may have expired unread."""
        iterator = self._iterator(origin, after) if limit > 0 else None
        empty = 0
        while iterator is not None and empty < EMPTY_PAGES:
            with translated(self._place):
                page = self._clients.get("dynamodbstreams").get_records(
                    ShardIterator=iterator, Limit=min(limit, LARGEST_PAGE)
                )
            found = changes_of(origin, page["Records"])
            if found.records:
                return found
            empty = 0 if page["Records"] else empty + 1
            iterator = page.get("NextShardIterator")
        return Changes(origin, [], [])

    def _latest(self) -> str:
        with translated(self._table):
            table = self._clients.get("dynamodb").describe_table(TableName=self._table)["Table"]
        if (stream := table.get("LatestStreamArn")) is None:
            raise StoreError(f"{self._table} has no stream")
        return str(stream)

    def _iterator(self, origin: str, after: int) -> str | None:
        """Where to read on; None where the shard has expired."""
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if after > 0:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": str(after)}
        self._stream = self._stream or self._latest()
        client = self._clients.get("dynamodbstreams")
        try:
            with translated(self._place):
                return str(client.get_shard_iterator(StreamArn=self._stream, ShardId=origin, **start)["ShardIterator"])
        except StoreError as error:
            if isinstance(error.__cause__, ClientError) and code_of(error.__cause__) == "ResourceNotFoundException":
                return None
            raise
        except ClientError as error:
            if code_of(error) == "TrimmedDataAccessException":
                raise StoreError(
                    f"Changes of {origin} after {after} have expired, perhaps unread: the views must be rebuilt"
                ) from error
            raise


def changes_of(origin: str, records: Iterable[Mapping[str, Any]]) -> Changes:
    """The insertions among a shard's records, in their order.

    Takes records as a Lambda event has them and as GetRecords does: ``{"eventName", "dynamodb": {"NewImage",
    "SequenceNumber"}}``. Raises ``StoreError`` as ``change_of`` does.
    """
    found = [change for record in records if (change := change_of(record)) is not None]
    return Changes(origin, [position for position, _ in found], [curated for _, curated in found])


def change_of(record: Mapping[str, Any]) -> tuple[int, Curated] | None:
    """Position and record of an insertion; None for any other change, and where a record was written back: only what
    is new is folded.

    Raises ``StoreError`` for what is no record of a stream, or no curated event.
    """
    try:
        change, name = record["dynamodb"], record["eventName"]
        position = int(change["SequenceNumber"])
        if name in _OTHERS or "restored" in change.get("NewImage", ()):
            return None
        if name != "INSERT":
            raise ValueError(f"{name} is no event of a stream")
        return position, record_of(change["NewImage"])
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise StoreError(f"a stream record holds no curated event: {type(error).__name__}: {error}") from error


def time_of_deleted(record: Mapping[str, Any]) -> int | None:
    """The time, in microseconds, of an event whose item was deleted, by whomever; None for any other change, and where
    DynamoDB deleted what had expired.

    Raises ``StoreError`` for what is no record of a stream.
    """
    try:
        if record["eventName"] != "REMOVE" or (record.get("userIdentity") or {}).get("principalId") == _EXPIRY:
            return None
        return key_of(record["dynamodb"]["Keys"]) // TIE
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise StoreError(f"a stream record tells of no item: {type(error).__name__}: {error}") from error
