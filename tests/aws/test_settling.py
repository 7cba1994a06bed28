"""Claims about dead letters in SQS that are settled, and receipts that SQS gave up: what is deleted, what sent anew."""

from contextlib import suppress

import pytest

from millrace.adapters.aws.letters import letter_of
from millrace.adapters.aws.sweep import Sweep
from millrace.core.errors import TransientError
from millrace.core.records import DeadLetter
from tests.contracts.builders import NOON, dead_letter, receipt_id

from .calls import Fault, in_turn, only_first, throttled
from .opened import MAX_RECEIVES, Account, no_sleep
from .test_dead_letters import FAULTS, A, B, C, entries, listed
from .test_sweep import visible

OPERATIONS = ["ReceiveMessage", "GetQueueAttributes", "SendMessageBatch", "DeleteMessageBatch"]


def bodies(account: Account) -> list[DeadLetter]:
    """Every letter in the queue as it was sent, unfolded."""
    sweep = Sweep(account.unrecorded, account.dlq_url, "the DLQ", wait_seconds=0, patience=0.0, sleep=no_sleep)
    return [letter for message in sweep.messages() if (letter := letter_of(message)) is not None]


def place(number: int) -> tuple[str, int]:
    return receipt_id(NOON, number), number


def test_settling_deletes_what_is_done_and_leaves_everything_else_alone(account: Account) -> None:
    account.dead_letters().add([dead_letter(A), dead_letter(B), dead_letter(C)])
    account.unrecorded.get("sqs").send_message(QueueUrl=account.dlq_url, MessageBody='{"kind":"job-failure"}')
    account.calls.clear()
    account.dead_letters().settle({A: [(receipt_id(), 0)], B: [(receipt_id(), 9)]})
    assert listed(account.dead_letters()) == [B, C]
    assert visible(account) == 3
    assert [len(call.parameters["Entries"]) for call in account.calls.of("DeleteMessageBatch")] == [1]
    assert account.calls.counts()["SendMessageBatch"] == 0


def test_an_attempt_is_counted_in_a_message_sent_anew_before_the_old_one_is_deleted(account: Account) -> None:
    account.dead_letters().add([dead_letter(A)])
    account.calls.clear()
    account.dead_letters().settle({}, [A])
    changes = [call.operation for call in account.calls.made if "Batch" in call.operation]
    assert changes == ["SendMessageBatch", "DeleteMessageBatch"]
    assert visible(account) == 1
    [entry] = entries(account)
    assert entry["MessageAttributes"]["attempts"]["StringValue"] == "2"
    assert account.dead_letters().get(A) == dead_letter(A, attempts=2)


def test_one_message_of_a_letter_counts_its_attempts(account: Account) -> None:
    letters = account.dead_letters()
    letters.add(dead_letter(A, occurrences=(place(number),)) for number in range(5))
    account.calls.clear()
    for _ in range(3):
        letters.settle({}, [A])
    assert [len(call.parameters["Entries"]) for call in account.calls.of("SendMessageBatch")] == [1, 1, 1]
    assert visible(account) == 5
    letter = letters.get(A)
    assert letter is not None
    assert (letter.attempts, letter.seen) == (4, 5)
    letters.settle({A: [letter.occurrences[0]]})
    assert [each.attempts for each in letters.browse(after=None, limit=9)] == [4], "whichever message counted"


def test_of_several_messages_for_one_occurrence_the_first_stays(account: Account) -> None:
    letters = account.dead_letters()
    for _ in range(4):  # as every redrive of a letter that fails again adds one
        letters.add([dead_letter(A, occurrences=(place(1),)), dead_letter(B)])
    letters.settle({A: ()})
    assert sorted(letter.id for letter in bodies(account)) == [A, B, B, B, B]
    letters.settle({}, {B})
    assert sorted(letter.id for letter in bodies(account)) == [A, B]
    assert account.dead_letters().get(B) == dead_letter(B, attempts=2)


def test_settling_nothing_does_not_even_read(account: Account) -> None:
    account.dead_letters().settle({})
    account.dead_letters().forget([])
    assert account.calls.made == []


def test_what_was_added_first_stays_first_when_it_is_sent_anew(account: Account) -> None:
    letters = account.dead_letters()
    letters.add([dead_letter(A, event_id="first")])
    letters.add([dead_letter(A, event_id="second", occurrences=(place(3),))])
    letters.settle({}, {A})
    letter = letters.get(A)
    assert letter is not None
    assert letter.event_id == "first"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "operation", ["ReceiveMessage", "GetQueueAttributes", "SendMessageBatch", "DeleteMessageBatch"]
)
def test_a_settlement_that_failed_for_the_moment_may_be_made_again(
    account: Account, operation: str, fault: Fault
) -> None:
    letters = account.dead_letters()
    places = [place(number) for number in range(30)]
    letters.add(dead_letter(A, occurrences=tuple(places[start : start + 2])) for start in range(0, 30, 2))
    letters.add([dead_letter(B), dead_letter(C)])
    account.calls.next(operation, fault)
    with pytest.raises(TransientError):
        letters.settle({A: places[:15], B: [(receipt_id(), 0)]}, {A})
    account.pass_time(account.dlq_url)  # a receive that timed out keeps its messages until then
    letters.settle({A: places[:15], B: [(receipt_id(), 0)]}, {A})
    assert listed(letters) == [A, C]
    assert list(letters.places([A])[A]) == places[15:]
    letter = letters.get(A)
    assert letter is not None
    assert 2 <= letter.attempts <= 3
    assert visible(account) == len(bodies(account)) == 9


def test_of_a_batch_that_is_deleted_in_part_the_rest_is_tried_again(account: Account) -> None:
    letters = account.dead_letters()
    letters.add(dead_letter(A, occurrences=(place(number),)) for number in range(12))
    account.calls.next("DeleteMessageBatch", only_first(4))
    letters.settle({A: [place(number) for number in range(12)]})
    assert visible(account) == 0


def test_no_occurrence_is_lost_when_every_other_call_fails(account: Account) -> None:
    letters = account.dead_letters()
    places = [place(number) for number in range(6)]
    letters.add([dead_letter(A, occurrences=tuple(places))])
    account.calls.always("*", in_turn(throttled, None, None))
    for _ in range(40):
        with suppress(TransientError):
            letters.settle({A: places[:2]}, {A})
        account.pass_time(account.dlq_url)
    account.calls.always("*", None)
    letters.settle({A: places[:2]}, {A})
    assert list(letters.places([A])[A]) == places[2:]


# ------------------------------------------------------------------------------------------------------------ given up


def give_up(account: Account, *receipts: str) -> None:
    """Let SQS move the messages of these receipts to the dead-letter queue."""
    for receipt in receipts:
        account.queue().send(receipt)
    for _ in range(MAX_RECEIVES + 1):
        account.queue().release(account.queue().receive(10))


def test_receipts_that_sqs_moved_are_told_in_order_once(account: Account) -> None:
    give_up(account, "r-2", "r-1")
    give_up(account, "r-2")
    account.dead_letters().add([dead_letter(A)])
    account.unrecorded.get("sqs").send_message(QueueUrl=account.dlq_url, MessageBody='{"kind":"job-failure"}')
    assert list(account.dead_letters().given_up()) == ["r-1", "r-2"]
    assert visible(account) == 5


def test_a_receipt_is_forgotten_with_all_its_messages_and_nothing_else(account: Account) -> None:
    give_up(account, "r-2", "r-1")
    give_up(account, "r-2")
    account.dead_letters().add([dead_letter(A)])
    account.dead_letters().forget({"r-2", "r-3"})
    assert list(account.dead_letters().given_up()) == ["r-1"]
    assert listed(account.dead_letters()) == [A]
    assert visible(account) == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_forgetting_that_failed_for_the_moment_may_be_done_again(account: Account, fault: Fault) -> None:
    give_up(account, "r-1")
    account.calls.next("DeleteMessageBatch", fault)
    with pytest.raises(TransientError):
        account.dead_letters().forget(["r-1"])
    account.dead_letters().forget(["r-1"])
    assert list(account.dead_letters().given_up()) == []
    assert visible(account) == 0
