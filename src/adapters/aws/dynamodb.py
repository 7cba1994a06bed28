"""``DynamoDB``: lean calls of DynamoDB, in parallel threads, with retries; bodies are made by the callers.

A call of botocore's client costs some 350 µs of CPU beyond the network's, this one 15: the body is JSON bytes already,
signing keeps its key (``Channel``), and an answer that says nothing is not parsed.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from heapq import merge
from itertools import chain, islice
from threading import RLock
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from ...core.errors import MillraceError, TransientError
from .channel import Channel
from .clients import Clients
from .errors import judged, translate

FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
"""Seconds; the pause before the n-th try is drawn from up to FIRST_PAUSE × 2**n."""
KEYS_AT_ONCE: Final = 100
"""Keys that one BatchGetItem may have (API reference)."""
WRITES_AT_ONCE: Final = 25
"""Requests that one BatchWriteItem may have (API reference)."""
LARGEST_PAGE: Final = 1000
"""Items asked for at once; an answer has at most 1 MB whatever is asked."""

Item: TypeAlias = dict[str, Any]
"""An item in DynamoDB's JSON: attribute → {type: value}, binary values in base64."""

_REFUSED: Final = "ConditionalCheckFailedException"
_T = TypeVar("_T")
_R = TypeVar("_R")

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def put_head(table: str, key: str) -> bytes:
    """The beginning of a PutItem that writes no item over another: the item's JSON and "}" complete it.

    ``key`` is an attribute of every item of the table, one of its key.
    """
    head = {
        "TableName": table,
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": key},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return encode(head)[:-1] + b',"Item":'


def page_of(limit: int, partitions: int) -> int:
    """How many items to read at once of each of several partitions, when ``limit`` of all together are wanted."""
    return min(-(-limit // partitions) + partitions - 1, LARGEST_PAGE)


class ConditionFailed(Exception):
    """The condition of a write did not hold. ``item`` is what was there, None where the service did not say."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition of a write did not hold")
        self.item = item


class DynamoDB:
    """One account's tables in one region. Threads may share it; a process that forks must make its own."""

    def __init__(self, clients: Clients, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Makes no connection yet. Parallelism and attempts are those of the clients."""
        self._clients, self._sleep = clients, sleep
        self._lock = RLock()
        self._channel: Channel | None = None
        self._helpers: ThreadPoolExecutor | None = None

    @property
    def parallelism(self) -> int:
        """How many calls are made at a time."""
        return self._clients.parallelism

    def call(self, operation: str, body: bytes, place: str) -> bytes:
        """Make a call, again while it fails for the moment, and return the answer's body.

        ``place`` names the table in messages. Raises ``ConditionFailed``; ``TransientError`` after the last attempt;
        ``StoreError`` for what the table of errors knows as lasting; others as botocore's own.
        """
        for attempt in range(1, self._clients.attempts + 1):
            try:
                status, content = self._send(operation, body)
                if status == 200:
                    return content
                failure = _failure(operation, status, content, place)
            except BotoCoreError as error:
                known = translate(error, place)
                if known is None:
                    raise
                known.__cause__ = error
                failure = known
            except TransientError as error:
                failure = error
            if attempt == self._clients.attempts or not isinstance(failure, TransientError):
                break
            self._sleep(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)))  # noqa: S311 (jitter)
        raise failure

    def ask(self, operation: str, body: Mapping[str, Any], place: str) -> Any:
        """``call`` with the body and the answer as JSON values."""
        return _decode(self.call(operation, encode(body), place))

    def item(self, table: str, key: Item) -> Item | None:
        """The item of a key, as it is now; None if there is none."""
        answer = self.ask("GetItem", {"TableName": table, "Key": key, "ConsistentRead": True}, table)
        found: Item | None = answer.get("Item")
        return found

    def put_new(self, table: str, key: Item, body: bytes) -> Item | None:
        """Make a PutItem that ``put_head`` began; None if it was written, else the item that was there."""
        try:
            self.call("PutItem", body, table)
        except ConditionFailed as refused:
            # Some services do not return the item with the refusal.
            held = refused.item or self.item(table, key)
            if held is None:
                raise TransientError(f"an item of {table} was deleted just after it was found") from None
            return held
        return None

    def query(
        self, table: str, condition: str, values: Item, names: Mapping[str, str], page: int, *, only: str | None = None
    ) -> Iterator[Item]:
        """The items of one partition that meet a key condition, in order of sort key, read in pages of that many.

        ``only`` is a projection expression: the attributes to read, by default all.
        """
        asked: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "Limit": page,
            "ConsistentRead": True,
            **({"ProjectionExpression": only} if only else {}),
        }
        while True:
            answer = self.ask("Query", asked, table)
            yield from answer["Items"]
            if (last := answer.get("LastEvaluatedKey")) is None:
                return
            asked["ExclusiveStartKey"] = last

    def merged(self, queries: Sequence[Iterator[Item]], key: Callable[[Item], Any], limit: int) -> list[Item]:
        """The first ``limit`` items of several sorted queries in the order of all; first pages are read in parallel."""
        if limit <= 0:
            return []
        firsts = self.each(lambda query: list(islice(query, 1)), queries)
        whole = [chain(first, query) for first, query in zip(firsts, queries, strict=True)]
        return list(islice(merge(*whole, key=key), limit))

    def found(self, table: str, keys: Sequence[Item]) -> list[Item]:
        """Those of the items that exist, in any order. Keys must be distinct."""
        some = [keys[at : at + KEYS_AT_ONCE] for at in range(0, len(keys), KEYS_AT_ONCE)]
        return list(chain.from_iterable(self.each(lambda chunk: self._found(table, chunk), some)))

    def _found(self, table: str, keys: Sequence[Item]) -> list[Item]:
        items: list[Item] = []
        waiting: Mapping[str, Any] = {table: {"Keys": keys, "ConsistentRead": True}}
        idle = 0
        while waiting:
            answer = self.ask("BatchGetItem", {"RequestItems": waiting}, table)
            read = answer["Responses"].get(table, [])
            items += read
            waiting = answer.get("UnprocessedKeys") or {}
            # An answer has at most 16 MB, so a rest is normal; an answer with nothing but a rest is throttling.
            idle = 0 if read or not waiting else idle + 1
            if idle:
                self._pause(idle, table)
        return items

    def delete(self, table: str, keys: Sequence[Item]) -> None:
        """Delete the items of these keys, whatever they hold; one that is gone is no error. Keys must be distinct.

        After a ``TransientError`` any of them may be gone.
        """
        asked = [{"DeleteRequest": {"Key": key}} for key in keys]
        some = [asked[at : at + WRITES_AT_ONCE] for at in range(0, len(asked), WRITES_AT_ONCE)]
        self.each(lambda chunk: self._written(table, chunk), some)

    def _written(self, table: str, waiting: Sequence[Item]) -> None:
        idle = 0
        while waiting:
            answer = self.ask("BatchWriteItem", {"RequestItems": {table: waiting}}, table)
            left = (answer.get("UnprocessedItems") or {}).get(table, [])
            if left:  # that is throttling, though what goes on all the same may take as long as it needs
                idle = 0 if len(left) < len(waiting) else idle + 1
                self._pause(idle, table)
            waiting = left

    def _pause(self, idle: int, table: str) -> None:
        """Wait before a batch is asked for its rest, after ``idle`` answers in a row that had nothing but a rest."""
        if idle >= self._clients.attempts:
            raise TransientError(f"{table} failed for the moment: keys remain unprocessed")
        self._sleep(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**idle)))  # noqa: S311 (jitter)

    def each(self, function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
        """The function's results in the order of the items, as many at a time as the clients' parallelism.

        After an error no further item is begun; it is raised once those under way are done.
        """
        workers = min(self.parallelism, len(items))
        if workers <= 1:
            return [function(item) for item in items]
        results: dict[int, _R] = {}
        places, failed = iter(range(len(items))), False

        def work() -> None:
            nonlocal failed
            # All workers draw from one iterator; to take the next place is a single step of the interpreter.
            for place in places:
                if failed:
                    return
                try:
                    results[place] = function(items[place])
                except BaseException:
                    failed = True
                    raise

        helpers = self._submit(work, workers - 1)
        try:
            work()
        finally:
            for helper in helpers:  # what has not begun by now finds nothing left to do
                helper.cancel()
            wait(helpers)
        for helper in helpers:
            if not helper.cancelled():
                helper.result()
        return [results[place] for place in range(len(items))]

    def close(self) -> None:
        """Let go of connections and threads; a later call makes new ones."""
        with self._lock:
            channel, self._channel = self._channel, None
            helpers, self._helpers = self._helpers, None
        if helpers is not None:
            helpers.shutdown()
        if channel is not None:
            channel.close()

    def _submit(self, work: Callable[[], None], times: int) -> list[Future[None]]:
        with self._lock:
            if self._helpers is None:
                self._helpers = ThreadPoolExecutor(self.parallelism, "millrace-dynamodb")
            return [self._helpers.submit(work) for _ in range(times)]

    def _send(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """One try: status and body of the answer. Raises botocore's errors of the network."""
        channel = self._channel
        if channel is None:
            with self._lock:
                channel = self._channel = self._channel or Channel(self._clients)
        return channel.send(operation, body)


def _failure(operation: str, status: int, content: bytes, place: str) -> MillraceError:
    """The error an answer tells of. Raises ``ConditionFailed``, and botocore's for what the table does not know."""
    try:
        told = _decode(content)
    except msgspec.DecodeError:
        told = None
    if not isinstance(told, dict):  # a proxy's answer, or none
        told = {}
    code = str(told.get("__type", "")).rpartition("#")[2]
    message = str(told.get("message") or told.get("Message") or "")
    if code == _REFUSED:
        raise ConditionFailed(told.get("Item"))
    known = judged(code, status, message, place)
    if known is None:
        answer: Any = {
            "Error": {"Code": code or str(status), "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        raise ClientError(answer, operation)
    return known
