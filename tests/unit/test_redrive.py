"""Claims about redrive: what passes now leaves, what does not stays and is counted, and dry runs say so beforehand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from millrace.adapters.memory import memory_stores
from millrace.core.ports import Stores
from millrace.core.redriving import Choice, Returned, Verdict
from tests.contracts.aws import on_moto
from tests.contracts.places import in_a_folder, in_memory

from .redriven import LOOSE, Shop, anew, attempts, letters_of, results, sale, state, verdicts

PLACES = {"memory": in_memory, "local": in_a_folder, "moto": on_moto}


@pytest.fixture(params=PLACES)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    with PLACES[request.param](tmp_path) as opener, opener() as opened:
        yield opened


def mixed(stores: Stores) -> Shop:
    """Events of every fate, in a shop whose rule is strict."""
    shop = Shop(stores)
    shop.send(sale("a", 50), sale("b", 500), sale("c", 5000), b"no JSON")
    shop.send(sale("b", 500), sale("d", 700), sale("e", 15_000), sale("f", "much"))
    return shop


# ---------------------------------------------------------------------------------------------------- a loosened rule


def test_after_a_rule_was_loosened_a_dry_run_tells_what_passes_and_redrive_does_it(stores: Stores) -> None:
    mixed(stores)
    before = state(stores), attempts(stores)
    shop = Shop(stores, LOOSE, seed=7)
    expected = {"b": "passed", "c": "same", "d": "passed", "e": "same", "f": "same", None: "same"}
    assert verdicts(shop.run(dry=True)) == expected
    assert (state(stores), attempts(stores)) == before, "a dry run writes nothing"
    assert verdicts(shop.run()) == expected
    assert state(stores) == anew(stores, memory_stores(), LOOSE)
    assert attempts(stores) == {"c": 2, "e": 2, "f": 2, None: 2}
    [row] = state(stores)["views"]
    assert row[1] == (3, 1250), "sales and revenue count what was redriven, once"


def test_redriving_twice_changes_nothing_but_attempts(stores: Stores) -> None:
    mixed(stores)
    shop = Shop(stores, LOOSE, seed=7)
    shop.run()
    once = state(stores)
    again = shop.run()
    assert {each.verdict for each in results(again)} == {Verdict.SAME}
    assert state(stores) == once
    assert set(attempts(stores).values()) == {3}


def test_under_the_same_catalog_a_redrive_leaves_everything_but_attempts(stores: Stores) -> None:
    shop = mixed(stores)
    before = state(stores)
    shop.run()
    assert state(stores) == before


def test_an_event_that_fails_in_another_way_moves_to_another_letter(stores: Stores) -> None:
    shop = Shop(stores)
    for number in range(8):  # ids are hashes: some of the new letters come later in their order, others earlier
        shop.send(sale(f"{number}", 40_000))
    before = {letter.event_id: letter for letter in letters_of(stores)}
    loose = Shop(stores, LOOSE, seed=7)
    assert {each.verdict for each in results(loose.run(dry=True))} == {Verdict.OTHER}
    found = results(loose.run())
    after = {letter.event_id: letter for letter in letters_of(stores)}
    assert len(found) == len(after) == 8
    for result in found:
        now = after[result.letter.event_id]
        assert (result.verdict, result.letter.reason, now.reason) == (Verdict.OTHER, "rule", "transform-error")
        assert result.now == now
        assert now.attempts == 1, "it is not tried again in the same run"
        assert now.occurrences == before[now.event_id].occurrences
    assert {each.verdict for each in results(loose.run())} == {Verdict.SAME}


def test_what_still_fails_says_why_where_that_is_not_what_was_written_down(stores: Stores) -> None:
    Shop(stores).send(sale("x", 25_000), sale("y", 15_000))
    by_event = {each.letter.event_id: each for each in results(Shop(stores, LOOSE, seed=7).run(dry=True))}
    assert {each.verdict for each in by_event.values()} == {Verdict.SAME}
    assert by_event["y"].now is None
    assert by_event["x"].now is not None
    assert "more than 1000" in by_event["x"].now.violations[0].message
    assert "more than 100 " not in by_event["x"].now.violations[0].message


def test_a_conflict_is_foreseen_and_stays(stores: Stores) -> None:
    shop = Shop(stores)
    shop.send(sale("x", 50))
    shop.send(sale("x", 60), sale("y", 500))
    shop.send(sale("y", 600))
    loose = Shop(stores, LOOSE, seed=7)
    found = loose.run(dry=True)
    assert sorted(each.verdict for each in results(found)) == ["other", "passed", "same"]
    [moved] = [each for each in results(found) if each.verdict is Verdict.OTHER]
    assert moved.now is not None
    assert (moved.letter.reason, moved.now.reason) == ("rule", "conflict"), "one y passes, and is in the other's way"
    done = loose.run()
    assert [(each.letter.id, each.verdict) for each in results(done)] == [
        (each.letter.id, each.verdict) for each in results(found)
    ]
    assert sorted(letter.reason for letter in letters_of(stores)) == ["conflict", "conflict"]


def test_an_event_whose_twin_is_curated_is_a_duplicate_and_leaves(stores: Stores) -> None:
    shop = Shop(stores)
    shop.send(sale("b", 500))
    loose = Shop(stores, LOOSE, seed=7)
    loose.send(sale("b", 500))
    assert verdicts(loose.run()) == {"b": "passed"}
    assert letters_of(stores) == []
    assert sorted((entry.curated, entry.duplicate) for entry in state(stores)["ledger"]) == [(0, 1), (1, 0)]


def test_events_whose_identity_a_marker_decides_are_foreseen_too(stores: Stores) -> None:
    shop = Shop(stores)
    shop.send(sale("b", 500, eventTime=None), sale("b", 500, eventTime=None), sale("b", 501, eventTime=None))
    loose = Shop(stores, LOOSE, seed=7)
    foreseen = sorted(each.verdict for each in results(loose.run(dry=True)))
    assert foreseen == sorted(each.verdict for each in results(loose.run())) == ["other", "passed"]


# ------------------------------------------------------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        ({"reason": "rule"}, {"b", "c", "d"}),
        ({"reason": "malformed"}, {None}),
        ({"event_type": "sale"}, {"b", "c", "d", "e", "f"}),
        ({"event_type": "sale", "reason": "invalid"}, {"f"}),
        ({"event_type": "nothing"}, set()),
    ],
)
def test_only_what_is_chosen_is_redriven(choice: dict[str, str], chosen: set[str | None]) -> None:
    stores = memory_stores()
    mixed(stores)
    assert set(verdicts(Shop(stores, LOOSE, seed=7).run(Choice(**choice)))) == chosen


def test_letters_are_chosen_by_fingerprint_and_id() -> None:
    stores = memory_stores()
    mixed(stores)
    by_event = {letter.event_id: letter for letter in letters_of(stores)}
    shop = Shop(stores, LOOSE, seed=7)
    assert set(verdicts(shop.run(Choice(fingerprint=by_event["b"].fingerprint), dry=True))) == {"b", "c", "d"}
    assert set(verdicts(shop.run(Choice(letter=by_event["d"].id), dry=True))) == {"d"}


def test_of_a_letter_chosen_by_receipt_only_what_came_with_it_is_settled(stores: Stores) -> None:
    shop = Shop(stores)
    first = shop.send(sale("b", 500))
    second = shop.send(sale("b", 500), sale("d", 700))
    loose = Shop(stores, LOOSE, seed=7)
    assert verdicts(loose.run(Choice(receipt=second))) == {"b": "passed", "d": "passed"}
    [left] = letters_of(stores)
    assert left.occurrences == ((first, 0),)
    loose.run()
    assert letters_of(stores) == []
    assert [(entry.curated, entry.duplicate) for entry in state(stores)["ledger"]] == [(0, 1), (2, 0)]


def test_a_receipt_is_found_among_more_occurrences_than_a_letter_shows() -> None:
    stores = memory_stores()
    shop = Shop(stores)
    shop.send(*[sale("b", 500)] * 300)
    last = shop.send(sale("b", 500))
    loose = Shop(stores, LOOSE, seed=7)
    assert verdicts(loose.run(Choice(receipt=last))) == {"b": "passed"}
    [left] = letters_of(stores)
    assert left.seen == 300
    loose.run()
    assert letters_of(stores) == []


def test_the_limit_counts_letters_that_are_tried() -> None:
    stores = memory_stores()
    Shop(stores).send(*(sale(f"{number}", 500 + number) for number in range(20)))
    loose = Shop(stores, LOOSE, seed=7)
    assert len(results(loose.run(limit=7))) == 7
    assert len(letters_of(stores)) == 13
    assert loose.run(limit=0) == []


# ---------------------------------------------------------------------------------------------------------- the guard


def test_what_failed_too_often_is_skipped_unless_forced(stores: Stores) -> None:
    shop = Shop(stores)
    shop.send(sale("b", 500))
    for _ in range(2):
        assert verdicts(shop.run(attempts=3)) == {"b": "same"}
    loose = Shop(stores, LOOSE, seed=7)
    assert verdicts(loose.run(attempts=3, dry=True)) == {"b": "skipped"}
    assert verdicts(loose.run(attempts=3)) == {"b": "skipped"}
    assert attempts(stores) == {"b": 3}
    assert verdicts(loose.run(attempts=None)) == {"b": "passed"}
    assert letters_of(stores) == []


def test_skipped_letters_are_not_counted_for_the_limit() -> None:
    stores = memory_stores()
    shop = Shop(stores)
    shop.send(*(sale(f"{number}", 500 + number) for number in range(6)))
    tired = [msgspec.structs.replace(letter, attempts=2) for letter in letters_of(stores)[:3]]
    stores.dead_letters.settle({}, tired)
    found = results(shop.run(limit=2, attempts=2))
    assert [each.verdict for each in found] == [Verdict.SKIPPED] * 3 + [Verdict.SAME] * 2


# --------------------------------------------------------------------------------------------- what cannot be processed


def test_letters_of_another_catalog_are_held_until_they_are_adopted(stores: Stores) -> None:
    Shop(stores).send(sale("b", 500))
    loose = Shop(stores, LOOSE, seed=7)
    name, loose.pipeline.catalog.name = loose.pipeline.catalog.name, "another"
    try:
        [result] = results(loose.run())
        assert result.verdict is Verdict.HELD
        assert "accepted under catalog 'shop'" in str(result.why)
        assert attempts(stores) == {"b": 1}
        assert verdicts(loose.run(adopt=True)) == {"b": "passed"}
    finally:
        loose.pipeline.catalog.name = name


class _Losing:
    """A raw log that has lost a receipt."""

    def __init__(self, stores: Stores, lost: str) -> None:
        self._raw, self._lost = stores.raw, lost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def read(self, receipt: str) -> Any:
        return self._raw.read("gone" if receipt == self._lost else receipt)


def test_a_letter_whose_bytes_are_gone_is_held_and_harms_no_other() -> None:
    stores = memory_stores()
    shop = Shop(stores)
    lost = shop.send(sale("b", 500))
    shop.send(sale("d", 700))
    raw: Any = _Losing(stores, lost)
    loose = Shop(attrs.evolve(stores, raw=raw), LOOSE, seed=7)
    assert verdicts(loose.run()) == {"b": "held", "d": "passed"}
    assert [letter.event_id for letter in letters_of(stores)] == ["b"]


# ------------------------------------------------------------------------------------------------------------- given up


class _GivingUp:
    """Dead letters beside which the queue has put receipts."""

    def __init__(self, stores: Stores, receipts: list[str]) -> None:
        self._letters, self.receipts = stores.dead_letters, receipts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._letters, name)

    def given_up(self) -> list[str]:
        return sorted(self.receipts)

    def forget(self, receipts: Any) -> None:
        self.receipts = [each for each in self.receipts if each not in receipts]


def test_receipts_that_the_queue_gave_up_are_processed_and_forgotten() -> None:
    stores = memory_stores()
    shop = Shop(stores)
    receipt = shop.send(sale("a", 50), sale("b", 500), process=False)
    letters: Any = _GivingUp(stores, [receipt, "never-accepted"])
    shop = Shop(attrs.evolve(stores, dead_letters=letters))
    assert shop.run(Choice(reason="rule")) == []
    [foreseen] = shop.run(dry=True)
    assert letters.receipts == [receipt, "never-accepted"]
    assert letters_of(stores) == []
    [step] = shop.run()
    assert [*step.returned] == [*foreseen.returned]
    assert [(each.receipt, each.entry and each.entry.curated) for each in step.returned] == [
        (receipt, 1), ("never-accepted", None),
    ]  # fmt: skip
    assert letters.receipts == []
    assert attempts(stores) == {"b": 1}, "what it gave was not tried twice"


def test_a_receipt_that_was_given_up_and_cannot_be_processed_stays() -> None:
    stores = memory_stores()
    shop = Shop(stores)
    receipt = shop.send(sale("a", 50), process=False)
    letters: Any = _GivingUp(stores, [receipt])
    other = Shop(attrs.evolve(stores, dead_letters=letters), LOOSE)
    name, other.pipeline.catalog.name = other.pipeline.catalog.name, "another"
    try:
        [step] = other.run(Choice(receipt=receipt))
    finally:
        other.pipeline.catalog.name = name
    [returned] = step.returned
    assert returned == Returned(receipt, why=returned.why)
    assert "accepted under catalog" in str(returned.why)
    assert letters.receipts == [receipt]
