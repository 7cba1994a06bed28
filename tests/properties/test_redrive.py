"""Redrive under faults, rivals and whatever events Hypothesis comes up with: law 5, and the state of the raw log."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.faults import Crash, Fault, Injector, faulty
from millrace.adapters.memory import memory_stores
from millrace.core.errors import TransientError
from millrace.core.ports import Stores
from millrace.core.records import Reason
from millrace.core.redriving import Choice

from ..contracts.aws import on_moto
from ..contracts.places import Opener, in_a_folder, in_memory
from ..unit.redriven import LOOSE, Shop, anew, letters_of, sale, state

Place = Callable[[Path], AbstractContextManager[Opener]]
AT_EVERY_CALL = [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.TIMED_OUT, Fault.THROTTLED]
IN_BATCHES = [Fault.CRASH_DURING, Fault.PARTIAL]


def filled(stores: Stores) -> None:
    """Letters of every kind in three receipts, some with several occurrences."""
    shop = Shop(stores)
    shop.send(sale("a", 50), sale("b", 500), sale("c", 5000), b"no JSON")
    shop.send(sale("b", 500), sale("d", 700), sale("e", 40_000), sale("q", 500.25))
    shop.send(sale("d", 701), sale("f", 90), sale("g", 200, eventTime=None), sale("x", 25_000), sale("q", 500.25))


def expected() -> Any:
    """What an undisturbed redrive comes to."""
    stores = memory_stores()
    filled(stores)
    Shop(stores, LOOSE, seed=7).run(size=2)
    return state(stores)


@pytest.mark.parametrize("fault", [*AT_EVERY_CALL, *IN_BATCHES])
@pytest.mark.parametrize("place", [in_memory, in_a_folder])
def test_a_redrive_that_was_cut_off_anywhere_is_finished_by_redriving_again(
    place: Place, fault: Fault, tmp_path: Path
) -> None:
    number = struck = 0
    while True:
        number += 1
        with place(tmp_path / str(number)) as opener, opener() as stores:
            filled(stores)
            injector = Injector(Random(number), plan={number: fault})
            try:
                Shop(faulty(stores, injector), LOOSE, seed=7).run(size=2)
            except (Crash, TransientError):
                struck += 1
            whole = injector.calls < number
            if not whole:
                Shop(stores, LOOSE, seed=8).run(size=2)
            assert state(stores) == expected(), f"{fault} at call {number}"
        if whole:
            break
    assert struck >= (20 if fault in AT_EVERY_CALL else 3)


def test_processing_that_goes_on_meanwhile_changes_nothing() -> None:
    stores = memory_stores()
    filled(stores)
    rival = Shop(stores, LOOSE, seed=20)
    receipts = [entry.receipt for entry in state(stores)["ledger"]]
    calls = 0

    def meanwhile(port: str, method: str) -> None:
        nonlocal calls
        # In order at first: which of two events of one identity is first must be the same.
        rival.process.receipt(receipts[calls % len(receipts)])
        calls += 1
        rival.work.project()

    Shop(faulty(stores, Injector(on_call=meanwhile)), LOOSE, seed=7).run(size=2)
    assert calls > 20
    assert state(stores) == expected()


def test_two_redrives_at_once_come_to_what_one_does() -> None:
    stores = memory_stores()
    filled(stores)
    rival = Shop(stores, LOOSE, seed=20)
    turns = iter(range(10**6))

    def meanwhile(port: str, method: str) -> None:
        if next(turns) % 5 == 0:
            rival.run(Choice(reason="rule"), size=1, limit=2)

    Shop(faulty(stores, Injector(on_call=meanwhile)), LOOSE, seed=7).run(size=2)
    assert state(stores) == expected()


amounts = st.sampled_from([1, 99.5, 100, 500, 500.25, 5000, 15_000, 25_000, 40_000])
"""One for each way that an event can go before and after the rule was loosened."""
chunks = st.lists(st.lists(amounts | st.none(), min_size=1, max_size=5), min_size=1, max_size=5)
choices = st.builds(
    Choice,
    reason=st.none() | st.sampled_from([Reason.RULE.value, Reason.TRANSFORM_ERROR.value, Reason.MALFORMED.value]),
    event_type=st.sampled_from([None, "sale"]),
)


def check_case(place: Place, sent: list[list[float | None]], first: Choice, size: int, limit: int) -> None:
    """Events without rivals for one identity, so that the state is a function of the raw log and the catalog."""
    with TemporaryDirectory() as folder, place(Path(folder)) as opener, opener() as stores:
        shop = Shop(stores)
        for chunk, found in enumerate(sent):
            documents = (b"?" if each is None else sale(f"{chunk}-{at}", each) for at, each in enumerate(found))
            shop.send(*documents)
        strict = state(stores)
        shop.run(first, size=size, attempts=None)
        assert state(stores) == strict, "law 5, under the same catalog"
        loose = Shop(stores, LOOSE, seed=7)
        loose.run(first, size=size, limit=limit)
        loose.run(size=size, attempts=None)
        assert state(stores) == anew(stores, memory_stores(), LOOSE), "law 6"
        once = state(stores)
        loose.run(size=size, attempts=None)
        assert state(stores) == once, "law 5"
        assert all(letter.attempts > 1 for letter in letters_of(stores))


@pytest.mark.parametrize(("place", "examples"), [(in_memory, 60), (in_a_folder, 20), (on_moto, 3)])
def test_a_redrive_comes_to_what_the_raw_log_says(place: Place, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(sent=chunks, first=choices, size=st.integers(1, 5), limit=st.integers(0, 4))
    def check(sent: list[list[float | None]], first: Choice, size: int, limit: int) -> None:
        check_case(place, sent, first, size, limit)

    check()
