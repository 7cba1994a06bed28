"""Claims about the queue in SQS: one send a receipt, what fits goes along, batches, faults, poison."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.aws.batches import ROUNDS
from millrace.adapters.aws.messages import MAX_MESSAGE, ascii_json, decode_receipt, encode_receipt, size_of
from millrace.adapters.aws.messages import text_attribute as text
from millrace.adapters.aws.queue import SqsQueue
from millrace.core.errors import PermanentError, StoreError, TransientError
from millrace.core.records import Message, RawObject
from tests.contracts.builders import raw_object

from .calls import Call, Fault, canned, error, lost, only_first, throttled, timed_out, unavailable
from .opened import MAX_RECEIVES, Account, mocked_account

FAULTS = [throttled, unavailable, lost, timed_out, error("KMS.ThrottlingException"), error("OverLimit", 403)]


def sent_size(call: Call) -> int:
    """Bytes of a SendMessage as SQS counts them."""
    attributes = call.parameters["MessageAttributes"].items()
    values = [part for name, attribute in attributes for part in (name, *attribute.values())]
    return sum(len(part.encode()) for part in [call.parameters["MessageBody"], *values])


def receipts(messages: Any) -> list[str]:
    return [message.receipt for message in messages]


# -------------------------------------------------------------------------------------------------------------- sending


def test_a_receipt_is_one_send_with_its_bytes(account: Account) -> None:
    raw = raw_object(body=b'{"name":"\xc3\xa9"}', source="caller é \U0001f600")
    account.queue().send(raw.receipt.id, raw)
    assert account.calls.counts() == {"SendMessage": 1}
    [message] = account.queue().receive(1)
    assert message.raw == raw


def test_a_message_is_ascii_whatever_the_receipt_says(account: Account) -> None:
    raw = raw_object(body=bytes(range(256)), source="é\x00\x0b\ufffe\U0001f600", origin="\x7f")
    account.queue().send(raw.receipt.id, raw)
    [call] = account.calls.made
    body = call.parameters["MessageBody"]
    assert body.isascii()
    assert body.replace("\x7f", "").isprintable()
    assert account.queue().receive(1)[0].raw == raw


def test_the_receipt_goes_along_as_the_correlation_id(account: Account) -> None:
    account.queue().send("r-1")
    [call] = account.calls.made
    assert call.parameters["MessageAttributes"] == {"correlationId": {"DataType": "String", "StringValue": "r-1"}}


@pytest.mark.parametrize("beyond", [-1, 0, 1, 2])
def test_the_limit_is_measured_after_encoding_attributes_included(account: Account, beyond: int) -> None:
    attributes = {"correlationId": text(raw_object().receipt.id)}
    probe = raw_object(body=b"x" * 780_000, origin="")
    used = size_of(encode_receipt(probe.receipt.id, probe, attributes), attributes)
    raw = raw_object(body=probe.body, origin="o" * (MAX_MESSAGE - used + beyond))
    account.queue().send(raw.receipt.id, raw)
    [call] = account.calls.made
    [message] = account.queue().receive(1)
    if beyond <= 0:
        assert sent_size(call) == MAX_MESSAGE + beyond
        assert message.raw == raw
    else:
        assert sent_size(call) < 300
        assert (message.receipt, message.raw) == (raw.receipt.id, None)


@pytest.mark.parametrize("body", [b"x" * MAX_MESSAGE, b"x" * (MAX_MESSAGE * 3 // 4), b"x" * 5_000_000])
def test_what_cannot_fit_goes_by_reference(account: Account, body: bytes) -> None:
    raw = raw_object(body=body)
    account.queue().send(raw.receipt.id, raw)
    assert account.queue().receive(1)[0].raw is None


def test_a_queue_with_a_smaller_limit_is_kept_to(account: Account) -> None:
    raw = raw_object(body=b"x" * 2000)
    account.queue(most=2048).send(raw.receipt.id, raw)
    account.queue(most=4096).send(raw.receipt.id, raw)
    assert [sent_size(call) <= 2048 for call in account.calls.made] == [True, False]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_send_that_failed_for_the_moment_may_be_made_again(account: Account, fault: Fault) -> None:
    account.calls.next("SendMessage", fault)
    with pytest.raises(TransientError, match=r"^the queue processing-queue failed"):
        account.queue().send("r")
    account.queue().send("r")
    assert set(receipts(account.queue().receive(10))) == {"r"}


@pytest.mark.parametrize("fault", [throttled, unavailable, lost, timed_out])
def test_the_client_itself_tries_a_send_again(trying: Account, fault: Fault) -> None:
    trying.calls.next("SendMessage", fault)
    trying.queue().send("r")
    assert set(receipts(trying.queue().receive(10))) == {"r"}


# ------------------------------------------------------------------------------------------------------------ receiving


def test_more_than_ten_are_received_in_tens_and_only_the_first_call_waits(account: Account) -> None:
    for number in range(25):
        account.queue().send(f"r{number}")
    account.calls.clear()
    assert len(account.queue(wait_seconds=1).receive(23)) == 23
    asked = [call.parameters for call in account.calls.of("ReceiveMessage")]
    assert [parameters["MaxNumberOfMessages"] for parameters in asked] == [10, 10, 3]
    assert [parameters["WaitTimeSeconds"] for parameters in asked] == [1, 0, 0]


@pytest.mark.parametrize("fault", [throttled, unavailable, lost])
def test_a_receive_that_failed_for_the_moment_may_be_made_again(account: Account, fault: Fault) -> None:
    account.queue().send("r")
    account.calls.next("ReceiveMessage", fault)
    with pytest.raises(TransientError):
        account.queue().receive(10)
    assert receipts(account.queue().receive(10)) == ["r"]


def test_messages_whose_answer_was_lost_come_again_when_their_time_is_up() -> None:
    with mocked_account(visibility_seconds=0) as account:
        account.queue().send("r")
        account.calls.next("ReceiveMessage", timed_out)
        with pytest.raises(TransientError):
            account.queue().receive(1)
        assert [(message.receipt, message.attempt) for message in account.queue().receive(1)] == [("r", 2)]


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"receipt":7}', '{"receipt":"r","raw":{}}', "no JSON", "é"])
def test_a_body_that_names_no_receipt_is_left_to_the_redrive_policy(account: Account, body: str) -> None:
    sqs = account.unrecorded.get("sqs")
    sqs.send_message(QueueUrl=account.queue_url, MessageBody=body or " ")
    account.queue().send("good")
    for _ in range(MAX_RECEIVES + 1):
        messages = account.queue().receive(10)
        assert set(receipts(messages)) <= {"good"}
        account.queue().acknowledge(messages)
        account.pass_time(account.queue_url)
    moved = sqs.receive_message(QueueUrl=account.dlq_url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in moved] == [body or " "]


def test_a_message_with_another_receipts_bytes_is_refused() -> None:
    raw = raw_object()
    body = json.loads(encode_receipt(raw.receipt.id, raw, {}))
    with pytest.raises(PermanentError, match="another receipt's bytes"):
        decode_receipt(json.dumps({**body, "receipt": "other"}), "t", 1)


@given(st.text(max_size=30), st.binary(max_size=50), st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_receipt_is_what_was_encoded(receipt: str, body: bytes, source: str) -> None:
    raw = raw_object(body=body, source=source)
    encoded = encode_receipt(raw.receipt.id, raw, {})
    assert encoded.isascii()
    assert decode_receipt(encoded, "t", 3) == Message(raw.receipt.id, "t", 3, raw)


def test_a_receipt_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(PermanentError, match="no Unicode"):
        ascii_json({"text": "\ud800"})


# ------------------------------------------------------------------------------------------------------------- settling

SETTLE: dict[str, Callable[[SqsQueue, Any], None]] = {
    "DeleteMessageBatch": SqsQueue.acknowledge,
    "ChangeMessageVisibilityBatch": SqsQueue.release,
}
settling = pytest.mark.parametrize("operation", SETTLE)


def in_hand(account: Account, count: int) -> list[Message]:
    """As many received messages."""
    for number in range(count):
        account.queue().send(f"r{number:02}")
    messages = [*account.queue().receive(count)]
    account.calls.clear()
    return messages


def settled(account: Account, operation: str, count: int) -> bool:
    """Whether all of them are acknowledged, or all visible again."""
    visible = len(account.queue().receive(count + 1))
    return visible == (0 if operation == "DeleteMessageBatch" else count)


@settling
def test_messages_are_settled_in_tens_each_once(account: Account, operation: str) -> None:
    messages = in_hand(account, 23)
    SETTLE[operation](account.queue(), [*messages, *messages])
    assert [len(call.parameters["Entries"]) for call in account.calls.of(operation)] == [10, 10, 3]
    assert settled(account, operation, 23)


@settling
def test_of_a_batch_only_what_failed_is_tried_again(account: Account, operation: str) -> None:
    messages = in_hand(account, 10)
    account.calls.next(operation, only_first(6), only_first(0, "RequestThrottled"), only_first(1))
    SETTLE[operation](account.queue(), messages)
    assert [len(call.parameters["Entries"]) for call in account.calls.of(operation)] == [10, 4, 4, 3]
    assert settled(account, operation, 10)


@settling
def test_a_batch_that_keeps_failing_may_be_made_again(account: Account, operation: str) -> None:
    messages = in_hand(account, 3)
    account.calls.next(operation, only_first(2), *[only_first(0)] * (ROUNDS - 1))
    with pytest.raises(TransientError, match="refused 1 of 3 entries for the moment: InternalError"):
        SETTLE[operation](account.queue(), messages)
    SETTLE[operation](account.queue(), messages)
    assert settled(account, operation, 3)


@settling
@pytest.mark.parametrize("fault", FAULTS)
def test_settling_that_failed_for_the_moment_may_be_made_again(account: Account, operation: str, fault: Fault) -> None:
    messages = in_hand(account, 3)
    account.calls.next(operation, fault)
    with pytest.raises(TransientError):
        SETTLE[operation](account.queue(), messages)
    SETTLE[operation](account.queue(), messages)
    assert settled(account, operation, 3)


@settling
@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "InvalidParameterValue"])
def test_a_delivery_that_is_over_is_settled(account: Account, operation: str, code: str) -> None:
    account.calls.always(operation, only_first(0, code, sender=True))
    SETTLE[operation](account.queue(), [Message("r", "token")])
    assert len(account.calls.of(operation)) == 1


@settling
def test_permission_that_is_denied_to_an_entry_is_said_at_once(account: Account, operation: str) -> None:
    account.calls.always(operation, only_first(0, "KmsAccessDenied", sender=True))
    with pytest.raises(StoreError, match="permission to its key is denied"):
        SETTLE[operation](account.queue(), [Message("r", "token")])
    assert len(account.calls.of(operation)) == 1


@settling
def test_an_entry_that_is_wrong_for_a_reason_nobody_foresaw_is_seen(account: Account, operation: str) -> None:
    account.calls.always(operation, only_first(0, "InvalidMessageContents", sender=True))
    with pytest.raises(ClientError, match="InvalidMessageContents"):
        SETTLE[operation](account.queue(), [Message("r", "token")])


@settling
def test_an_entry_throttled_as_its_senders_fault_is_tried_again(account: Account, operation: str) -> None:
    [message] = in_hand(account, 1)
    account.calls.next(operation, only_first(0, "RequestThrottled", sender=True))
    SETTLE[operation](account.queue(), [message])
    assert settled(account, operation, 1)


def test_a_queue_that_is_gone_says_so(account: Account) -> None:
    account.clients.get("sqs").delete_queue(QueueUrl=account.queue_url)
    told = r"^the queue processing-queue cannot be used: the queue does not exist"
    for attempt in (lambda: account.queue().send("r"), lambda: account.queue().receive(1)):
        with pytest.raises(StoreError, match=told):
            attempt()


def test_an_empty_answer_is_no_message(account: Account) -> None:
    account.calls.always("ReceiveMessage", canned(200, "{}", {"content-type": "application/x-amz-json-1.0"}))
    assert account.queue().receive(10) == []


def test_what_is_inline_is_the_raw_object_with_its_type(account: Account) -> None:
    raw = raw_object(body=b"[]", content_type="application/x-ndjson", headers={"ce-id": "1"}, chunk=True, line=7)
    account.queue().send(raw.receipt.id, raw)
    assert isinstance(account.queue().receive(1)[0].raw, RawObject)
