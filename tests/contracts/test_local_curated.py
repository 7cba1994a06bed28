"""What only the local curated store promises: refusals before writing, and changes from memory as from disk."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from millrace.adapters.local import open_local
from millrace.adapters.local.database import NAME
from millrace.core.errors import Unstorable

from .builders import NOON, curated, marker, origin_of, receipt_id
from .test_curated_store import everything


@pytest.mark.parametrize(
    "bad",
    [{"fields": {"a": "\ud800"}}, {"fields": {"\udfff": 1}}, {"source": "\ud800"}, {"subject": "\ud800"},
     {"type": "\ud800"}, {"receipt": "\ud800"}, {"fields": {"a": 1.5}}, {"fields": {"a": [object()]}}],
    ids=["value", "field", "source", "subject", "type", "receipt", "float", "object"],
)  # fmt: skip
def test_a_record_that_cannot_be_stored_is_named_before_anything_is_written(tmp_path: Path, bad: Any) -> None:
    batch = [curated("a"), curated("b", **bad), curated("c")]
    with open_local(tmp_path, write=True) as store:
        with pytest.raises(Unstorable) as raised:
            store.stores.curated.insert(batch)
        assert raised.value.position == 1
        with pytest.raises(Unstorable) as raised:
            store.stores.curated.check(batch)
        assert raised.value.position == 1
        assert everything(store.stores) == []
        assert list(store.stores.curated.insert([batch[0], batch[2]])) == [None, None]
        assert len(everything(store.stores)) == 2


def test_a_marker_that_cannot_be_stored_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        with pytest.raises(Unstorable) as raised:
            store.stores.curated.mark([marker("a"), marker("\ud800")])
        assert raised.value.position == 1
        assert list(store.stores.curated.mark([marker("a", type="later")])) == [marker("a", type="later")]


def test_changes_from_memory_equal_changes_from_disk(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store, open_local(tmp_path, write=False) as reader:
        for batch in range(3):
            store.stores.curated.insert([curated(f"{batch}-{n}", index=n) for n in range(5)])
            for after in range(17):
                for limit in (0, 1, 3, 100):
                    ours = store.stores.feed.changes(origin_of(store.stores), after, limit)
                    theirs = reader.stores.feed.changes(origin_of(reader.stores), after, limit)
                    assert list(ours.positions) == list(theirs.positions)
                    assert [record.id for record in ours.records] == [record.id for record in theirs.records]


def test_a_failed_insert_leaves_nothing_in_changes(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.curated.insert([curated("a")])
        with pytest.raises(OverflowError):
            store.stores.curated.insert([curated("b"), curated("c", time=2**70)])
        assert [record.id for record in everything(store.stores)] == ["a"]
        store.stores.curated.insert([curated("d")])
        assert [record.id for record in everything(store.stores)] == ["a", "d"]


def test_the_view_for_people_shows_every_column(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.curated.insert([curated("a", subject="s")])
    connection = sqlite3.connect(tmp_path / NAME)
    shown = connection.execute("SELECT * FROM curated_events").fetchall()
    connection.close()
    assert shown == [
        (1, "purchase", NOON, "shop", "a", 0, 2, "s", receipt_id(), 0, NOON + 1, '{"order":"a"}')
    ]  # fmt: skip
