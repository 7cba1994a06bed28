"""The contract of ``DeadLetters``."""

import msgspec
import pytest

from millrace.core.ports import Stores
from millrace.core.records import DeadLetter, Violation

from .builders import NOON, dead_letter, receipt_id

A, B, C = "a" * 32, "b" * 32, "c" * 32


def test_a_letter_comes_back_as_it_was_added(stores: Stores) -> None:
    stores.dead_letters.add([dead_letter(A)])
    assert stores.dead_letters.get(A) == dead_letter(A)
    assert stores.dead_letters.get(B) is None


def test_a_letter_without_an_identity_comes_back_too(stores: Stores) -> None:
    letter = dead_letter(A, event_type=None, event_id=None, event_time=None, violations=(), source="")
    stores.dead_letters.add([letter])
    assert stores.dead_letters.get(A) == letter


def test_a_known_letter_only_adds_its_occurrences_in_order(stores: Stores) -> None:
    later, earlier = receipt_id(NOON + 9000), receipt_id(NOON - 9000)
    stores.dead_letters.add([dead_letter(A)])
    stores.dead_letters.add([dead_letter(A, reason="rule", attempts=9, occurrences=((later, 2),))])
    stores.dead_letters.add(iter([dead_letter(A, occurrences=((earlier, 7), (later, 1)))]))
    expected = ((earlier, 7), (receipt_id(), 0), (later, 1), (later, 2))
    assert stores.dead_letters.get(A) == dead_letter(A, occurrences=expected, seen=4)


def test_an_occurrence_that_is_there_adds_nothing(stores: Stores) -> None:
    twice = ((receipt_id(), 0), (receipt_id(), 0))
    stores.dead_letters.add([dead_letter(A), dead_letter(A), dead_letter(A, occurrences=twice)])
    stores.dead_letters.add([dead_letter(A)])
    assert stores.dead_letters.get(A) == dead_letter(A)
    assert stores.dead_letters.occurrences() == {"invalid": 1}


def test_the_first_hundred_occurrences_are_shown_and_all_are_counted(stores: Stores) -> None:
    occurrences = tuple((receipt_id(NOON, n % 7), n) for n in range(250))
    for start in range(0, 250, 50):
        stores.dead_letters.add([dead_letter(A, occurrences=occurrences[start : start + 50])])
    letter = stores.dead_letters.get(A)
    assert letter is not None
    assert letter.occurrences == tuple(sorted(occurrences))[:100]
    assert letter.seen == 250


def test_occurrences_are_summed_for_each_reason_over_all_letters(stores: Stores) -> None:
    assert stores.dead_letters.occurrences() == {}
    two = ((receipt_id(), 0), (receipt_id(), 1))
    stores.dead_letters.add([dead_letter(A, occurrences=two), dead_letter(B), dead_letter(C, reason="rule")])
    assert stores.dead_letters.occurrences() == {"invalid": 3, "rule": 1}


@pytest.mark.parametrize("limit", [1, 2, 9])
def test_letters_are_browsed_in_order_of_id_in_pages(stores: Stores, limit: int) -> None:
    letters = [dead_letter(f"{n:032x}", event_id=f"e-{n}") for n in range(5)]
    stores.dead_letters.add(reversed(letters))
    found: list[DeadLetter] = []
    while page := stores.dead_letters.browse(after=found[-1].id if found else None, limit=limit):
        assert len(page) <= limit
        found += page
    assert found == letters


def test_after_need_not_exist(stores: Stores) -> None:
    stores.dead_letters.add([dead_letter(B)])
    assert list(stores.dead_letters.browse(after=A, limit=9)) == [dead_letter(B)]
    assert list(stores.dead_letters.browse(after=C, limit=9)) == []


def test_adding_none_is_no_error(stores: Stores) -> None:
    stores.dead_letters.add([])
    assert list(stores.dead_letters.browse(after=None, limit=9)) == []


def test_what_was_returned_does_not_change_later(stores: Stores) -> None:
    stores.dead_letters.add([dead_letter(A)])
    before = stores.dead_letters.get(A)
    stores.dead_letters.add([dead_letter(A, occurrences=((receipt_id(), 5),))])
    assert before == dead_letter(A)
    assert stores.dead_letters.get(A) == msgspec.structs.replace(
        dead_letter(A), occurrences=((receipt_id(), 0), (receipt_id(), 5)), seen=2
    )


# ------------------------------------------------------------------------------------------------------------ settling


def test_every_place_of_a_letter_is_told_in_order(stores: Stores) -> None:
    occurrences = tuple((receipt_id(NOON, n % 7), n) for n in range(250))
    stores.dead_letters.add([dead_letter(A, occurrences=occurrences[:1]), dead_letter(B)])
    stores.dead_letters.add([dead_letter(A, occurrences=occurrences[100:]), dead_letter(A, occurrences=occurrences)])
    found = stores.dead_letters.places([A, C, B, A])
    assert {letter: list(places) for letter, places in found.items()} == {
        A: sorted(occurrences), B: [(receipt_id(), 0)],
    }  # fmt: skip
    assert stores.dead_letters.places([]) == {}


def test_a_settled_occurrence_leaves_its_letter(stores: Stores) -> None:
    first, second = (receipt_id(), 0), (receipt_id(NOON, 1), 4)
    stores.dead_letters.add([dead_letter(A, occurrences=(first, second)), dead_letter(B, occurrences=(first,))])
    stores.dead_letters.settle({A: [first]})
    assert stores.dead_letters.get(A) == dead_letter(A, occurrences=(second,))
    assert stores.dead_letters.get(B) == dead_letter(B, occurrences=(first,))
    assert stores.dead_letters.occurrences() == {"invalid": 2}


def test_a_letter_without_occurrences_is_gone(stores: Stores) -> None:
    places = ((receipt_id(), 0), (receipt_id(), 1))
    stores.dead_letters.add([dead_letter(A, occurrences=places), dead_letter(B)])
    stores.dead_letters.settle({A: places})
    assert stores.dead_letters.get(A) is None
    assert stores.dead_letters.places([A]) == {}
    assert [letter.id for letter in stores.dead_letters.browse(after=None, limit=9)] == [B]
    assert stores.dead_letters.occurrences() == {"invalid": 1}


def test_a_letter_that_failed_again_is_what_it_is_now_but_for_its_occurrences(stores: Stores) -> None:
    first, second, third = ((receipt_id(NOON, n), n) for n in range(3))
    stores.dead_letters.add([dead_letter(A, occurrences=(second, third)), dead_letter(B)])
    stores.dead_letters.add([dead_letter(A, occurrences=(first,))])
    now = dead_letter(
        A, stage="rules", fingerprint="ba9876543210", violations=(Violation("/data", "rule", "no"),), attempts=1,
        event_type="sale", event_id="e-2", event_time=None, source="till", occurrences=(), seen=7,
    )  # fmt: skip
    stores.dead_letters.settle({}, [now])
    expected = msgspec.structs.replace(now, occurrences=(first, second, third), seen=3)
    assert stores.dead_letters.get(A) == expected
    assert list(stores.dead_letters.browse(after=None, limit=9)) == [expected, dead_letter(B)]
    assert stores.dead_letters.occurrences() == {"invalid": 4}


def test_attempts_are_those_that_are_given_however_often_they_are(stores: Stores) -> None:
    stores.dead_letters.add([dead_letter(A), dead_letter(B)])
    for attempts in (2, 3, 3, 1, 2):
        for _ in range(2):
            stores.dead_letters.settle({}, [dead_letter(A, attempts=attempts)])
            assert stores.dead_letters.get(A) == dead_letter(A, attempts=attempts)
    assert stores.dead_letters.get(B) == dead_letter(B)


def test_adding_a_letter_again_keeps_what_it_was_settled_to(stores: Stores) -> None:
    stores.dead_letters.add([dead_letter(A)])
    stores.dead_letters.settle({}, [dead_letter(A, fingerprint="ba9876543210", attempts=2)])
    stores.dead_letters.add([dead_letter(A, stage="rules", occurrences=((receipt_id(), 1),))])
    places = ((receipt_id(), 0), (receipt_id(), 1))
    expected = dead_letter(A, fingerprint="ba9876543210", attempts=2, occurrences=places, seen=2)
    assert stores.dead_letters.get(A) == expected
    stores.dead_letters.settle({A: places[:1]})
    assert stores.dead_letters.get(A) == msgspec.structs.replace(expected, occurrences=places[1:], seen=1)


def test_a_letter_says_the_same_whichever_of_its_occurrences_leave(stores: Stores) -> None:
    places = [(receipt_id(NOON, n), n) for n in range(3)]
    for number, place in enumerate(places):
        stores.dead_letters.add([dead_letter(A, stage=f"stage {number}", occurrences=(place,))])
    stores.dead_letters.settle({A: places[:1]})
    assert stores.dead_letters.get(A) == dead_letter(A, stage="stage 0", occurrences=tuple(places[1:]), seen=2)
    stores.dead_letters.settle({A: places[2:]}, [dead_letter(A, stage="stage 2")])
    assert stores.dead_letters.get(A) == dead_letter(A, stage="stage 2", occurrences=(places[1],))


def test_of_one_letter_some_may_be_done_and_others_fail_again(stores: Stores) -> None:
    places = [(receipt_id(NOON, n), n) for n in range(4)]
    for place in places:
        stores.dead_letters.add([dead_letter(A, occurrences=(place,))])
    stores.dead_letters.settle({A: places[:2], B: places}, [dead_letter(A, attempts=2), dead_letter(C, attempts=2)])
    assert stores.dead_letters.get(A) == dead_letter(A, occurrences=tuple(places[2:]), seen=2, attempts=2)
    stores.dead_letters.settle({A: [places[2]]}, [dead_letter(A, attempts=3)])
    assert stores.dead_letters.get(A) == dead_letter(A, occurrences=(places[3],), attempts=3)
    stores.dead_letters.settle({A: [places[3]]}, [dead_letter(A, attempts=4)])
    assert list(stores.dead_letters.browse(after=None, limit=9)) == []


def test_what_is_gone_already_is_settled_without_an_error(stores: Stores) -> None:
    stores.dead_letters.add([dead_letter(A)])
    for _ in range(2):
        stores.dead_letters.settle({A: [(receipt_id(), 7)], B: [(receipt_id(), 0)]}, [dead_letter(C)])
        assert list(stores.dead_letters.browse(after=None, limit=9)) == [dead_letter(A)]
    for _ in range(2):
        stores.dead_letters.settle({A: [(receipt_id(), 0)]}, [dead_letter(A, attempts=2)])
        assert stores.dead_letters.get(A) is None
    stores.dead_letters.settle({})


def test_a_letter_that_was_settled_may_come_back(stores: Stores) -> None:
    stores.dead_letters.add([dead_letter(A)])
    stores.dead_letters.settle({}, [dead_letter(A, stage="rules", attempts=2)])
    stores.dead_letters.settle({A: [(receipt_id(), 0)]})
    stores.dead_letters.add([dead_letter(A)])
    assert stores.dead_letters.get(A) == dead_letter(A)


def test_letters_with_many_occurrences_are_settled_in_parts(stores: Stores) -> None:
    occurrences = [(receipt_id(NOON, n % 7), n) for n in range(2500)]
    stores.dead_letters.add([dead_letter(A, occurrences=tuple(occurrences))])
    stores.dead_letters.settle({A: occurrences[:200]}, [dead_letter(A, stage="rules", attempts=2)])
    letter = stores.dead_letters.get(A)
    assert letter is not None
    assert (letter.seen, letter.attempts, letter.stage) == (2300, 2, "rules")
    assert list(stores.dead_letters.places([A])[A]) == sorted(occurrences[200:])


def test_nothing_is_given_up_that_was_never_delivered(stores: Stores) -> None:
    stores.dead_letters.add([dead_letter(A)])
    stores.queue.send(receipt_id())
    assert list(stores.dead_letters.given_up()) == []
    stores.dead_letters.forget([receipt_id()])
    stores.dead_letters.forget([])
    assert stores.dead_letters.get(A) == dead_letter(A)
