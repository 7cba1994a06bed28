"""``DynamoViews.forget``: batches that DynamoDB takes, what they leave unprocessed, and calls that fail midway."""

import json
from collections.abc import Iterator

import pytest
from botocore.awsrequest import AWSResponse

from millrace.adapters.aws.views import DynamoViews
from millrace.core.errors import TransientError

from ..contracts.builders import NOON, row
from .calls import Call, Fault, Send, answer
from .tables import Service, Tables, mocked_tables
from .test_curated import FAULTS

ATTEMPTS = 3


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with mocked_tables(attempts=ATTEMPTS) as service:
        yield service


@pytest.fixture
def tables(service: Service) -> Iterator[Tables]:
    yield service.fresh()
    service.calls.always("*", None)


@pytest.fixture
def views(service: Service, tables: Tables) -> Iterator[DynamoViews]:
    database = service.database()
    yield tables.view_store(database)
    database.close()


def forget(views: DynamoViews, view: str, limit: int) -> int:
    """Delete all of a view; how many cursors and rows that were."""
    total = 0
    while count := views.forget(view, limit):
        total += count
    return total


def filled(views: DynamoViews, rows: int, cursors: int = 2) -> None:
    assert views.commit("v", [row(NOON + n, states=("x" * 2000,)) for n in range(rows)]) == []
    for origin in range(cursors):
        views.advance("v", str(origin), 7)


def requests_of(call: Call) -> list[dict[str, str]]:
    """The keys that a BatchWriteItem deletes."""
    [(_, requests)] = call.parameters["RequestItems"].items()
    keys = [request["DeleteRequest"]["Key"] for request in requests]
    return [{name: value["S"] for name, value in key.items()} for key in keys]


def test_what_is_forgotten_goes_out_in_batches_that_dynamodb_takes(
    service: Service, views: DynamoViews, tables: Tables
) -> None:
    filled(views, 230)
    service.calls.clear()
    assert forget(views, "v", 100) == 232
    batches = service.calls.of("BatchWriteItem")
    assert {name for call in batches for name in call.parameters["RequestItems"]} == {tables.views}
    sizes = [len(requests_of(call)) for call in batches]
    assert max(sizes) <= 25, "more are refused (API reference, BatchWriteItem)"
    assert sizes == [2, 25, 25, 25, 23, 25, 25, 25, 25, 25, 7], "2 cursors and 98 rows, 100 rows, 32 rows"
    deleted = [tuple(key.values()) for call in batches for key in requests_of(call)]
    assert len(deleted) == len(set(deleted)) == 232
    assert {partition for partition, _ in deleted[:2]} == {"cursor#v"}, "cursors come first"
    assert service.calls.counts().keys() == {"Query", "BatchWriteItem"}


def test_only_keys_are_read_of_what_is_forgotten_a_page_at_a_time(service: Service, views: DynamoViews) -> None:
    filled(views, 60)
    service.calls.clear()
    assert forget(views, "v", 20) == 62
    queries = [call.parameters for call in service.calls.of("Query")]
    assert {query["ProjectionExpression"] for query in queries} == {"#p, #s"}
    assert all(query["ConsistentRead"] for query in queries)
    assert max(query["Limit"] for query in queries) == 20


def only_some(number: int) -> Fault:
    """Of a batch only the first requests take effect; the others are handed back unprocessed."""

    def partly(call: Call, send: Send) -> AWSResponse:
        [(table, requests)] = call.parameters["RequestItems"].items()
        if number:
            call.request.body = json.dumps({"RequestItems": {table: requests[:number]}}).encode()
            send()
        left = {table: requests[number:]} if requests[number:] else {}
        return answer(200, json.dumps({"UnprocessedItems": left}))

    return partly


def test_what_a_batch_leaves_unprocessed_is_asked_for_again(service: Service, views: DynamoViews) -> None:
    filled(views, 40, cursors=0)
    service.calls.clear()
    service.calls.next("BatchWriteItem", only_some(20), only_some(0), only_some(3), only_some(0), None)
    assert views.forget("v", 100) == 40
    assert [len(requests_of(call)) for call in service.calls.of("BatchWriteItem")] == [25, 5, 5, 2, 2, 15]
    assert forget(views, "v", 100) == 0


def test_a_batch_of_which_nothing_is_processed_again_and_again_is_transient(
    service: Service, views: DynamoViews
) -> None:
    filled(views, 3)
    service.calls.clear()
    service.calls.always("BatchWriteItem", only_some(0))
    with pytest.raises(TransientError, match="remain unprocessed"):
        views.forget("v", 100)
    assert service.calls.counts()["BatchWriteItem"] == ATTEMPTS
    service.calls.always("BatchWriteItem", None)
    assert forget(views, "v", 100) == 5


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["Query", "BatchWriteItem"])
def test_forgetting_that_failed_may_be_done_again_and_never_leaves_cursors_without_rows(
    service: Service, views: DynamoViews, operation: str, fault: Fault
) -> None:
    filled(views, 60)
    for number in range(4):
        service.calls.next(operation, *[None] * number, *[fault] * ATTEMPTS)
        try:
            forget(views, "v", 30)
        except TransientError:
            rows = len(views.rows("v", since=0, until=2 * NOON, after=None, limit=99))
            assert rows == 60 or views.cursor("v", "0") == views.cursor("v", "1") == 0
    service.calls.always("*", None)
    forget(views, "v", 30)
    assert forget(views, "v", 30) == 0
    assert list(views.rows("v", since=0, until=2 * NOON, after=None, limit=99)) == []


def test_views_with_signatures_of_any_length_are_forgotten_apart(views: DynamoViews) -> None:
    signatures = ["é" * 3000 + end for end in ("", "a", "b")]
    for signature in signatures:
        views.commit(signature, [row()])
        views.advance(signature, "o", 1)
    assert forget(views, signatures[1], 9) == 2
    assert [len(views.load(signature, [row().key])) for signature in signatures] == [1, 0, 1]
    assert [views.cursor(signature, "o") for signature in signatures] == [1, 0, 1]
