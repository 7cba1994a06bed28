"""Claims about reading a whole queue: everything, nothing kept, and how two readers take turns."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from millrace.adapters.aws import sweep as module
from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.sweep import HIDDEN_SECONDS, Sweep
from millrace.core.errors import StoreError, TransientError

from .calls import Call, Fault, Send, in_turn, lost, only_first, throttled, timed_out, unavailable
from .opened import Account, no_sleep


def filled(account: Account, count: int) -> list[str]:
    """As many messages in the dead-letter queue."""
    bodies = [f"m{number:03}" for number in range(count)]
    for body in bodies:
        account.unrecorded.get("sqs").send_message(QueueUrl=account.dlq_url, MessageBody=body)
    return bodies


def sweep(account: Account, clients: Clients | None = None, **arguments: Any) -> Sweep:
    """A sweep without waiting; its clock goes on by a second at each look."""
    ticks = itertools.count()
    settings = {"wait_seconds": 0, "patience": 2.0, "sleep": no_sleep, "monotonic": lambda: next(ticks)}
    return Sweep(clients or account.clients, account.dlq_url, "the DLQ", **{**settings, **arguments})


def bodies_of(messages: Any) -> list[str]:
    return sorted(message["Body"] for message in messages)


def visible(account: Account) -> int:
    """How many messages anybody could receive now."""
    names = ["ApproximateNumberOfMessages"]
    answer = account.unrecorded.get("sqs").get_queue_attributes(QueueUrl=account.dlq_url, AttributeNames=names)
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


class Other:
    """Another reader, which has messages in hand until it is told to give them back."""

    def __init__(self, account: Account, count: int) -> None:
        self._sqs, self._url = account.unrecorded.get("sqs"), account.dlq_url
        asked = {"QueueUrl": self._url, "MaxNumberOfMessages": count, "VisibilityTimeout": HIDDEN_SECONDS}
        self.held = self._sqs.receive_message(**asked)["Messages"]

    def give_back(self) -> None:
        for message in self.held:
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        self.held = []


def test_everything_is_read_and_everything_is_given_back(account: Account) -> None:
    bodies = filled(account, 57)
    for _ in range(2):
        assert bodies_of(sweep(account).messages()) == bodies
        assert visible(account) == 57
    assert "DeleteMessageBatch" not in account.calls.counts()
    assert "DeleteMessage" not in account.calls.counts()


def test_an_empty_queue_is_read_with_one_call_and_one_look_at_its_counts(account: Account) -> None:
    assert sweep(account).messages() == []
    assert account.calls.counts() == {"ReceiveMessage": 1, "GetQueueAttributes": 1}


def test_messages_are_hidden_no_longer_than_a_reader_that_dies_may_keep_them(account: Account) -> None:
    filled(account, 3)
    sweep(account).messages()
    hidden = {call.parameters["VisibilityTimeout"] for call in account.calls.of("ReceiveMessage")}
    assert hidden == {HIDDEN_SECONDS}


def test_a_reader_waits_for_what_another_has_in_hand(account: Account) -> None:
    bodies = filled(account, 9)
    other = Other(account, 4)
    assert bodies_of(sweep(account, sleep=lambda seconds: other.give_back()).messages()) == bodies
    assert visible(account) == 9


def test_a_reader_gives_way_to_another_that_waits_too(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "random", SimpleNamespace(uniform=lambda least, most: most))
    bodies = filled(account, 9)
    other = Other(account, 4)
    free: list[int] = []

    def sleep(seconds: float) -> None:
        # The other one goes on waiting for our five until they are there.
        free.append(visible(account))
        if free[-1] == 5:
            other.give_back()

    assert bodies_of(sweep(account, sleep=sleep).messages()) == bodies
    assert 0 in free, "it waited with its own messages in hand first"


def test_a_part_is_never_shown_as_if_it_were_everything(account: Account) -> None:
    filled(account, 9)
    Other(account, 4)
    with pytest.raises(TransientError, match="the DLQ is being read: about 4 messages are in somebody else's hands"):
        sweep(account, rounds=3).messages()
    assert visible(account) == 5


def test_two_readers_at_once_both_see_everything(account: Account) -> None:
    bodies = filled(account, 40)
    settings: dict[str, Any] = {"wait_seconds": 0, "patience": 0.2, "rounds": 100}
    readers = [Sweep(account.another(), account.dlq_url, "the DLQ", **settings) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        read = list(pool.map(lambda reader: bodies_of(reader.messages()), readers))
    assert read == [bodies, bodies]
    assert visible(account) == 40


def test_of_a_message_that_came_twice_the_later_delivery_is_given_back(account: Account) -> None:
    filled(account, 2)

    def and_late(call: Call, send: Send) -> AWSResponse:
        answer = send()
        account.pass_time(account.dlq_url)
        return answer

    account.calls.next("ReceiveMessage", and_late)
    assert bodies_of(sweep(account).messages()) == ["m000", "m001"]
    assert visible(account) == 2


@pytest.mark.parametrize("fault", [throttled, unavailable, lost])
def test_a_reader_that_fails_on_its_way_gives_back_what_it_has(account: Account, fault: Fault) -> None:
    bodies = filled(account, 30)
    account.calls.next("ReceiveMessage", None, None, fault)
    with pytest.raises(TransientError, match="the DLQ failed for the moment"):
        sweep(account).messages()
    assert visible(account) == 30
    account.calls.next("GetQueueAttributes", fault)
    with pytest.raises(TransientError, match="the DLQ failed for the moment"):
        sweep(account).messages()
    assert bodies_of(sweep(account).messages()) == bodies


@pytest.mark.parametrize("fault", [throttled, unavailable, lost, timed_out, only_first(3)])
def test_what_cannot_be_given_back_now_does_not_spoil_what_was_read(account: Account, fault: Fault) -> None:
    bodies = filled(account, 12)
    account.calls.always("ChangeMessageVisibilityBatch", fault)
    assert bodies_of(sweep(account).messages()) == bodies


def test_giving_back_is_tried_again_for_what_failed(account: Account) -> None:
    filled(account, 12)
    account.calls.always("ChangeMessageVisibilityBatch", in_turn(only_first(0), None))
    sweep(account).messages()
    assert visible(account) == 12


def test_more_than_can_be_in_flight_is_said_to_be_too_much(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(account, 30)
    monkeypatch.setattr(module, "MOST", 20)
    with pytest.raises(StoreError, match="the DLQ holds more than 20 messages"):
        sweep(account).messages()
    assert visible(account) == 30
