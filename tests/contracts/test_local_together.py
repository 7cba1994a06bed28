"""Many transactions of a local store with one commit: all of them, or none."""

from pathlib import Path

import pytest

from millrace.adapters.local import open_local
from millrace.core.errors import Unstorable
from millrace.core.records import LedgerEntry

from .builders import curated, receipt_id


class _Stopped(Exception):
    """What goes wrong in the middle."""


def test_what_is_written_together_is_there_for_others_at_the_end(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store, open_local(tmp_path, write=False) as reader:
        with store.together():
            store.stores.curated.insert([curated(id="1")])
            store.stores.ledger.record(LedgerEntry(receipt=receipt_id(), events=1, curated=1))
            assert reader.stores.curated.count() == 0
            assert reader.stores.ledger.list(after=None, limit=9) == []
        assert reader.stores.curated.count() == 1
        assert len(reader.stores.ledger.list(after=None, limit=9)) == 1


def test_of_what_was_written_together_nothing_is_left_after_an_error(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        stores = store.stores
        stores.queue.send(receipt_id(number=1))

        def stopped_in_the_middle() -> None:
            with store.together():
                stores.curated.insert([curated(id="1")])
                stores.queue.acknowledge(stores.queue.receive(9))
                assert stores.feed.changes("local", 0, 9).records
                raise _Stopped

        with pytest.raises(_Stopped):
            stopped_in_the_middle()
        assert stores.curated.count() == 0
        assert stores.feed.changes("local", 0, 9).records == []
        assert [message.receipt for message in stores.queue.receive(9)] == [receipt_id(number=1)]
        stores.curated.insert([curated(id="2")])
        assert [record.id for record in stores.feed.changes("local", 0, 9).records] == ["2"]


def test_a_part_that_fails_takes_nothing_else_with_it(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        with store.together():
            store.stores.curated.insert([curated(id="1")])
            with pytest.raises(Unstorable):
                store.stores.curated.insert([curated(id="2"), curated(id="3", fields={"text": "\ud800"})])
            store.stores.curated.insert([curated(id="4")])
        found = store.stores.feed.changes("local", 0, 9).records
        assert [record.id for record in found] == ["1", "4"]
        assert store.stores.curated.count() == 2
