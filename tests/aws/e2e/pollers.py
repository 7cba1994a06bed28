"""The pollers that Lambda runs for event source mappings, as far as Millrace relies on them; set by the template's own.

Sources: "Using Lambda with Amazon SQS" and "Using Lambda with Amazon DynamoDB" (batches, partial responses, bisecting,
tumbling windows, filters). Time passes when the test says so: ``expire`` ends every visibility time-out.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from .runtime import Answer

Invoke = Callable[[str, Any], Answer]
"""Invokes the function of an ARN with an event."""


def failed_items(mapping: Mapping[str, Any], answer: Answer, known: Sequence[str]) -> list[str]:
    """The items of a batch that are to be tried again. An answer in a wrong form is a batch that failed as a whole."""
    if answer.failed:
        return [*known]
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", ()):
        return []
    value = answer.value
    if not isinstance(value, dict | None):
        return [*known]
    failed = [failure.get("itemIdentifier") for failure in (value or {}).get("batchItemFailures") or ()]
    return failed if all(item in known for item in failed) else [*known]


@attrs.define
class QueuePoller:
    """An event source mapping of SQS. ``held``: receipt handles of messages that failed and are still hidden."""

    mapping: Mapping[str, Any]
    sqs: Any
    url: str
    invoke: Invoke
    held: list[str] = attrs.field(factory=list)

    def step(self) -> int | None:
        """Invoke the function with the next batch; how many of it were done with, None where there was none."""
        messages: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=self.mapping["BatchSize"],
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if not messages:
            return None
        answer = self.invoke(self.mapping["FunctionName"], {"Records": [*map(self._record, messages)]})
        failed = failed_items(self.mapping, answer, [message["MessageId"] for message in messages])
        done = [message for message in messages if message["MessageId"] not in failed]
        self.held += [message["ReceiptHandle"] for message in messages if message["MessageId"] in failed]
        for message in done:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return len(done)

    def drain(self) -> int:
        """Invoke it until nothing is visible; how many messages were done with."""
        total = 0
        while (done := self.step()) is not None:
            total += done
        return total

    def expire(self) -> None:
        """The visibility time-out of every message that failed is over."""
        held, self.held = self.held, []
        for handle in held:
            self.sqs.change_message_visibility(QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=0)

    def _record(self, message: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {
                name: {
                    "stringValue": attribute.get("StringValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": attribute["DataType"],
                }
                for name, attribute in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.mapping["EventSourceArn"],
            "awsRegion": "eu-west-1",
        }


@attrs.define
class StreamPoller:
    """An event source mapping of a DynamoDB stream: each shard in order, one batch at a time."""

    mapping: Mapping[str, Any]
    streams: Any
    invoke: Invoke
    _iterators: dict[str, str] = attrs.field(factory=dict)
    _waiting: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    _states: dict[str, Any] = attrs.field(factory=dict)

    def drain(self) -> int:
        """Invoke the function until it has had everything; how many records it had. A shard whose next record fails
        stands still, until the next time.
        """
        return sum(self._drain(shard) for shard in self._shards())

    def skip(self) -> None:
        """Go on with what comes from now on."""
        self._waiting.clear()
        self._states.clear()
        for shard in self._shards():
            while self._next(shard):
                pass

    def place(self) -> Mapping[str, str]:
        """Where it stands in every shard, for ``rewind``."""
        return dict(self._iterators)

    def rewind(self, place: Mapping[str, str]) -> None:
        """Go back to where it stood, as after a crash before the checkpoint."""
        self._iterators = dict(place)
        self._waiting.clear()

    def close_windows(self) -> list[Answer]:
        """The tumbling window of every shard ends: the final invocation has no records."""
        closed = []
        for shard in self._shards():
            closed.append(self.invoke(self.mapping["FunctionName"], self._event(shard, [], final=True)))
            self._states.pop(shard, None)
        return closed

    def _shards(self) -> list[str]:
        stream = self.streams.describe_stream(StreamArn=self.mapping["EventSourceArn"])["StreamDescription"]
        return [shard["ShardId"] for shard in stream["Shards"]]

    def _drain(self, shard: str) -> int:
        total = 0
        while batch := self._next(shard):
            wanted = [record for record in batch if self._passes(record)]
            done = self._invoked(shard, wanted)
            total += done
            if done < len(wanted):
                at = batch.index(wanted[done])
                self._waiting[shard] = batch[at:]
                return total
        return total

    def _next(self, shard: str) -> list[dict[str, Any]]:
        if waiting := self._waiting.pop(shard, None):
            return waiting
        iterator = self._iterators.get(shard)
        if iterator is None:
            iterator = self.streams.get_shard_iterator(
                StreamArn=self.mapping["EventSourceArn"],
                ShardId=shard,
                ShardIteratorType=self.mapping["StartingPosition"],
            )["ShardIterator"]
        got = self.streams.get_records(ShardIterator=iterator, Limit=self.mapping["BatchSize"])
        self._iterators[shard] = got["NextShardIterator"]
        return [self._record(record) for record in got["Records"]]

    def _invoked(self, shard: str, batch: list[dict[str, Any]]) -> int:
        """How many records of a batch, from its begin, were done with; halves of a batch that fails are tried."""
        if not batch:
            return 0
        answer = self.invoke(self.mapping["FunctionName"], self._event(shard, batch))
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        failed = failed_items(self.mapping, answer, numbers)
        if not failed:
            if "TumblingWindowInSeconds" in self.mapping:
                self._states[shard] = (answer.value or {}).get("state", {})
            return len(batch)
        first = min(map(numbers.index, failed))
        if first:  # a checkpoint: what came before it is done with
            return first + self._invoked(shard, batch[first:])
        if len(batch) == 1 or not self.mapping.get("BisectBatchOnFunctionError"):
            return 0
        half = len(batch) // 2
        done = self._invoked(shard, batch[:half])
        return done if done < half else done + self._invoked(shard, batch[half:])

    def _event(self, shard: str, batch: list[dict[str, Any]], *, final: bool = False) -> dict[str, Any]:
        event: dict[str, Any] = {"Records": batch}
        if "TumblingWindowInSeconds" in self.mapping:
            event |= {
                "window": {"start": "2026-01-09T12:00:00Z", "end": "2026-01-09T12:15:00Z"},
                "state": self._states.get(shard, {}),
                "shardId": shard,
                "eventSourceARN": self.mapping["EventSourceArn"],
                "isFinalInvokeForWindow": final,
                "isWindowTerminatedEarly": False,
            }
        return event

    def _passes(self, record: Mapping[str, Any]) -> bool:
        filters = self.mapping.get("FilterCriteria", {}).get("Filters", [])
        patterns = [json.loads(one["Pattern"]) for one in filters]
        return not patterns or any(
            all(record.get(field) in allowed for field, allowed in pattern.items()) for pattern in patterns
        )

    def _record(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The record as Lambda tells it: instants are numbers, bytes are base64."""
        told: dict[str, Any] = json.loads(json.dumps(record, default=_told))
        return {**told, "eventSourceARN": self.mapping["EventSourceArn"]}


def _told(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()
