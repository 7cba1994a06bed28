"""The tests' own pollers do what Lambda's do: partial responses, checkpoints, bisecting, filters."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from .pollers import StreamPoller, failed_items
from .runtime import Answer

MAPPING = {
    "BatchSize": 10,
    "EventSourceArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T/stream/1",
    "FunctionName": "f",
    "StartingPosition": "TRIM_HORIZON",
    "BisectBatchOnFunctionError": True,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "TumblingWindowInSeconds": 900,
    "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
}


class Stream:
    """One shard; an iterator is the number of the next record."""

    def __init__(self, names: Sequence[str]) -> None:
        now = datetime(2026, 1, 9, tzinfo=UTC)
        self.records = [
            {
                "eventName": name,
                "dynamodb": {
                    "SequenceNumber": str(100 + number),
                    "ApproximateCreationDateTime": now,
                    "NewImage": {"content": {"B": b"\x00"}},
                },
            }
            for number, name in enumerate(names)
        ]

    def describe_stream(self, **_: Any) -> Any:
        return {"StreamDescription": {"Shards": [{"ShardId": "s"}]}}

    def get_shard_iterator(self, **_: Any) -> Any:
        return {"ShardIterator": "0"}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:
        start = int(ShardIterator)
        records = self.records[start : start + Limit]
        return {"Records": records, "NextShardIterator": str(start + len(records))}


class Folding:
    """A function that fails on batches with certain records, as a whole or naming the first of them."""

    def __init__(self, poison: Sequence[str], *, named: bool) -> None:
        self.poison, self.named = poison, named
        self.batches: list[list[str]] = []
        self.events: list[dict[str, Any]] = []

    def __call__(self, name: str, event: Any) -> Answer:
        numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        self.batches.append(numbers)
        self.events.append(event)
        bad = [number for number in numbers if number in self.poison]
        if bad and not self.named:
            return Answer(b'{"errorType": "Bad"}', failed=True)
        failures = [{"itemIdentifier": number} for number in bad[:1]]
        return Answer(json.dumps({"state": {}, "batchItemFailures": failures}).encode())


def test_a_batch_that_fails_is_halved_until_the_poison_record_stands_first() -> None:
    function = Folding(["105"], named=False)
    poller = StreamPoller(MAPPING, Stream(["INSERT"] * 8), function)
    assert poller.drain() == 5
    assert [batch[0] for batch in function.batches if len(batch) == 1][-1] == "105"
    function.poison = []
    assert poller.drain() == 3
    assert function.batches[-1] == ["105", "106", "107"]


def test_a_named_failure_is_a_checkpoint_before_it() -> None:
    function = Folding(["102"], named=True)
    poller = StreamPoller({**MAPPING, "BisectBatchOnFunctionError": False}, Stream(["INSERT"] * 4), function)
    assert poller.drain() == 2
    assert function.batches == [["100", "101", "102", "103"], ["102", "103"]]


def test_only_what_passes_the_filter_is_told_as_lambda_tells_it() -> None:
    function = Folding([], named=True)
    assert StreamPoller(MAPPING, Stream(["INSERT", "MODIFY", "REMOVE", "INSERT"]), function).drain() == 2
    [event] = function.events
    assert event["shardId"] == "s"
    assert event["Records"][0]["dynamodb"]["NewImage"]["content"]["B"] == "AA=="
    assert event["Records"][0]["dynamodb"]["ApproximateCreationDateTime"] == 1767916800.0


def test_a_response_that_names_unknown_items_is_a_batch_that_failed() -> None:
    answer = Answer(b'{"batchItemFailures": [{"itemIdentifier": "x"}]}')
    assert failed_items(MAPPING, answer, ["a", "b"]) == ["a", "b"]
    assert failed_items(MAPPING, Answer(b"null"), ["a", "b"]) == []
    assert failed_items({}, answer, ["a", "b"]) == []
