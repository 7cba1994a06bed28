"""What a new event may cost, as requests to AWS: the functions under moto, every request counted on its way out."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.entrypoints.lambdas import ingestion, transformation, wiring
from millrace.entrypoints.lambdas.settings import Settings
from tests.lambdas.arriving import Context, api_event, sqs_event, sqs_record

from .opened import Account
from .tables import create_tables

EVENTS = 100
"""Events a request, and requests."""
REQUESTS = 3


@pytest.fixture
def counted(account: Account) -> Iterator[Account]:
    """The account, with the functions of this process wired to it as on Lambda."""
    tables = create_tables(account.unrecorded.get("dynamodb"))
    settings = Settings(
        catalog="millrace.core.catalogs.retail:catalog",
        raw_bucket=account.raw_bucket,
        analysis_bucket=account.analysis_bucket,
        curated_table=tables.curated,
        identities_table=tables.identities,
        views_table=tables.views,
        ledger_table=tables.ledger,
        queue_url=account.queue_url,
        dlq_url=account.dlq_url,
    )
    services = wiring.StackServices(settings)
    services._clients = account.clients
    wiring.use(services, settings)
    yield account
    wiring.use(None)


def request(number: int) -> Any:
    """A request of so many new events, each with its own time."""
    events = [
        {
            "eventType": "purchase",
            "eventId": f"p-{number}-{index}",
            "eventTime": "2026-11-23T10:00:00Z",
            "source": "shop",
            "schemaVersion": 2,
            "data": {"order_id": f"o-{index}", "customer_id": "c-1", "amount": "12.50", "currency": "EUR"},
        }
        for index in range(EVENTS)
    ]
    return api_event(body=json.dumps(events).encode())


def ingest(account: Account) -> Counter[str]:
    """Make the requests; what ingestion-lambda asked of AWS."""
    account.calls.clear()
    for number in range(REQUESTS):
        assert ingestion.handler(request(number), Context())["statusCode"] == 202
    return account.calls.counts()


def transform(account: Account) -> Counter[str]:
    """Hand what waits in the queue to transformation-lambda; what that asked of AWS."""
    sqs = account.unrecorded.get("sqs")
    found = sqs.receive_message(QueueUrl=account.queue_url, MaxNumberOfMessages=10)["Messages"]
    records = [sqs_record(json.loads(message["Body"])["receipt"], body=message["Body"]) for message in found]
    assert len(records) == REQUESTS
    account.calls.clear()
    assert transformation.handler(sqs_event(*records), Context()) == {"batchItemFailures": []}
    return account.calls.counts()


def test_a_request_is_one_put_to_s3_and_one_send_to_sqs_and_nothing_else(counted: Account) -> None:
    assert ingest(counted) == {"PutObject": REQUESTS, "SendMessage": REQUESTS}


def test_a_new_event_is_at_most_1_05_writes_to_dynamodb_and_no_read_of_anything(counted: Account) -> None:
    ingest(counted)
    asked = transform(counted)
    assert asked.pop("BatchGetItem", 0) <= 1, "the archive's boundary, read once in five minutes by each process"
    assert set(asked) == {"PutItem"}
    assert asked["PutItem"] / (EVENTS * REQUESTS) <= 1.05
    items = counted.unrecorded.get("dynamodb").scan(TableName="CuratedEvents", Select="COUNT")
    assert items["Count"] == EVENTS * REQUESTS


def test_an_event_that_came_before_is_one_refused_write_and_its_receipt_is_not_read(counted: Account) -> None:
    """Equal bytes are known by the hash that comes back with the refusal."""
    ingest(counted)
    transform(counted)
    ingest(counted)
    asked = transform(counted)
    asked.pop("BatchGetItem", None)
    assert set(asked) == {"PutItem"}
    assert asked["PutItem"] / (EVENTS * REQUESTS) <= 1.05
