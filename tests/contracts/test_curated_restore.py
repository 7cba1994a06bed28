"""The contract of ``CuratedStore.restore``: what was deleted is there again, and no feed shows it."""

from typing import Any

import msgspec
import pytest

from millrace.core.errors import Unstorable
from millrace.core.identity import content_hash
from millrace.core.ports import Stores
from millrace.core.records import Lineage

from .builders import NOON, bare, curated, origin_of, receipt_id
from .test_curated_rewrite import OTHER, found, stored
from .test_curated_store import everything


def test_what_is_restored_is_stored_as_it_was(stores: Stores) -> None:
    records = [curated(f"e-{n}", index=n, time=NOON + n, part=n % 2, subject="s" * n) for n in range(130)]
    stores.curated.insert(records)
    stores.curated.delete(records)
    stores.curated.restore(records)
    assert stored(stores) == [bare(record) for record in records]
    assert found(stores, *records) == [*map(bare, records)]
    assert stores.curated.count() == 65
    lineage = Lineage("shop", "e-0", receipt_id(), 0, content_hash(records[0].raw))
    assert list(stores.curated.insert([curated("e-0", receipt=OTHER), records[0]])) == [lineage, None]


def test_the_feed_shows_nothing_of_it_and_goes_on_behind(stores: Stores) -> None:
    stores.curated.insert([curated("a"), curated("b")])
    origin = origin_of(stores)
    last = stores.feed.changes(origin, 0, 10).positions[-1]
    before = everything(stores)
    stores.curated.delete([curated("a")])
    stores.curated.restore([curated("a"), curated("c", type="refund")])
    assert list(stores.feed.changes(origin, last, 10).records) == []
    assert everything(stores) in (before, [bare(curated("b"))])
    stores.curated.insert([curated("d")])
    assert [record.id for record in stores.feed.changes(origin, last, 10).records] == ["d"]
    assert stored(stores, "refund") == [bare(curated("c", type="refund"))]


@pytest.mark.parametrize("other", [{}, {"receipt": OTHER}, {"index": 1}])
def test_what_is_there_stays(stores: Stores, other: dict[str, Any]) -> None:
    stores.curated.insert([curated("a")])
    stores.curated.restore([curated("a", fields={"other": 1}, curated_at=1, **other)])
    assert stored(stores) == [bare(curated("a"))]


def test_of_a_batch_the_first_of_one_key_is_restored_and_again_changes_nothing(stores: Stores) -> None:
    batch = [curated("a", fields={"n": 1}), curated("a", fields={"n": 2}), curated("b")]
    for _ in range(3):
        stores.curated.restore(batch)
        assert found(stores, *batch) == [bare(batch[0]), bare(batch[0]), bare(batch[2])]
    stores.curated.restore([])
    assert stores.curated.count() == 2


def test_what_was_restored_can_be_replaced_and_deleted_and_inserted_anew(stores: Stores) -> None:
    stores.curated.restore([curated("a")])
    assert list(stores.curated.replace([curated("a", fields={})])) == [True]
    assert stored(stores) == [bare(curated("a", fields={}))]
    stores.curated.delete([curated("a")])
    assert stored(stores) == []
    origin = origin_of(stores)
    stores.curated.insert([curated("a")])
    assert [record.id for record in stores.feed.changes(origin, 0, 10).records] == ["a"]


def test_events_that_share_an_id_are_restored_apart(stores: Stores) -> None:
    records = [curated("a", source=source) for source in ("one", "two", "three")]
    stores.curated.insert(records[:1])
    stores.curated.restore(records)
    assert found(stores, *records) == [*map(bare, records)]
    assert len(stored(stores)) == 3


def test_nothing_is_restored_of_a_batch_that_cannot_be_held(stores: Stores) -> None:
    bad = curated("b", fields={"text": "\ud800"})
    try:
        stores.curated.check([bad])
    except Unstorable:
        with pytest.raises(Unstorable):
            stores.curated.restore([curated("a"), bad])
        assert stored(stores) == []


def test_restored_records_are_queried_in_order_with_others(stores: Stores) -> None:
    records = [curated(f"e-{n}", time=NOON + n) for n in range(20)]
    stores.curated.insert(records[::2])
    stores.curated.restore(records[1::2])
    assert stored(stores) == [bare(record) for record in records]
    assert [*map(bare, stores.curated.query("purchase", since=NOON + 5, until=NOON + 9, after=None, limit=3))] == [
        msgspec.structs.replace(record, raw=b"") for record in records[5:8]
    ]
