"""The way of an event through the deployed stack: API, raw log, queue, curated store, stream, views, queries."""

import json
from typing import Any

import pytest

from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.catalogs import retail
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.records import DeadLetter
from millrace.entrypoints.platform import Platform

from .api import Reply
from .cloud import DYNAMODB, Cloud
from .compare import holdings, sample_chunks

AT = "2026-11-23T10:00:00Z"


def purchase(number: int, **others: Any) -> dict[str, Any]:
    data = {"order_id": f"o-{number}", "customer_id": "c-1", "amount": "12.50", "currency": "EUR", **others}
    return {
        "eventType": "purchase",
        "eventId": f"p-{number}",
        "eventTime": AT,
        "source": "shop",
        "schemaVersion": 2,
        "data": data,
    }


def post(cloud: Cloud, events: Any, **headers: str) -> Reply:
    reply = cloud.api.request("POST", "/ingest", json.dumps(events).encode(), headers)
    assert reply.status == 202, reply
    return reply


def letters(cloud: Cloud) -> list[DeadLetter]:
    with cloud.stores() as stores:
        return [*stores.dead_letters.browse(after=None, limit=100)]


def ledger(cloud: Cloud) -> list[tuple[int, int, int, int, int]]:
    with cloud.stores() as stores:
        entries = stores.ledger.list(after=None, limit=100)
    return [(e.events, e.curated, e.duplicate, e.filtered, e.dead_lettered) for e in entries]


def rows(cloud: Cloud, path: str) -> Any:
    reply = cloud.api.request("GET", path)
    assert reply.status == 200, reply
    return reply.json


def test_an_event_goes_from_a_request_to_the_answers_of_queries(cloud: Cloud) -> None:
    post(cloud, [purchase(1), purchase(2, amount="7.50")])
    cloud.drain()
    found = rows(cloud, "/events/purchase")
    assert sorted((row["eventId"], row["amount"]) for row in found) == [("p-1", "12.5"), ("p-2", "7.5")]
    [row] = rows(cloud, "/views/revenue")
    assert (row["window"], row["group"]) == (AT, {"currency": "EUR"})
    assert (row["orders"], row["revenue"], row["buyers"]) == (2, "20", 1)


def test_one_bad_event_one_duplicate_and_a_poison_message_harm_no_neighbour(cloud: Cloud) -> None:
    post(cloud, [purchase(1), purchase(2, currency="XXX")])
    cloud.client("sqs").send_message(QueueUrl=cloud.stack.outputs["QueueUrl"], MessageBody="no receipt")
    post(cloud, [purchase(1), purchase(3)])
    cloud.drain()
    assert sorted(row["eventId"] for row in rows(cloud, "/events/purchase")) == ["p-1", "p-3"]
    assert rows(cloud, "/views/revenue")[0]["orders"] == 2
    [letter] = letters(cloud)
    assert (letter.reason, letter.event_id) == ("invalid", "p-2")
    assert sorted(ledger(cloud)) == [(2, 1, 0, 0, 1), (2, 1, 1, 0, 0)]
    assert len(cloud.queue.held) == 1


def test_a_poison_message_ends_in_the_dead_letter_queue(cloud: Cloud) -> None:
    sqs, url = cloud.client("sqs"), cloud.stack.outputs["QueueUrl"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    sqs.send_message(QueueUrl=url, MessageBody="no receipt")
    try:
        sooner = json.dumps({**json.loads(before), "maxReceiveCount": 3})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": sooner})
        for _ in range(4):
            cloud.queue.drain()
            cloud.queue.expire()
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": before})
    assert not letters(cloud)  # the reader of dead letters leaves alone what is none
    assert [message["Body"] for message in cloud.empty("DlqUrl")] == ["no receipt"]


def test_everything_delivered_twice_changes_nothing(cloud: Cloud) -> None:
    post(cloud, [purchase(number) for number in range(5)])
    sqs, url = cloud.client("sqs"), cloud.stack.outputs["QueueUrl"]
    [message] = cloud.empty("QueueUrl")
    for _ in range(2):
        attributes = message["MessageAttributes"]
        sqs.send_message(QueueUrl=url, MessageBody=message["Body"], MessageAttributes=attributes)
    begin = cloud.changes.place()
    cloud.drain()
    cloud.changes.rewind(begin)
    assert cloud.changes.drain() == 5
    assert ledger(cloud) == [(5, 5, 0, 0, 0)]
    assert rows(cloud, "/views/revenue")[0]["orders"] == 5


def test_views_are_what_one_process_in_memory_makes_of_the_same_requests(cloud: Cloud) -> None:
    memory = Platform.assemble(retail.catalog, memory_stores(), SystemClock(), RandomReceiptIds())
    for chunk in sample_chunks(200, at_once=40):
        headers = {"Content-Type": chunk.content_type}
        assert cloud.api.request("POST", "/ingest", chunk.body, headers).status == 202
        memory.ingest.request(chunk.body, source="client-1", content_type=chunk.content_type)
    cloud.drain()
    for _ in memory.work.drain():
        pass
    with cloud.stores() as stores:
        ours = Platform.assemble(retail.catalog, stores, SystemClock(), RandomReceiptIds())
        lines = [line for line in holdings(ours) if line.startswith(("view", "occurrences"))]
        assert lines == [line for line in holdings(memory) if line.startswith(("view", "occurrences"))]
        assert ours.reconcile.run().holds


def test_the_correlation_id_is_the_same_from_the_answer_to_log_lines_and_the_curated_item(cloud: Cloud) -> None:
    reply = post(cloud, [purchase(1)])
    correlation = reply.headers["x-correlation-id"]
    cloud.drain()
    with cloud.stores() as stores:
        [record] = stores.curated.query("purchase", since=EARLIEST, until=LATEST, after=None, limit=2)
    assert record.receipt == reply.json["receipt"] == correlation
    for name in ("ingestion-lambda", "transformation-lambda"):
        lines = [line for line in cloud.functions[name].lines() if line.get("correlation_id") == correlation]
        assert lines, name
        assert all(line["receipt_id"] == correlation for line in lines)


def test_while_dynamodb_is_down_requests_are_accepted_and_nothing_becomes_a_dead_letter(cloud: Cloud) -> None:
    cloud.front.down.add(DYNAMODB)
    post(cloud, [purchase(1)])
    assert cloud.queue.drain() == 0
    cloud.queue.expire()
    assert cloud.queue.drain() == 0
    assert not letters(cloud)
    cloud.front.down.clear()
    cloud.queue.expire()
    cloud.drain()
    assert ledger(cloud) == [(1, 1, 0, 0, 0)]
    assert rows(cloud, "/views/revenue")[0]["orders"] == 1
    assert not letters(cloud)


def test_changes_wait_while_views_cannot_be_written(cloud: Cloud) -> None:
    post(cloud, [purchase(number) for number in range(3)])
    cloud.queue.drain()
    cloud.front.down.add(DYNAMODB)
    assert cloud.changes.drain() == 0
    cloud.front.down.clear()
    assert cloud.changes.drain() == 3
    assert rows(cloud, "/views/revenue")[0]["orders"] == 3


def test_the_end_of_a_tumbling_window_is_no_failure(cloud: Cloud) -> None:
    [answer] = cloud.changes.close_windows()
    assert not answer.failed
    assert answer.value == {"state": {}, "batchItemFailures": []}


def test_the_timer_reconciles_and_sends_again_what_is_missing(cloud: Cloud) -> None:
    post(cloud, [purchase(1)])
    assert len(cloud.empty("QueueUrl")) == 1  # lost between the raw log and the ledger
    [schedule] = cloud.stack.schedules
    [target] = schedule["Targets"]
    answer = cloud.invoke(target["Arn"], {**json.loads(target["Input"]), "until": "0s"})  # else it spares young ones
    assert not answer.failed, answer
    assert answer.value["resent"] == 1
    cloud.drain()
    assert ledger(cloud) == [(1, 1, 0, 0, 0)]


@pytest.mark.parametrize(("method", "path"), [("POST", "/ingest"), ("GET", "/events/purchase"), ("POST", "/validate")])
def test_a_preflight_is_answered_by_the_function_of_the_path(cloud: Cloud, method: str, path: str) -> None:
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": method}
    assert cloud.api.request("OPTIONS", path, None, headers).status < 500
