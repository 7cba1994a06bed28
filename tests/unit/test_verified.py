"""Claims about opening a store: what was found whole is not looked through again, and nothing is taken for whole."""

from pathlib import Path

import pytest

from millrace.adapters.local import open_local
from millrace.adapters.local.database import NAME
from millrace.adapters.memory import memory_stores
from millrace.core.catalogs.retail import catalog
from millrace.core.ports import Stores
from millrace.core.records import LedgerEntry
from millrace.core.services.reconcile import MARGIN, Reconcile, Verified
from millrace.entrypoints import bootstrap
from millrace.entrypoints.bootstrap import open_platform

from ..contracts.builders import HOUR, NOON, raw_object

LATER = NOON + 1000 * HOUR


def accept(stores: Stores, at: int, *, process: bool = True) -> str:
    """A receipt of that instant, with its ledger entry if it was processed."""
    raw = raw_object(at, catalog=catalog.name, body=b"[]")
    stores.raw.append(raw)
    if process:
        stores.ledger.record(LedgerEntry(receipt=raw.receipt.id, events=0))
    return raw.receipt.id


def verified(stores: Stores, now: int = LATER) -> Verified:
    """What is found, and noted as the platform does."""
    reconcile = Reconcile(stores)
    found = reconcile.verify(now)
    reconcile.note(found)
    return found


@pytest.fixture
def stores() -> Stores:
    """A receipt an hour, for a hundred hours."""
    made = memory_stores()
    for hour in range(100):
        accept(made, NOON + hour * HOUR)
    return made


def test_what_was_verified_is_not_looked_at_again(stores: Stores) -> None:
    assert verified(stores) == Verified(NOON + 99 * HOUR, whole=True, receipts=100)
    assert verified(stores) == Verified(NOON + 99 * HOUR, whole=True, receipts=1)
    accept(stores, NOON + 100 * HOUR)
    assert verified(stores) == Verified(NOON + 100 * HOUR, whole=True, receipts=2)


@pytest.mark.parametrize("early", [1000, MARGIN - 1000])
def test_a_receipt_that_comes_late_with_an_older_id_is_missed(stores: Stores, early: int) -> None:
    verified(stores)
    accept(stores, NOON + 99 * HOUR - early, process=False)
    assert not verified(stores).whole


def test_nothing_behind_a_gap_is_taken_for_verified(stores: Stores) -> None:
    accept(stores, NOON + 50 * HOUR + 1000, process=False)
    assert verified(stores) == Verified(NOON + 50 * HOUR, whole=False, receipts=51)
    assert verified(stores) == Verified(NOON + 50 * HOUR, whole=False, receipts=1)
    accept(stores, NOON + 50 * HOUR + 1000)
    assert verified(stores).whole
    assert verified(stores).receipts == 1


def test_what_is_copied_into_the_raw_log_is_found_by_mending_and_by_reconciling(stores: Stores) -> None:
    verified(stores)
    copied = accept(stores, NOON - HOUR, process=False)
    assert verified(stores).whole
    assert Reconcile(stores).run().missing == [copied]
    assert Reconcile(stores).mend() == 1


def test_what_is_too_much_at_once_is_verified_in_steps(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.core.services.reconcile.PAGE", 10)
    reconcile = Reconcile(stores)
    for number in range(50):  # more within the margin than at once
        accept(stores, NOON + HOUR - 60_000_000 + number * 1000)
    steps = 0
    while not (found := reconcile.verify(LATER, at_most=20)).whole:
        reconcile.note(found)
        steps += 1
    assert found.until == NOON + 99 * HOUR
    assert steps in range(5, 8)


def test_a_clock_that_was_ahead_hides_nothing(stores: Stores) -> None:
    accept(stores, LATER)
    verified(stores, now=LATER)
    accept(stores, NOON + 100 * HOUR, process=False)
    assert not Reconcile(stores).verify(NOON + 101 * HOUR).whole


def test_no_more_than_now_is_verified(stores: Stores) -> None:
    accept(stores, LATER)
    assert verified(stores, now=NOON + 100 * HOUR).until == NOON + 100 * HOUR


def looked_at(folder: Path) -> int:
    with open_local(folder, write=False) as store:
        return Reconcile(store.stores).verify(LATER).receipts


def test_readers_and_writers_note_how_far_they_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"file:{tmp_path}"
    with open_local(tmp_path, write=True) as store:
        for hour in range(20):
            accept(store.stores, NOON + hour * HOUR)
    assert looked_at(tmp_path) == 20
    with open_platform(url, catalog, write=False):
        assert looked_at(tmp_path) == 20  # too few to be worth a write
    monkeypatch.setattr(bootstrap, "WORTH_NOTING", 10)
    with open_platform(url, catalog, write=False):
        assert looked_at(tmp_path) == 1
    with open_platform(url, catalog, write=True) as platform:
        accept(platform.stores, NOON + 20 * HOUR)
        accept(platform.stores, NOON + 21 * HOUR)
    assert looked_at(tmp_path) == 1


def test_a_reader_still_mends_what_a_crash_left(tmp_path: Path) -> None:
    url = f"file:{tmp_path}"
    with open_platform(url, catalog, write=True) as platform:
        accept(platform.stores, NOON)
    with open_local(tmp_path, write=True) as store:
        left = accept(store.stores, NOON + HOUR, process=False)
    with open_platform(url, catalog, write=False) as platform:
        assert platform.mended == 1
        assert left in platform.stores.ledger.entries([left])
    assert looked_at(tmp_path) == 1


def test_a_database_that_was_thrown_away_takes_what_was_verified_with_it(tmp_path: Path) -> None:
    url = f"file:{tmp_path}"
    with open_platform(url, catalog, write=True) as platform:
        for hour in range(20):
            accept(platform.stores, NOON + hour * HOUR)
    assert looked_at(tmp_path) == 1
    (tmp_path / NAME).unlink()
    with open_platform(url, catalog, write=True) as platform:
        assert platform.mended == 20
