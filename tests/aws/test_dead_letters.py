"""Claims about dead letters in SQS: what a message holds, batches within the limits, folding, and other messages."""

import itertools
import json
from typing import Any

import msgspec
import pytest

from millrace.adapters.aws.dead_letters import SqsDeadLetters
from millrace.adapters.aws.letters import folded
from millrace.adapters.aws.messages import MAX_MESSAGE
from millrace.core.errors import PermanentError, TransientError
from millrace.core.records import DeadLetter, Violation
from tests.contracts.builders import NOON, dead_letter, receipt_id

from .calls import Call, Fault, in_turn, lost, only_first, throttled, timed_out, unavailable
from .opened import MAX_RECEIVES, Account
from .test_sweep import visible

FAULTS = [throttled, unavailable, lost, timed_out]
A, B, C = "a" * 32, "b" * 32, "c" * 32


def entries(account: Account) -> list[dict[str, Any]]:
    """What was sent, in order."""
    return [entry for call in account.calls.of("SendMessageBatch") for entry in call.parameters["Entries"]]


def batch_size(call: Call) -> int:
    """Bytes of a batch as SQS counts them."""
    return sum(
        len(entry["MessageBody"].encode())
        + sum(len(name) + sum(map(len, value.values())) for name, value in entry["MessageAttributes"].items())
        for entry in call.parameters["Entries"]
    )


def listed(letters: SqsDeadLetters) -> list[str]:
    return [letter.id for letter in letters.browse(after=None, limit=1000)]


# -------------------------------------------------------------------------------------------------------------- adding


def test_reason_type_and_fingerprint_are_attributes(account: Account) -> None:
    account.dead_letters().add([dead_letter(A)])
    [entry] = entries(account)
    attributes = {name: value["StringValue"] for name, value in entry["MessageAttributes"].items()}
    assert attributes.pop("addedAt").isdigit()
    assert attributes == {
        "letterId": A, "reason": "invalid", "fingerprint": "0123456789ab", "eventType": "purchase",
    }  # fmt: skip


def test_a_letter_is_ascii_whatever_the_event_said(account: Account) -> None:
    letter = dead_letter(A, event_type="é\x00\ufffe", event_id="\U0001f600" * 300, source="\x0b")
    account.dead_letters().add([letter])
    [entry] = entries(account)
    assert entry["MessageBody"].isascii()
    assert all(value["StringValue"].isascii() for value in entry["MessageAttributes"].values())
    assert account.dead_letters().get(A) == letter


def test_a_type_too_long_for_an_attribute_is_whole_in_the_letter(account: Account) -> None:
    letter = dead_letter(A, event_type="t" * 3000)
    account.dead_letters().add([letter])
    assert len(entries(account)[0]["MessageAttributes"]["eventType"]["StringValue"]) == 256
    assert account.dead_letters().get(A) == letter


def test_letters_go_out_in_tens(account: Account) -> None:
    account.dead_letters().add(dead_letter(f"{number:032x}") for number in range(23))
    assert [len(call.parameters["Entries"]) for call in account.calls.made] == [10, 10, 3]
    assert len(listed(account.dead_letters())) == 23


def test_a_batch_is_no_larger_than_a_message_may_be(account: Account) -> None:
    wide = [Violation("/data", "pattern", "é" * 15_000)] * 3
    letters = [dead_letter(f"{number:032x}", violations=tuple(wide)) for number in range(9)]
    account.dead_letters().add(letters)
    assert all(batch_size(call) <= MAX_MESSAGE for call in account.calls.made)
    assert len(account.calls.made) > 1
    assert account.dead_letters().browse(after=None, limit=99) == letters


def test_violations_that_do_not_fit_are_counted_instead(account: Account) -> None:
    violations = tuple(Violation(f"/data/{number}", "type", "x" * 500) for number in range(5000))
    account.dead_letters().add([dead_letter(A, violations=violations)])
    assert batch_size(account.calls.made[0]) <= MAX_MESSAGE
    letter = account.dead_letters().get(A)
    assert letter is not None
    kept, last = letter.violations[:-1], letter.violations[-1]
    assert kept == violations[: len(kept)]
    assert len(kept) > 500
    assert (last.code, last.message) == ("more", f"and {5000 - len(kept)} more violations, too many for a message")


def test_a_letter_that_cannot_fit_is_refused_by_name(account: Account) -> None:
    with pytest.raises(PermanentError, match=f"dead letter {A} needs"):
        account.dead_letters().add([dead_letter(A, event_id="x" * MAX_MESSAGE)])


@pytest.mark.parametrize("fault", FAULTS)
def test_adding_that_failed_for_the_moment_may_be_done_again(account: Account, fault: Fault) -> None:
    letters = [dead_letter(f"{number:032x}") for number in range(15)]
    account.calls.next("SendMessageBatch", None, fault)
    with pytest.raises(TransientError, match=r"^the dead-letter queue processing-dlq failed"):
        account.dead_letters().add(letters)
    account.dead_letters().add(letters)
    assert account.dead_letters().browse(after=None, limit=99) == letters
    assert account.dead_letters().occurrences() == {"invalid": 15}


def test_of_a_batch_only_what_failed_is_sent_again(account: Account) -> None:
    letters = [dead_letter(f"{number:032x}") for number in range(10)]
    account.calls.next("SendMessageBatch", only_first(4), only_first(1, "ServiceUnavailable"))
    account.dead_letters().add(letters)
    assert [len(call.parameters["Entries"]) for call in account.calls.made] == [10, 6, 5]
    assert account.dead_letters().browse(after=None, limit=99) == letters


# -------------------------------------------------------------------------------------------------------------- reading


def test_reading_deletes_nothing_and_gives_everything_back(account: Account) -> None:
    account.dead_letters().add([dead_letter(A), dead_letter(A), dead_letter(B)])
    for read in (
        lambda: account.dead_letters().get(A),
        lambda: account.dead_letters().occurrences(),
        lambda: account.dead_letters().browse(after=None, limit=1),
    ):
        read()
        assert visible(account) == 3
    assert not {"DeleteMessage", "DeleteMessageBatch", "PurgeQueue"} & account.calls.counts().keys()


def test_pages_of_one_listing_are_received_once(account: Account) -> None:
    account.dead_letters().add([dead_letter(f"{number:032x}") for number in range(20)])
    letters, after, pages = account.dead_letters(), None, 0
    account.calls.clear()
    while page := letters.browse(after=after, limit=4):
        after, pages = page[-1].id, pages + 1
        if pages == 1:
            once = account.calls.counts()["ReceiveMessage"]
    assert pages == 5
    assert account.calls.counts()["ReceiveMessage"] == once


def test_a_new_listing_shows_what_was_added_since(account: Account) -> None:
    letters = account.dead_letters()
    letters.add([dead_letter(A)])
    assert listed(letters) == [A]
    account.dead_letters().add([dead_letter(B)])
    assert listed(letters) == [A, B]


def test_the_first_one_added_stays_whoever_added_the_others(account: Account) -> None:
    ticks = itertools.count(1000)
    for attempts in (1, 2, 3):
        late = SqsDeadLetters(account.clients, account.dlq_url, clock=lambda: next(ticks))
        late.add([dead_letter(A, attempts=attempts, occurrences=((receipt_id(NOON, attempts), 0),))])
    letter = account.dead_letters().get(A)
    assert letter is not None
    assert (letter.attempts, letter.seen) == (1, 3)


def received(letter: DeadLetter, sent: int, added: int) -> dict[str, Any]:
    """A letter as SQS hands it out."""
    return {
        "Body": msgspec.json.encode(letter).decode(),
        "Attributes": {"SentTimestamp": str(sent)},
        "MessageAttributes": {"letterId": {"StringValue": letter.id}, "addedAt": {"StringValue": str(added)}},
    }


def test_the_order_of_arrival_does_not_matter() -> None:
    copies = [
        received(dead_letter(A, attempts=1, occurrences=(("r1", 0),)), 5, 100),
        received(dead_letter(A, attempts=2, occurrences=(("r1", 1),)), 5, 101),
        received(dead_letter(A, attempts=3, occurrences=(("r0", 9), ("r1", 0))), 6, 1),
        received(dead_letter(B), 1, 1),
    ]
    expected = [dead_letter(A, occurrences=(("r0", 9), ("r1", 0), ("r1", 1)), seen=3), dead_letter(B)]
    for order in itertools.permutations(copies):
        assert folded(order) == expected


@pytest.mark.parametrize("fault", [throttled, unavailable, lost])
@pytest.mark.parametrize("operation", ["ReceiveMessage", "GetQueueAttributes"])
def test_reading_that_failed_for_the_moment_may_be_done_again(account: Account, operation: str, fault: Fault) -> None:
    account.dead_letters().add([dead_letter(A)])
    account.calls.next(operation, fault)
    with pytest.raises(TransientError):
        account.dead_letters().get(A)
    assert account.dead_letters().get(A) == dead_letter(A)


def test_letters_survive_when_every_other_call_fails(account: Account) -> None:
    account.calls.always("*", in_turn(throttled, None))
    letters = [dead_letter(A), dead_letter(B)]
    for _ in range(3):
        with pytest.raises(TransientError):
            account.dead_letters().add(letters)
        account.dead_letters().add(letters)
    account.calls.always("*", None)
    assert account.dead_letters().browse(after=None, limit=9) == letters
    assert account.dead_letters().occurrences() == {"invalid": 2}


# ------------------------------------------------------------------------------------------------------ other messages


def test_what_sqs_moved_there_is_no_letter_and_is_left_alone(account: Account) -> None:
    account.queue().send("never-processed")
    for _ in range(MAX_RECEIVES + 1):
        account.queue().release(account.queue().receive(10))
    account.dead_letters().add([dead_letter(A)])
    assert listed(account.dead_letters()) == [A]
    assert account.dead_letters().occurrences() == {"invalid": 1}
    assert visible(account) == 2
    found = account.unrecorded.get("sqs").receive_message(QueueUrl=account.dlq_url, MaxNumberOfMessages=10)
    assert json.dumps({"receipt": "never-processed"}, separators=(",", ":")) in {
        message["Body"] for message in found["Messages"]
    }


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ('{"kind":"job-failure","input":{}}', {"kind": {"DataType": "String", "StringValue": "job-failure"}}),
        ("{}", {"letterId": {"DataType": "String", "StringValue": A}}),
        ("no JSON", {"letterId": {"DataType": "String", "StringValue": A}}),
        (msgspec.json.encode(dead_letter(B)).decode(), {}),
    ],
)
def test_what_others_put_there_is_no_letter(account: Account, body: str, attributes: Any) -> None:
    account.unrecorded.get("sqs").send_message(QueueUrl=account.dlq_url, MessageBody=body, MessageAttributes=attributes)
    account.dead_letters().add([dead_letter(C)])
    assert listed(account.dead_letters()) == [C]
    assert visible(account) == 2
