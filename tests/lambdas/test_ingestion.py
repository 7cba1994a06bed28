import base64
import gzip
from typing import Any

import pytest

from millrace.core.errors import StoreError, TransientError
from millrace.entrypoints.lambdas import ingestion

from .arriving import API_REQUEST, Context, api_event, http_api_event, s3_event, scheduled_event, sns_event, sqs_event
from .site import Site, received

PURCHASE = (
    b'{"eventType":"purchase","eventId":"p-1","eventTime":"2026-11-23T01:59:00Z","schemaVersion":2,'
    b'"data":{"order_id":"o-1","customer_id":"secret-customer","amount":"12.50","currency":"EUR"}}'
)


class Down:
    """A port that fails, whatever is asked."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, _: str) -> Any:
        def fail(*_: Any, **__: Any) -> None:
            raise self.error

        return fail


def call(event: Any) -> tuple[int, dict[str, str], Any]:
    return received(ingestion.handler(event, Context()))


def test_an_accepted_request_names_its_receipt_which_is_the_correlation_id(site: Site) -> None:
    status, headers, body = call(api_event(body=PURCHASE))
    assert status == 202
    assert body["accepted"] == 1
    assert body["events"] == [{"index": 0, "id": "p-1", "type": "purchase"}]
    assert headers["x-correlation-id"] == body["receipt"]
    [message] = site.stores.queue.receive(10)
    assert message.receipt == body["receipt"]
    assert site.stores.raw.read(body["receipt"]).body == PURCHASE


def test_one_line_tells_of_a_request_and_nothing_of_what_was_sent(site: Site) -> None:
    _, __, body = call(api_event(body=PURCHASE, headers={"Authorization": "Bearer s3cr3t-token"}))
    output = site.output()
    assert len(output.logs) == 1
    line = output.log("receipt.accepted")
    assert line["receipt_id"] == line["correlation_id"] == body["receipt"]
    assert line["function_request_id"] == Context().aws_request_id
    assert line["api_request_id"] == API_REQUEST
    assert (line["status"], line["accepted"], line["rejected"]) == (202, 1, 0)
    assert line["level"] == "info"
    assert "secret" not in output.text
    assert "s3cr3t" not in output.text
    assert not [value for value in line.values() if isinstance(value, dict | list)]


def test_what_was_accepted_and_rejected_is_counted(site: Site) -> None:
    call(api_event(body=b"[" + PURCHASE + b',{"no":"event"}]'))
    output = site.output()
    assert (output.metric("Accepted"), output.metric("Rejected")) == ([1.0], [1.0])
    [line] = output.metrics
    assert (line["service"], line["environment"]) == ("ingestion", "test")
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Millrace"


@pytest.mark.parametrize("compressed", [False, True])
def test_a_body_is_kept_byte_for_byte_whether_it_comes_as_base64_or_as_text(site: Site, compressed: bool) -> None:
    body = ' {"eventType":"signup","eventId":"é","data":{}}\n'.encode()
    if compressed:
        event = api_event(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    else:
        event = api_event(body=body.decode())
    _, __, answer = call(event)
    assert site.stores.raw.read(answer["receipt"]).body == body


@pytest.mark.parametrize("port", ["raw", "queue"])
@pytest.mark.parametrize("error", [TransientError("it is slow today"), StoreError("the bucket does not exist")])
def test_where_the_raw_log_or_the_queue_is_down_the_answer_is_503_with_retry_after(
    site: Site, port: str, error: Exception
) -> None:
    site.use(**{port: Down(error)})
    status, headers, body = call(api_event(body=PURCHASE))
    assert status == 503
    assert int(headers["retry-after"]) > 0
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-correlation-id"] == API_REQUEST
    assert str(error) not in str(body)
    line = site.output().log("request.failed")
    assert (line["level"], line["error"], line["cause"]) == ("error", type(error).__name__, str(error))


def test_what_reached_the_raw_log_before_the_queue_failed_counts_once_when_it_is_sent_again(site: Site) -> None:
    site.use(queue=Down(TransientError("no")))
    assert call(api_event(body=PURCHASE))[0] == 503
    site.use()
    assert call(api_event(body=PURCHASE))[0] == 202
    site.platform.mend()
    account = site.platform.reconcile.run()
    assert (account.receipts, account.curated, account.duplicate, account.stored) == (2, 1, 1, 1)


def test_the_caller_is_the_source_of_events_that_name_none(site: Site) -> None:
    callers = {
        "api-key/key-7": {"apiKeyId": "key-7", "apiKey": "s3cr3t-key"},
        "arn:aws:iam::123456789012:user/shop": {"userArn": "arn:aws:iam::123456789012:user/shop"},
        "arn:aws:sts::123456789012:assumed-role/shop": {
            "userArn": "arn:aws:sts::123456789012:assumed-role/shop/i-0123",
            "apiKeyId": "key-7",
        },
        "anonymous": {},
    }
    for caller, identity in callers.items():
        _, __, body = call(api_event(body=PURCHASE, identity=identity))
        assert site.stores.raw.read(body["receipt"]).receipt.source == caller
    assert "s3cr3t" not in site.output().text


def test_cloudevents_in_binary_mode_and_repeated_headers_pass(site: Site) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "c-1",
        "ce-source": "/shop",
        "ce-type": "refund",
        "Idempotency-Key": "k-1",
    }
    status, _, body = call(api_event(body=b'{"order_id":"o"}', headers=headers))
    assert (status, body["events"]) == (202, [{"index": 0, "id": "c-1", "type": "refund"}])
    assert site.stores.raw.read(body["receipt"]).receipt.idempotency_key == "k-1"


@pytest.mark.parametrize(
    ("event", "came"),
    [
        (s3_event(), "an S3 event"),
        (sns_event(), "an SNS event"),
        (sqs_event({"eventSource": "aws:sqs"}), "an SQS event"),
        (scheduled_event(), "a scheduled event"),
        (http_api_event(), "payload 2.0"),
        ({"Records": []}, "an empty list of records"),
        ({"step": "plan"}, "a job step"),
        ({"secret": 1, "a b": 2}, "an unknown event (keys: secret)"),
        ([], "a list"),
        (None, "a NoneType"),
        ("secret", "a str"),
    ],
)
def test_a_wrong_event_is_an_error_that_names_what_came_and_what_was_expected(
    site: Site, event: Any, came: str
) -> None:
    with pytest.raises(Exception, match="ingestion-lambda takes an API Gateway REST event") as caught:
        ingestion.handler(event, Context())
    assert type(caught.value).__name__ == "UnexpectedEvent"
    assert came in str(caught.value)
    assert site.output().log("invocation.failed")["cause"] == str(caught.value)
    assert site.stores.queue.receive(1) == []


@pytest.mark.parametrize("member", ["requestContext", "body", "isBase64Encoded", "path", "headers"])
def test_a_truncated_api_event_is_an_error_that_names_what_is_missing(site: Site, member: str) -> None:
    event = api_event(body=PURCHASE)
    del event[member]
    with pytest.raises(Exception, match=f"without {member}: it is not whole"):
        ingestion.handler(event, Context())


def test_a_body_whose_base64_was_cut_is_an_error_and_not_half_a_body(site: Site) -> None:
    event = api_event(body=PURCHASE)
    event["body"] = base64.b64encode(PURCHASE).decode()[:-3]
    with pytest.raises(Exception, match="body is no base64"):
        ingestion.handler(event, Context())
    assert site.stores.queue.receive(1) == []


def test_an_error_that_nobody_foresaw_tells_its_place_and_not_its_message(site: Site) -> None:
    site.use(raw=Down(RuntimeError("secret-customer")))
    with pytest.raises(Exception, match=r"^RuntimeError at .*test_ingestion\.py") as caught:
        ingestion.handler(api_event(body=PURCHASE), Context())
    assert caught.value.__suppress_context__
    line = site.output().log("invocation.failed")
    assert line["error"] == "FunctionError"
    assert "secret" not in str(line) + str(caught.value)


def test_a_preflight_of_a_configured_origin_is_answered(site: Site) -> None:
    asked = {"Origin": "https://console.example.com", "Access-Control-Request-Method": "POST"}
    status, headers, _ = call(api_event("OPTIONS", body=None, headers=asked))
    assert status == 204
    assert headers["access-control-allow-origin"] == "https://console.example.com"
    assert "POST" in headers["access-control-allow-methods"]
    status, headers, _ = call(api_event("OPTIONS", body=None, headers={**asked, "Origin": "https://evil.example"}))
    assert "access-control-allow-origin" not in headers
