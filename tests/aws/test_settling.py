"""Claims about dead letters in SQS that are settled, and receipts that SQS gave up: what is deleted, what sent anew."""

import itertools
from contextlib import suppress
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.aws.letters import Added, Received, copies_of, folded, letter_of, settled
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
    account.dead_letters().settle({}, [dead_letter(A, attempts=2)])
    changes = [call.operation for call in account.calls.made if "Batch" in call.operation]
    assert changes == ["SendMessageBatch", "DeleteMessageBatch"]
    assert visible(account) == 1
    [entry] = entries(account)
    assert entry["MessageAttributes"]["revision"]["StringValue"] == "1"
    assert account.dead_letters().get(A) == dead_letter(A, attempts=2)


def test_one_message_of_a_letter_says_what_it_is_now(account: Account) -> None:
    letters = account.dead_letters()
    letters.add(dead_letter(A, occurrences=(place(number),)) for number in range(5))
    account.calls.clear()
    for attempts in (2, 3, 1, 4):
        letters.settle({}, [dead_letter(A, attempts=attempts)])
    assert [len(call.parameters["Entries"]) for call in account.calls.of("SendMessageBatch")] == [1, 1, 1, 1]
    assert visible(account) == 5
    letter = letters.get(A)
    assert letter is not None
    assert (letter.attempts, letter.seen) == (4, 5)
    for left in (4, 3, 2, 1):  # whichever message says it
        letters.settle({A: [letter.occurrences[4 - left]]})
        [found] = letters.browse(after=None, limit=9)
        assert (found.attempts, found.seen) == (4, left)


def test_a_letter_that_says_the_same_already_is_not_sent_anew(account: Account) -> None:
    letters = account.dead_letters()
    letters.add([dead_letter(A)])
    letters.settle({}, [dead_letter(A, attempts=2)])
    account.calls.clear()
    letters.settle({}, [dead_letter(A, attempts=2)])
    assert not {"SendMessageBatch", "DeleteMessageBatch"} & account.calls.counts().keys()


def test_attributes_are_those_of_the_letter_as_it_is_now(account: Account) -> None:
    account.dead_letters().add([dead_letter(A)])
    account.calls.clear()
    account.dead_letters().settle({}, [dead_letter(A, fingerprint="ba9876543210")])
    [entry] = entries(account)
    assert entry["MessageAttributes"]["fingerprint"]["StringValue"] == "ba9876543210"


def test_of_several_messages_for_one_occurrence_one_stays(account: Account) -> None:
    letters = account.dead_letters()
    for _ in range(4):  # as every redrive of a letter that fails again adds one
        letters.add([dead_letter(A, occurrences=(place(1),)), dead_letter(B)])
    letters.settle({A: ()})
    assert sorted(letter.id for letter in bodies(account)) == [A, B, B, B, B]
    letters.settle({}, [dead_letter(B, attempts=2)])
    assert sorted(letter.id for letter in bodies(account)) == [A, B]
    assert account.dead_letters().get(B) == dead_letter(B, attempts=2)


def test_settling_nothing_does_not_even_read(account: Account) -> None:
    account.dead_letters().settle({})
    account.dead_letters().forget([])
    assert account.calls.made == []


def test_what_was_added_first_stays_first_when_it_is_sent_anew(account: Account) -> None:
    letters = account.dead_letters()
    letters.add([dead_letter(A, event_id="first")])
    letters.add([dead_letter(A, event_id="second", occurrences=(place(3), place(4)))])
    letters.settle({A: [place(3)]})
    letter = letters.get(A)
    assert letter is not None
    assert (letter.event_id, letter.seen) == ("first", 2)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "operation", ["ReceiveMessage", "GetQueueAttributes", "SendMessageBatch", "DeleteMessageBatch"]
)
def test_a_settlement_that_failed_for_the_moment_may_be_made_again(
    account: Account, operation: str, fault: Fault
) -> None:
    letters = account.dead_letters()
    places = [place(number) for number in range(30)]
    now = dead_letter(A, attempts=1, fingerprint="ba9876543210", stage="rules")
    letters.add(dead_letter(A, attempts=3, occurrences=tuple(places[start : start + 2])) for start in range(0, 30, 2))
    letters.add([dead_letter(B), dead_letter(C)])
    account.calls.next(operation, fault)
    with pytest.raises(TransientError):
        letters.settle({A: places[:15], B: [(receipt_id(), 0)]}, [now])
    account.pass_time(account.dlq_url)  # a receive that timed out keeps its messages until then
    letters.settle({A: places[:15], B: [(receipt_id(), 0)]}, [now])
    assert listed(letters) == [A, C]
    assert list(letters.places([A])[A]) == places[15:]
    letter = letters.get(A)
    assert letter is not None
    assert letter == msgspec.structs.replace(now, occurrences=tuple(places[15:]), seen=15)
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
            letters.settle({A: places[:2]}, [dead_letter(A, attempts=2)])
        account.pass_time(account.dlq_url)
    account.calls.always("*", None)
    letters.settle({A: places[:2]}, [dead_letter(A, attempts=2)])
    assert letters.get(A) == dead_letter(A, attempts=2, occurrences=tuple(places[2:]), seen=4)


# ----------------------------------------------------------------------------------------- whatever messages there are


def message(letter: DeadLetter, sent: int, added: Added | None = None, revision: int = 0) -> Received:
    """A letter as SQS hands it out, sent at that time; ``added`` is None where it is not sent anew."""
    numbers = {"addedAt": sent if added is None else added.sender}
    if added is not None:
        numbers["firstSentAt"] = added.sent
    if revision:
        numbers["revision"] = revision
    return {
        "Body": msgspec.json.encode(letter).decode(),
        "Attributes": {"SentTimestamp": str(sent)},
        "MessageAttributes": {
            "letterId": {"StringValue": letter.id},
            **{name: {"StringValue": str(number)} for name, number in numbers.items()},
        },
    }


places = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(lambda numbers: tuple(map(place, numbers)))
stages = st.sampled_from(["one", "two", "three"])
added = st.tuples(places, stages)
settlements = st.tuples(st.sets(st.integers(0, 5)), st.none() | stages, st.sampled_from(["whole", "sent", "cut"]))


@settings(max_examples=500, deadline=None)
@given(steps=st.lists(st.one_of(added, settlements), max_size=12), random=st.randoms(use_true_random=False))
def test_messages_settled_in_any_order_and_cut_off_anywhere_come_to_what_a_plain_letter_does(
    steps: list[Any], random: Random
) -> None:
    messages: list[Received] = []
    held: dict[tuple[str, int], None] = {}
    stage: str | None = None
    for now, step in enumerate(steps):
        if isinstance(step[0], tuple):
            occurrences, said = step
            messages.append(message(dead_letter(A, stage=said, occurrences=occurrences), sent=2 * now))
            held |= dict.fromkeys(occurrences)
            stage = stage or said
            continue
        numbers, said, reached = step
        done = {place(number) for number in numbers}
        replaced = None if said is None else dead_letter(A, stage=said)
        for end in ("whole",) if reached == "whole" else (reached, "whole"):  # cut off, and made again
            random.shuffle(messages)
            if copies := copies_of(messages).get(A):
                settlement = settled(copies, done, replaced)
                messages += [message(anew.letter, 2 * now + 1, anew.added, anew.revision) for anew in settlement.anew]
                over = list(settlement.over)
                for gone in over if end == "whole" else over[: random.randint(0, len(over))] if end == "cut" else []:
                    messages.remove(gone)
                if held.keys() - done:
                    random.shuffle(messages)
                    assert folded(messages)[0].stage in (said or stage, stage), "nothing that nobody asked for"
        held = {each: None for each in held if each not in done}
        stage = (said or stage) if held else None
        occurrences = [each for found in messages for each in letter_in(found).occurrences]
        assert sorted(occurrences) == sorted(held), "each occurrence is in one message"
    expected = [dead_letter(A, stage=stage, occurrences=tuple(sorted(held)), seen=len(held))] if held else []
    assert folded(messages) == expected


def test_a_part_that_is_sent_anew_counts_before_the_message_it_replaces() -> None:
    """Also where the message that said what the letter is goes first, and the settling is cut off then."""
    first = message(dead_letter(A, stage="one", occurrences=(place(0),)), sent=0)
    second = message(dead_letter(A, stage="two", occurrences=(place(0), place(1))), sent=2)
    [anew] = settled(copies_of([first, second])[A], {place(0)}).anew
    for left in itertools.permutations([second, message(anew.letter, 5, anew.added, anew.revision)]):
        [letter] = folded(left)
        assert (letter.stage, letter.occurrences) == ("one", (place(0), place(1)))


def test_what_says_what_a_letter_was_is_deleted_last() -> None:
    """Else a message that nobody was shown would say it meanwhile."""
    said = [("one", 2), ("three", 2), ("two", 0)]
    messages = [message(dead_letter(A, stage=each, occurrences=(place(n),)), at) for at, (each, n) in enumerate(said)]
    anew, over = settled(copies_of(messages)[A], {place(2)}, dead_letter(A, stage="two"))
    assert (list(anew), len(over)) == ([], 2)
    left = [folded([each for each in messages if each not in over[:gone]])[0].stage for gone in range(3)]
    assert left == ["one", "one", "two"]


def letter_in(found: Received) -> DeadLetter:
    letter = letter_of(found)
    assert letter is not None
    return letter


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
