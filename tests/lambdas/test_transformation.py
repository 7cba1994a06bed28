from typing import Any

import pytest

from millrace.core.errors import TransientError
from millrace.core.records import RawObject, Receipt
from millrace.entrypoints.lambdas import transformation

from .arriving import Context, api_event, s3_event, sqs_event, sqs_record, stream_event
from .site import START, Site
from .test_ingestion import PURCHASE, Down

BROKEN = PURCHASE.replace(b"12.50", b"-1").replace(b"p-1", b"p-2")


def accept(site: Site, body: bytes) -> RawObject:
    """An accepted request, as the queue carries it."""
    receipt = site.platform.ingest.request(body, source="caller").receipt
    return site.stores.raw.read(receipt)


def call(*records: Any) -> list[str]:
    """The messages that failed."""
    answer = transformation.handler(sqs_event(*records), Context())
    assert set(answer) == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.mark.parametrize("inline", [True, False])
def test_a_message_is_processed_with_its_bytes_or_by_reference(site: Site, inline: bool) -> None:
    raw = accept(site, b"[" + PURCHASE + b"," + BROKEN + b"]")
    assert call(sqs_record(raw.receipt.id, raw if inline else None)) == []
    assert site.stores.curated.count() == 1
    entry = site.stores.ledger.entries([raw.receipt.id])[raw.receipt.id]
    assert (entry.events, entry.curated, entry.dead_letters) == (2, 1, {"invalid": 1})


def test_a_message_leaves_one_line_with_its_outcomes_and_no_payload(site: Site) -> None:
    raw = accept(site, b"[" + PURCHASE + b"," + BROKEN + b"]")
    site.clock.micros += 250_000
    call(sqs_record(raw.receipt.id, raw, attempt=3))
    output = site.output()
    line = output.log("receipt.processed")
    assert line["receipt_id"] == line["correlation_id"] == raw.receipt.id
    assert (line["events"], line["curated"], line["dead_lettered"], line["reasons"]) == (2, 1, 1, "invalid 1")
    assert (line["attempt"], line["milliseconds_since_received"]) == (3, 250)
    assert "cold_start" in line
    assert "secret" not in output.text


def test_the_metrics_are_outcomes_reasons_conflicts_and_the_time_since_received(site: Site) -> None:
    other = PURCHASE.replace(b"12.50", b"13.50")
    first, second = accept(site, b"[" + PURCHASE + b"," + BROKEN + b"]"), accept(site, PURCHASE)
    third = accept(site, other)
    site.clock.micros += 40_000
    call(*[sqs_record(raw.receipt.id, raw) for raw in (first, second, third)])
    output = site.output()
    found = {name: output.metric(name) for name in ("Curated", "Duplicate", "Filtered", "DeadLettered", "Conflicts")}
    assert found == {"Curated": [1], "Duplicate": [1], "Filtered": [0], "DeadLettered": [2], "Conflicts": [1]}
    assert output.metric("DeadLettered", reason="invalid") == [1]
    assert output.metric("DeadLettered", reason="conflict") == [1]
    assert output.metric("ReceivedToCurated") == [40, 40, 40]


@pytest.mark.parametrize(("milliseconds", "slow"), [(499, 0), (500, 1), (60_000, 1)])
def test_a_receipt_is_slow_from_what_the_objective_allows_on(site: Site, milliseconds: int, slow: int) -> None:
    first, second = accept(site, PURCHASE), accept(site, PURCHASE.replace(b"p-1", b"p-9"))
    call(sqs_record(first.receipt.id, first))
    assert site.output().metric("Slow") == [0]
    site.clock.micros += milliseconds * 1000
    call(sqs_record(second.receipt.id, second))
    output = site.output()
    assert (output.metric("ReceivedToCurated"), output.metric("Slow")) == ([milliseconds], [slow])


def test_only_the_first_invocation_is_a_cold_start(site: Site) -> None:
    raw = accept(site, PURCHASE)
    call(sqs_record(raw.receipt.id, raw))
    site.output()
    call(sqs_record(raw.receipt.id, raw))
    output = site.output()
    assert output.metric("ColdStart") == [0]
    assert output.log("receipt.processed")["cold_start"] is False


@pytest.mark.parametrize("body", ["", "{", "[]", '{"receipt": 7}', '{"secret": 1}', '"secret"', "\ud800"])
def test_one_poison_message_fails_alone(site: Site, body: str) -> None:
    raws = [accept(site, PURCHASE.replace(b"p-1", name)) for name in (b"a", b"b")]
    good = [sqs_record(raw.receipt.id, raw) for raw in raws]
    assert call(good[0], sqs_record("poison", body=body), good[1]) == ["m-poison"]
    assert site.stores.curated.count() == 2
    output = site.output()
    line = output.log("receipt.failed")
    assert (line["level"], line["message_id"], line["attempt"]) == ("error", "m-poison", 1)
    assert output.metric("Failed") == [1]
    assert "secret" not in output.text


def test_a_message_whose_receipt_the_raw_log_does_not_hold_fails_alone(site: Site) -> None:
    raw = accept(site, PURCHASE)
    unknown = "01a0b0c0-0000-7000-8000-000000000000"
    assert call(sqs_record(unknown), sqs_record(raw.receipt.id)) == [f"m-{unknown}"]
    assert site.output().log("receipt.failed")["error"] == "UnknownReceipt"


def test_a_receipt_of_another_catalog_fails_alone(site: Site) -> None:
    foreign = RawObject(Receipt(id="01a0b0c0-0000-7000-8000-000000000000", received_at=START, catalog="other"), b"{}")
    raw = accept(site, PURCHASE)
    assert call(sqs_record(foreign.receipt.id, foreign), sqs_record(raw.receipt.id)) == [f"m-{foreign.receipt.id}"]
    assert site.output().log("receipt.failed")["error"] == "OtherCatalog"


def test_while_the_curated_store_is_down_messages_wait_and_nothing_is_dead_lettered(site: Site) -> None:
    raws = [accept(site, PURCHASE.replace(b"p-1", name)) for name in (b"a", b"b")]
    site.use(curated=Down(TransientError("throttled")))
    failed = call(*[sqs_record(raw.receipt.id, raw) for raw in raws])
    assert failed == [f"m-{raw.receipt.id}" for raw in raws]
    assert site.stores.dead_letters.occurrences() == {}
    assert site.stores.ledger.entries([raw.receipt.id for raw in raws]) == {}
    output = site.output()
    assert output.metric("Deferred") == [2]
    assert [line["level"] for line in output.logs] == ["warning", "warning"]
    site.use()
    assert call(*[sqs_record(raw.receipt.id, raw, attempt=2) for raw in raws]) == []
    assert site.stores.curated.count() == 2


def test_a_mistake_of_ours_fails_its_message_and_tells_its_place_only(site: Site) -> None:
    raw = accept(site, PURCHASE)
    site.use(ledger=Down(RuntimeError("secret-customer")))
    assert call(sqs_record(raw.receipt.id, raw)) == [f"m-{raw.receipt.id}"]
    output = site.output()
    line = output.log("receipt.failed")
    assert line["error"] == "RuntimeError"
    assert "test_ingestion.py" in line["cause"]
    assert "secret" not in output.text


def test_a_message_that_comes_twice_counts_once(site: Site) -> None:
    raw = accept(site, PURCHASE)
    assert call(sqs_record(raw.receipt.id, raw), sqs_record(raw.receipt.id, raw)) == []
    assert site.stores.curated.count() == 1
    assert site.output().metric("Curated") == [2]


@pytest.mark.parametrize("event", [api_event(), s3_event(), stream_event(), {"Records": []}, {}])
def test_a_wrong_event_is_an_error_that_names_it(site: Site, event: Any) -> None:
    with pytest.raises(Exception, match="transformation-lambda takes an SQS event or a job step; a"):
        transformation.handler(event, Context())


def test_records_of_several_kinds_are_an_error(site: Site) -> None:
    mixed = {"Records": [*s3_event()["Records"], sqs_record("r")]}
    with pytest.raises(Exception, match="an S3 event mixed with an SQS event came"):
        transformation.handler(mixed, Context())


def test_a_message_without_an_id_could_not_be_reported_so_the_batch_is_an_error(site: Site) -> None:
    raw = accept(site, PURCHASE)
    cut = sqs_record("cut")
    del cut["messageId"]
    with pytest.raises(Exception, match="without messageId"):
        call(sqs_record(raw.receipt.id, raw), cut)
    assert site.stores.curated.count() == 0
