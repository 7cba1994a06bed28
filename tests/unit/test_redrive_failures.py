"""Claims about redrive: letters say how their events fail now, whatever a run remembers, and in whatever batches."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from millrace.adapters.memory import memory_stores
from millrace.core.ports import Stores
from millrace.core.records import Violation
from millrace.core.redriving import Choice, Failure, failed_again
from millrace.core.services import outcomes
from millrace.core.services import redrive as module
from tests.contracts.aws import on_moto
from tests.contracts.builders import dead_letter
from tests.contracts.places import in_a_folder, in_memory

from .redriven import LOOSE, Shop, anew, attempts, letters_of, results, sale, state, verdicts

PLACES = {"memory": in_memory, "local": in_a_folder, "moto": on_moto}


@pytest.fixture(params=PLACES)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    with PLACES[request.param](tmp_path) as opener, opener() as opened:
        yield opened


# ------------------------------------------------------------------------------------- one letter, another way to fail


def test_a_letter_that_fails_in_another_way_for_the_same_reason_says_so_from_then_on(stores: Stores) -> None:
    strict = Shop(stores)
    strict.send(sale("q", 500.25), sale("c", 5000))
    strict.send(sale("q", 500.25))
    strict.run()
    before = {letter.event_id: letter for letter in letters_of(stores)}
    loose = Shop(stores, LOOSE, seed=7)
    assert verdicts(loose.run(dry=True)) == {"q": "other", "c": "same"}
    assert {letter.event_id: letter for letter in letters_of(stores)} == before, "a dry run writes nothing"
    [result] = results(loose.run(Choice(letter=before["q"].id)))
    after = stores.dead_letters.get(before["q"].id)
    assert after is not None
    assert result.now == after
    assert [violation.code for violation in after.violations] == ["amount_has_no_quarters"]
    assert after.fingerprint != before["q"].fingerprint == before["c"].fingerprint
    assert (after.reason, after.stage, after.seen, after.occurrences) == ("rule", "rules", 2, before["q"].occurrences)
    assert results(loose.run(Choice(fingerprint=before["q"].fingerprint), limit=9))[0].letter.event_id == "c"
    assert set(verdicts(loose.run(Choice(fingerprint=after.fingerprint)))) == {"q"}
    assert state(stores) == anew(stores, memory_stores(), LOOSE)


def test_attempts_count_failures_in_the_same_way_and_begin_again_with_another(stores: Stores) -> None:
    strict = Shop(stores)
    strict.send(sale("q", 500.25), sale("x", 25_000))
    for _ in range(2):
        strict.run(attempts=3)
    assert attempts(stores) == {"q": 3, "x": 3}
    loose = Shop(stores, LOOSE, seed=7)
    assert verdicts(loose.run(attempts=3)) == {"q": "skipped", "x": "skipped"}
    assert verdicts(loose.run(attempts=None)) == {"q": "other", "x": "same"}
    assert attempts(stores) == {"q": 1, "x": 4}, "other words are no other way"
    assert verdicts(loose.run(attempts=3)) == {"q": "same", "x": "skipped"}
    assert attempts(stores) == {"q": 2, "x": 4}


def test_an_error_that_never_reads_the_same_is_given_up_all_the_same() -> None:
    letter = dead_letter()
    for attempt in range(2, 6):
        words = (Violation("/data/amount", "exception", f"the transform raised at {attempt} o'clock"),)
        letter = failed_again(letter, Failure.of(letter)._replace(violations=words))
        assert letter == dead_letter(attempts=attempt, violations=words)
    other = failed_again(letter, Failure.of(letter)._replace(fingerprint="ba9876543210", stage="rules"))
    assert other == msgspec.structs.replace(letter, attempts=1, fingerprint="ba9876543210", stage="rules")


# ----------------------------------------------------------------------------------------------------- in bounded steps


@pytest.mark.parametrize(
    ("size", "room", "detailed", "places"),
    [(500, 20_000, 2000, 10_000), (3, 20_000, 2000, 10_000), (2, 20_000, 0, 10_000), (4, 60, 3, 10), (1, 0, 0, 1)],
)
def test_batches_and_what_is_remembered_do_not_change_the_result(
    size: int, room: int, detailed: int, places: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "REMEMBERED", room)
    monkeypatch.setattr(outcomes, "DETAILED", detailed)
    monkeypatch.setattr(module, "PLACES", places)
    monkeypatch.setattr(module, "PAGE", 4)
    stores = memory_stores()
    shop = Shop(stores)
    for number in range(8):
        amounts = [*range(90, 240, 30), 500.25, 25_000 + number]
        shop.send(*(sale(f"{number}-{each}", amount) for each, amount in enumerate(amounts)), b"?", b"?")
    loose = Shop(stores, LOOSE, seed=7)
    steps = loose.run(size=size)
    assert all(len(step.letters) <= size for step in steps)
    assert Counter(each.verdict for each in results(steps)) == {"passed": 32, "other": 8, "same": 9}
    assert state(stores) == anew(stores, memory_stores(), LOOSE)


def test_a_receipt_with_many_letters_is_processed_once() -> None:
    stores = memory_stores()
    Shop(stores).send(*(sale(f"{number}", 500 + number) for number in range(40)))
    steps = Shop(stores, LOOSE, seed=7).run(size=5)
    assert len(steps) == 8
    assert sum(step.receipts for step in steps) == 1


def test_a_receipt_whose_letters_change_is_processed_once_as_long_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def taken(detailed: int) -> int:
        monkeypatch.setattr(outcomes, "DETAILED", detailed)
        stores = memory_stores()
        Shop(stores).send(*(sale(f"{number}", 25_000 + number) for number in range(20)), sale("q", 500.25))
        steps = Shop(stores, LOOSE, seed=7).run(size=3)
        assert state(stores) == anew(stores, memory_stores(), LOOSE)
        return sum(step.receipts for step in steps)

    assert taken(2) == 1, "many letters may fail in the same words"
    assert taken(0) == 7
