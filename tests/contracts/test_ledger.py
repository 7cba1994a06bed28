"""The contract of ``Ledger``."""

import pytest

from millrace.core.ports import Stores
from millrace.core.records import LedgerEntry

from .builders import NOON, receipt_id

IDS = [receipt_id(NOON + n * 1000) for n in range(5)]
ENTRY = LedgerEntry(
    receipt=IDS[0], events=10, curated=4, duplicate=3, filtered=1, dead_lettered=2, dead_letters={"rule": 2}
)


def test_an_entry_comes_back_as_it_was_recorded(stores: Stores) -> None:
    stores.ledger.record(ENTRY)
    assert stores.ledger.entries([IDS[0]]) == {IDS[0]: ENTRY}


def test_the_same_entry_again_changes_nothing(stores: Stores) -> None:
    stores.ledger.record(ENTRY)
    stores.ledger.record(ENTRY)
    assert list(stores.ledger.list(after=None, limit=9)) == [ENTRY]


def test_a_receipt_has_one_entry_the_last_recorded(stores: Stores) -> None:
    stores.ledger.record(ENTRY)
    after_a_redrive = LedgerEntry(receipt=IDS[0], events=10, curated=6, duplicate=3, filtered=1)
    stores.ledger.record(after_a_redrive)
    assert list(stores.ledger.list(after=None, limit=9)) == [after_a_redrive]


def test_only_entries_that_exist_are_found(stores: Stores) -> None:
    stores.ledger.record(ENTRY)
    assert stores.ledger.entries([IDS[1], IDS[0], IDS[0]]) == {IDS[0]: ENTRY}
    assert stores.ledger.entries([]) == {}


@pytest.mark.parametrize("limit", [1, 2, 9])
def test_entries_are_listed_in_order_of_receipt_in_pages(stores: Stores, limit: int) -> None:
    for receipt in reversed(IDS):
        stores.ledger.record(LedgerEntry(receipt=receipt, events=0))
    found: list[str] = []
    while page := stores.ledger.list(after=found[-1] if found else None, limit=limit):
        assert len(page) <= limit
        found += [entry.receipt for entry in page]
    assert found == IDS


def test_after_need_not_exist(stores: Stores) -> None:
    stores.ledger.record(ENTRY)
    assert list(stores.ledger.list(after="0", limit=9)) == [ENTRY]
    assert list(stores.ledger.list(after="~", limit=9)) == []
