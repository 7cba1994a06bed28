from typing import Any

import msgspec
import pytest

from millrace.core.errors import StoreError, TransientError
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.records import Curated
from millrace.core.services.boundary import Boundaries
from millrace.core.views.projection import results
from millrace.entrypoints.lambdas import analytics

from .arriving import (
    SHARD,
    Context,
    api_event,
    s3_event,
    scheduled_event,
    sqs_event,
    sqs_record,
    stream_event,
    stream_record,
)
from .site import START, Site
from .test_ingestion import PURCHASE, Down


def purchase(number: int, **others: Any) -> Curated:
    known: dict[str, Any] = {
        "type": "purchase",
        "time": START + number,
        "source": "shop",
        "id": f"p-{number}",
        "part": 0,
        "version": 2,
        "subject": None,
        "receipt": "01a0b0c0-0000-7000-8000-000000000000",
        "index": number,
        "curated_at": START,
        "fields": {"customer_id": "secret-customer", "amount": number, "currency": "EUR", "large": False},
    }
    return Curated(**{**known, **others})


def call(*records: dict[str, Any], shard: str | None = SHARD) -> list[str]:
    answer = analytics.handler(stream_event(*records, shard=shard), Context())
    assert answer.keys() == {"state", "batchItemFailures"}
    assert answer["state"] == {}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def orders(site: Site) -> int:
    """What the view ``revenue`` counts."""
    view = site.platform.catalog.views["revenue"]
    rows = site.stores.views.rows(view.signature, since=EARLIEST, until=LATEST, after=None, limit=1000)
    return sum(result.measures["orders"] for result in results(view, rows))


def test_insertions_are_folded_once_however_often_their_batch_comes(site: Site) -> None:
    batch = [stream_record(purchase(n), 100 + n) for n in range(3)]
    assert call(*batch) == []
    assert call(*batch) == []
    assert call(*batch[1:], stream_record(purchase(3), 103)) == []
    assert orders(site) == 4


def test_what_is_deleted_or_modified_does_not_count(site: Site) -> None:
    call(
        stream_record(purchase(1), 1), stream_record(purchase(1), 2, "REMOVE"), stream_record(purchase(1), 3, "MODIFY")
    )
    assert orders(site) == 1


def test_the_last_invocation_of_a_window_brings_nothing_and_is_taken(site: Site) -> None:
    assert call() == []
    assert site.output().logs == []


def test_without_a_shard_the_batch_is_an_error_that_says_what_to_set(site: Site) -> None:
    with pytest.raises(Exception, match="TumblingWindowInSeconds"):
        call(stream_record(purchase(1), 1), shard=None)
    assert orders(site) == 0


def test_a_batch_leaves_one_line_and_its_lag(site: Site) -> None:
    site.clock.micros += 1_500_000
    call(stream_record(purchase(1), 7), stream_record(purchase(2, curated_at=START + 1_000_000), 8))
    output = site.output()
    line = output.log("changes.folded")
    assert (line["origin"], line["changes"], line["position"]) == (SHARD, 2, "8")
    assert line["milliseconds_since_curated"] == 1500
    assert output.metric("ViewLag") == [1500]
    assert output.metric("Folded") == [2]
    assert "secret" not in output.text


def test_after_a_passing_failure_the_whole_batch_comes_again_from_its_first_change(site: Site) -> None:
    batch = [stream_record(purchase(n), 100 + n) for n in range(3)]
    site.use(views=Down(TransientError("throttled")))
    assert call(*batch) == [batch[0]["dynamodb"]["SequenceNumber"]]
    output = site.output()
    assert output.log("changes.deferred")["level"] == "warning"
    assert output.metric("Deferred") == [3]
    site.use()
    assert call(*batch) == []
    assert orders(site) == 3


def test_a_lasting_failure_of_the_views_is_an_error_so_that_lambda_tries_again(site: Site) -> None:
    site.use(views=Down(StoreError("the table does not exist")))
    with pytest.raises(StoreError):
        call(stream_record(purchase(1), 1))


@pytest.mark.parametrize("missing", ["fields", "eventId", "curatedAt", "content", "receipt"])
def test_one_item_that_is_no_curated_event_fails_alone(site: Site, missing: str) -> None:
    poison = stream_record(purchase(2), 2)
    if missing == "content":
        poison["dynamodb"]["NewImage"] = {"eventType": {"S": "secret"}, "eventTime": {"N": "secret"}}
    else:
        del poison["dynamodb"]["NewImage"][missing]
    assert call(stream_record(purchase(1), 1), poison, stream_record(purchase(3), 3)) == []
    assert orders(site) == 2
    output = site.output()
    line = output.log("change.refused")
    assert (line["level"], line["origin"], line["position"]) == ("error", SHARD, poison["dynamodb"]["SequenceNumber"])
    assert output.metric("Refused") == [1]
    assert "secret" not in output.text


def test_an_event_that_is_deleted_and_not_archived_is_told(site: Site) -> None:
    event = purchase(1)
    call(stream_record(event, 1), stream_record(event, 2, "REMOVE"))
    output = site.output()
    line = output.log("events.deleted")
    assert (line["level"], line["events"], line["earliest"]) == ("error", 1, line["latest"])
    assert output.metric("Deleted") == [1]
    assert "secret" not in output.text


def test_what_the_archive_or_expiry_deletes_is_not_told(site: Site) -> None:
    Boundaries(site.stores.views).announce(START + 2, START)
    expired = {**stream_record(purchase(2), 4, "REMOVE"), "userIdentity": {"principalId": "dynamodb.amazonaws.com"}}
    assert call(stream_record(purchase(1), 3, "REMOVE"), expired) == []
    assert site.output().logs == []
    call(stream_record(purchase(2), 5, "REMOVE"))
    assert site.output().metric("Deleted") == [1]


def test_a_stream_without_images_is_an_error(site: Site) -> None:
    keys_only = stream_record(purchase(1), 1)
    del keys_only["dynamodb"]["NewImage"]
    with pytest.raises(Exception, match="without NewImage"):
        call(keys_only)


@pytest.mark.parametrize(
    "event", [api_event(), s3_event(), sqs_event(sqs_record("r")), {"Records": []}, {"Records": {}}]
)
def test_a_wrong_event_is_an_error_that_names_it(site: Site, event: Any) -> None:
    with pytest.raises(Exception, match="analytics-lambda takes a DynamoDB stream event or a job step or a scheduled"):
        analytics.handler(event, Context())


# ----------------------------------------------------------------------------------------------------------- the sweep


@pytest.mark.parametrize("event", [scheduled_event(), {"step": "sweep"}])
def test_the_sweep_sends_again_what_has_no_ledger_entry(site: Site, event: Any) -> None:
    lost = site.platform.ingest.request(PURCHASE, source="s").receipt
    done = site.platform.ingest.request(PURCHASE, source="s").receipt
    site.stores.queue.acknowledge(site.stores.queue.receive(10))
    site.platform.process.receipt(done)
    site.clock.micros += 3_600_000_000
    answer = analytics.handler(event, Context())
    assert answer == {"holds": False, "receipts": 2, "events": 1, "missing": 1, "unbalanced": 0, "resent": 1}
    assert [message.receipt for message in site.stores.queue.receive(10)] == [lost]
    output = site.output()
    assert output.log("receipts.reconciled")["level"] == "warning"
    found = {name: output.metric(name) for name in ("Reconciled", "Missing", "Unbalanced", "Resent")}
    assert found == {"Reconciled": [2], "Missing": [1], "Unbalanced": [0], "Resent": [1]}


def test_the_sweep_leaves_alone_what_may_be_under_way_still(site: Site) -> None:
    site.platform.ingest.request(PURCHASE, source="s")
    site.clock.micros += 44 * 60_000_000
    assert analytics.handler(scheduled_event(), Context())["receipts"] == 0
    output = site.output()
    assert output.log("receipts.reconciled")["level"] == "info"
    assert (output.metric("Reconciled"), output.metric("Missing")) == ([0], [0])  # a sweep that found nothing was one
    site.clock.micros += 2 * 60_000_000
    assert analytics.handler(scheduled_event(), Context())["missing"] == 1


def test_the_sweep_takes_a_range(site: Site) -> None:
    site.platform.ingest.request(PURCHASE, source="s")
    site.clock.micros += 60_000_000
    event = {"step": "sweep", "since": "2026-11-23", "until": "30s"}
    assert analytics.handler(event, Context())["missing"] == 1
    with pytest.raises(Exception, match="is no time"):
        analytics.handler({"step": "sweep", "since": "yesterday"}, Context())


def test_what_the_sweep_answers_is_json(site: Site) -> None:
    assert msgspec.json.encode(analytics.handler({"step": "sweep"}, Context()))
