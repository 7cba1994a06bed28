"""What only the local raw log promises: its files, and what it does with strays and damage."""

import os
import time
from pathlib import Path

import pytest

from millrace.adapters.local import open_local
from millrace.core.errors import ReceiptConflict, StoreError, UnknownReceipt

from .builders import HOUR, NOON, files, raw_object, receipt_id


def test_strays_of_interrupted_appends_are_removed_by_the_next_writer_only(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.raw.append(raw_object())
    stray = tmp_path / "raw" / "tmp" / f"{receipt_id(number=9)}.1"
    stray.write_bytes(b"half of")
    with open_local(tmp_path, write=False) as store:
        assert stray.exists()
        assert list(store.stores.raw.list(since=0, until=NOON * 2, after=None, limit=9)) == [receipt_id()]
    open_local(tmp_path, write=True).close()
    assert not stray.exists()


def test_an_append_leaves_one_file_named_by_hour_and_receipt(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.raw.append(raw_object(body=b"1"))
        store.stores.raw.append(raw_object(body=b"1"))
        with pytest.raises(ReceiptConflict):
            store.stores.raw.append(raw_object(body=b"2"))
    assert files(tmp_path / "raw") == {"tmp", "2026-01-09T12", f"2026-01-09T12/{receipt_id()}.raw"}


def test_foreign_files_in_the_raw_log_are_not_listed(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.raw.append(raw_object())
        (tmp_path / "raw" / "2026-01-09T12" / "notes.raw").write_text("x")
        (tmp_path / "raw" / "README").write_text("x")
        assert list(store.stores.raw.list(since=0, until=NOON * 2, after=None, limit=9)) == [receipt_id()]


def test_a_listing_sees_what_was_appended_since_the_last(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        hour = tmp_path / "raw" / "2026-01-09T12"
        store.stores.raw.append(raw_object())
        tick = time.time_ns()
        for number in range(4):
            # Twice within one tick of the file system's clock, then after a long time.
            os.utime(hour, ns=(tick, tick) if number < 2 else (number, number))
            listed = store.stores.raw.list(since=NOON, until=NOON + HOUR, after=None, limit=9)
            assert len(listed) == number + 1
            store.stores.raw.append(raw_object(number=number + 1))


def test_a_reader_finds_what_others_appended_within_a_tick_of_its_last_look(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store, open_local(tmp_path, write=False) as reading:
        tick = time.time_ns()
        for number in range(0, 8, 2):
            pair = [raw_object(number=number), raw_object(number=number + 1)]
            store.stores.raw.append_all(pair)
            # Twice within one tick of the file system's clock, then after a long time.
            os.utime(tmp_path / "raw" / "2026-01-09T12", ns=(tick, tick) if number < 4 else (number, number))
            assert [reading.stores.raw.read(raw.receipt.id) for raw in pair] == pair


def test_a_damaged_header_is_said_to_be_damaged(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.raw.append(raw_object())
        (tmp_path / "raw" / "2026-01-09T12" / f"{receipt_id()}.raw").write_bytes(b"{}\nbody")
        with pytest.raises(StoreError, match="raw log is damaged"):
            store.stores.raw.read(receipt_id())


def test_receipts_that_are_appended_together_share_a_file_for_each_hour(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.raw.append_all([raw_object(NOON, 2), raw_object(NOON, 7), raw_object(NOON + HOUR, 4)])
        assert files(tmp_path / "raw") == {
            "tmp",
            "2026-01-09T12",
            f"2026-01-09T12/{receipt_id(NOON, 2)}_{receipt_id(NOON, 7)}.group",
            "2026-01-09T13",
            f"2026-01-09T13/{receipt_id(NOON + HOUR, 4)}.raw",
        }


def test_a_reader_sees_what_another_appends_after_it_looked(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as worker, open_local(tmp_path, write="raw-log") as front:
        for number in range(0, 40, 2):
            pair = [raw_object(NOON, number), raw_object(NOON, number + 1)]
            with pytest.raises(UnknownReceipt):
                worker.stores.raw.read(pair[0].receipt.id)
            front.stores.raw.append_all(pair)
            assert [worker.stores.raw.read(raw.receipt.id) for raw in pair] == pair
        assert len(worker.stores.raw.list(since=0, until=NOON * 2, after=None, limit=100)) == 40


@pytest.mark.parametrize("damage", [b"", b"{}\n", b'[["', None])
def test_a_damaged_group_is_said_to_be_damaged(tmp_path: Path, damage: bytes | None) -> None:
    pair = [raw_object(NOON, 1, b"1" * 100), raw_object(NOON, 2, b"2" * 100)]
    with open_local(tmp_path, write=True) as store:
        store.stores.raw.append_all(pair)
    [path] = (tmp_path / "raw" / "2026-01-09T12").iterdir()
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    with open_local(tmp_path, write=False) as store, pytest.raises(StoreError, match="raw log is damaged"):
        store.stores.raw.read(pair[1].receipt.id)
