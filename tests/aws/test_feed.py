"""``DynamoFeed``: the stream's shards and records as origins and changes, and its records in both their forms."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from millrace.adapters.aws.feed import EMPTY_PAGES, DynamoFeed, change_of, changes_of
from millrace.adapters.aws.items import encoded
from millrace.core.errors import StoreError, TransientError
from millrace.core.records import Changes, Curated

from ..contracts.builders import bare, curated, typed
from .calls import Fault, canned, error, lost, throttled, timed_out, unavailable
from .tables import Service, Tables, mocked_tables


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with mocked_tables(attempts=1) as service:
        yield service


@pytest.fixture
def tables(service: Service) -> Iterator[Tables]:
    yield service.fresh()
    service.calls.always("*", None)


@pytest.fixture
def feed(service: Service, tables: Tables) -> DynamoFeed:
    return tables.feed(service.clients)


@pytest.fixture
def insert(service: Service, tables: Tables) -> Iterator[Callable[..., Any]]:
    database = service.database()
    yield tables.curated_store(database).insert
    database.close()


def lambda_record(record: Curated, number: int, name: str = "INSERT") -> dict[str, Any]:
    """A record as the event source mapping hands it to a function."""
    image = msgspec.json.decode(encoded(record, 1)[1])
    return {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1767960000.0,
            "Keys": {"eventType": image["eventType"], "eventTime": image["eventTime"]},
            "NewImage": image,
            "SequenceNumber": str(number),
            "SizeBytes": 26,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/CuratedEvents/stream/2026-01-09T12:00:00.000",
    }


def page(*records: dict[str, Any], more: bool = True) -> Fault:
    """An answer of GetRecords."""
    return canned(200, json.dumps({"Records": records, **({"NextShardIterator": "next"} if more else {})}))


def test_insertions_of_a_lambda_event_are_the_changes_of_a_shard() -> None:
    records = [curated("a", fields={"n": Decimal("1.50"), "i": 3}), curated("b"), curated("c")]
    event = [
        lambda_record(records[0], 10**27),
        lambda_record(records[1], 10**27 + 1, "MODIFY"),
        lambda_record(records[2], 10**27 + 5),
    ]
    changes = changes_of("shard", event)
    assert changes == Changes("shard", [10**27, 10**27 + 5], [bare(records[0]), bare(records[2])])
    assert typed(changes.records[0].fields) == typed(records[0].fields)
    assert changes_of("shard", []) == Changes("shard", [], [])


def test_a_deletion_is_no_change() -> None:
    removal = lambda_record(curated("a"), 7, "REMOVE")
    del removal["dynamodb"]["NewImage"]
    assert change_of(removal) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"eventName": "ObjectCreated:Put", "eventSource": "aws:s3", "s3": {"object": {"key": "k"}}},
        {"messageId": "m", "eventSource": "aws:sqs", "body": "{}"},
        {"eventName": "INSERT"},
        {"eventName": "insert", "dynamodb": lambda_record(curated(), 1)["dynamodb"]},
        {"eventName": "REMOVE", "dynamodb": {}},
        {"eventName": "INSERT", "dynamodb": None},
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1"}},
        {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1", "NewImage": {"id": {"S": "x"}}}},
        {"eventName": "INSERT", "dynamodb": {**lambda_record(curated(), 1)["dynamodb"], "SequenceNumber": "one"}},
    ],
)
def test_what_is_no_stream_record_of_a_curated_event_is_an_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="no curated event"):
        changes_of("shard", [lambda_record(curated(), 1), wrong])


def test_damaged_fields_are_an_error() -> None:
    record = lambda_record(curated(), 1)
    record["dynamodb"]["NewImage"]["fields"] = {"M": {"a": {"N": "twelve"}}}
    with pytest.raises(StoreError, match="no curated event"):
        change_of(record)


def test_changes_of_the_stream_are_what_was_inserted(feed: DynamoFeed, insert: Callable[..., Any]) -> None:
    records = [curated(f"e-{n}", fields={"n": Decimal(n)}) for n in range(5)]
    insert(records)
    [origin] = feed.origins()
    first = feed.changes(origin, 0, 3)
    rest = feed.changes(origin, first.positions[-1], 3)
    assert [*first.records, *rest.records] == [bare(record) for record in records]
    assert typed(rest.records[-1].fields) == {"n": ("Decimal", 4)}
    assert (first.origin, rest.origin) == (origin, origin)
    positions = [*first.positions, *rest.positions]
    assert positions == sorted(set(positions))
    assert list(feed.changes(origin, positions[-1], 3).records) == []


def test_a_feed_that_was_not_asked_for_origins_knows_its_stream(
    service: Service, tables: Tables, feed: DynamoFeed, insert: Callable[..., Any]
) -> None:
    insert([curated("a")])
    [origin] = feed.origins()
    assert len(tables.feed(service.clients).changes(origin, 0, 9).records) == 1


def test_deletions_and_empty_pages_are_passed_over(service: Service, feed: DynamoFeed) -> None:
    [origin] = feed.origins()
    removal = lambda_record(curated("r"), 5, "REMOVE")
    gap = [page()] * (EMPTY_PAGES - 1)
    service.calls.next("GetRecords", *gap, page(removal), *gap, page(lambda_record(curated("a"), 9)))
    assert feed.changes(origin, 0, 10) == Changes(origin, [9], [bare(curated("a"))])


def test_a_closed_shard_ends_where_it_says_and_an_open_one_after_empty_pages(
    service: Service, feed: DynamoFeed
) -> None:
    [origin] = feed.origins()
    service.calls.next("GetRecords", page(), page(more=False))
    assert list(feed.changes(origin, 0, 10).records) == []
    assert len(service.calls.of("GetRecords")) == 2
    assert list(feed.changes(origin, 0, 10).records) == []
    assert len(service.calls.of("GetRecords")) == 2 + EMPTY_PAGES


def test_reading_begins_at_the_oldest_change_or_after_the_last_position(service: Service, feed: DynamoFeed) -> None:
    [origin] = feed.origins()
    service.calls.always("GetShardIterator", canned(200, '{"ShardIterator": "i"}'))
    service.calls.always("GetRecords", page(more=False))
    feed.changes(origin, 0, 5000)
    feed.changes(origin, 10**27, 7)
    oldest, after = (call.parameters for call in service.calls.of("GetShardIterator"))
    assert (oldest["ShardIteratorType"], oldest.get("SequenceNumber")) == ("TRIM_HORIZON", None)
    assert (after["ShardIteratorType"], after["SequenceNumber"]) == ("AFTER_SEQUENCE_NUMBER", str(10**27))
    assert [call.parameters["Limit"] for call in service.calls.of("GetRecords")] == [1000, 7]
    service.calls.always("GetShardIterator", None)
    service.calls.always("GetRecords", None)


def test_nothing_is_asked_where_nothing_is_wanted(service: Service, feed: DynamoFeed) -> None:
    assert list(feed.changes("shard", 0, 0).records) == []
    assert service.calls.made == []


def test_all_pages_of_shards_are_origins(service: Service, feed: DynamoFeed) -> None:
    def shards(*names: str, last: str | None = None) -> Fault:
        told = {"Shards": [{"ShardId": name} for name in names], **({"LastEvaluatedShardId": last} if last else {})}
        return canned(200, json.dumps({"StreamDescription": told}))

    service.calls.next("DescribeStream", shards("a", "b", last="b"), shards("c"))
    assert list(feed.origins()) == ["a", "b", "c"]
    starts = [call.parameters.get("ExclusiveStartShardId") for call in service.calls.of("DescribeStream")]
    assert starts == [None, "b"]


def test_a_shard_that_expired_has_no_changes(service: Service, feed: DynamoFeed) -> None:
    service.calls.next("GetShardIterator", error("ResourceNotFoundException"))
    assert feed.changes("shardId-00000000000000000001-aa", 5, 9) == Changes("shardId-00000000000000000001-aa", [], [])


def test_changes_that_expired_before_they_were_read_are_an_error(service: Service, feed: DynamoFeed) -> None:
    service.calls.next("GetShardIterator", error("TrimmedDataAccessException"))
    with pytest.raises(StoreError, match=r"expired.*rebuilt"):
        feed.changes("shard", 5, 9)


def test_other_errors_of_reading_are_told_as_they_are(service: Service, feed: DynamoFeed) -> None:
    service.calls.next("GetShardIterator", error("AccessDeniedException"))
    with pytest.raises(StoreError, match="permission is denied"):
        feed.changes("shard", 5, 9)
    service.calls.next("GetShardIterator", error("ValidationException"))
    with pytest.raises(Exception, match="ValidationException"):
        feed.changes("shard", 5, 9)


def test_a_table_without_a_stream_is_said_to_have_none(service: Service, tables: Tables) -> None:
    feed = DynamoFeed(service.clients, tables.ledger)
    with pytest.raises(StoreError, match=f"{tables.ledger} has no stream"):
        feed.origins()


@pytest.mark.parametrize("operation", ["DescribeTable", "DescribeStream", "GetShardIterator", "GetRecords"])
@pytest.mark.parametrize("fault", [throttled, unavailable, lost, timed_out])
def test_every_call_that_fails_for_the_moment_is_transient(
    service: Service, feed: DynamoFeed, insert: Callable[..., Any], operation: str, fault: Fault
) -> None:
    insert([curated("a")])

    def read() -> list[str]:
        return [record.id for origin in feed.origins() for record in feed.changes(origin, 0, 9).records]

    service.calls.next(operation, fault)
    with pytest.raises(TransientError):
        read()
    assert read() == ["a"]
