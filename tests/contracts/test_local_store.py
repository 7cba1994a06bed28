"""What only the local adapter promises: one writer, readers beside it, its format, and clear sentences."""

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from millrace.adapters.local import open_local
from millrace.adapters.local.database import NAME
from millrace.adapters.local.errors import translated
from millrace.core.errors import StoreError, TransientError
from millrace.core.records import LedgerEntry

from .builders import NOON, curated, dead_letter, files, marker, origin_of, raw_object, receipt_id, row
from .test_curated_store import everything


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True), pytest.raises(StoreError, match=rf"another process \(pid {os.getpid()}\)"):
        open_local(tmp_path, write=True)
    with open_local(tmp_path, write=True) as store:
        assert store.writable


def test_another_process_that_writes_is_noticed(tmp_path: Path) -> None:
    lines = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path\nfrom millrace.adapters.local import open_local\n"
        f"store = open_local(Path({str(tmp_path)!r}), write=True)\nprint('open', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match=f"pid {other.pid}"):
            open_local(tmp_path, write=True)
        with open_local(tmp_path, write="if-free") as store:
            assert not store.writable
        other.kill()
    with open_local(tmp_path, write="if-free") as store:
        assert store.writable


def test_if_free_creates_a_store_and_reads_one_that_is_written(tmp_path: Path) -> None:
    with open_local(tmp_path / "s", write="if-free") as first:
        assert first.writable
        first.stores.curated.insert([curated("a")])
        with open_local(tmp_path / "s", write="if-free") as second:
            assert not second.writable
            assert second.stores.curated.count() == 1


def test_if_free_waits_for_a_store_that_is_being_created(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True):
        (tmp_path / NAME).rename(tmp_path / "away")
        with pytest.raises(TransientError, match="just being created"):
            open_local(tmp_path, write="if-free")


def test_closing_twice_is_no_error_and_leaves_one_database_file(tmp_path: Path) -> None:
    store = open_local(tmp_path, write=True)
    store.stores.curated.insert([curated("a")])
    store.close()
    store.close()
    assert files(tmp_path) == {"lock", "raw", "raw/tmp", NAME}


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch], ids=["nothing", "folder", "file"])
def test_reading_what_is_no_store_is_refused_and_creates_nothing(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "s")
    before = files(tmp_path)
    with pytest.raises(StoreError, match="there is no store at"):
        open_local(tmp_path / "s", write=False)
    assert files(tmp_path) == before


def test_reading_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.curated.insert([curated("a")])
    before = files(tmp_path)
    with open_local(tmp_path, write=False) as reader:
        assert reader.stores.curated.count() == 1
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.raw.append(raw_object()),
        lambda s: s.curated.insert([curated("b")]),
        lambda s: s.curated.mark([marker("b")]),
        lambda s: s.views.commit("v", [row()]),
        lambda s: s.views.advance("v", "o", 9),
        lambda s: s.ledger.record(LedgerEntry(receipt="r", events=0)),
        lambda s: s.queue.send("b"),
        lambda s: s.queue.receive(1),
        lambda s: s.dead_letters.add([dead_letter()]),
    ],
    ids=["append", "insert", "mark", "commit", "advance", "record", "send", "receive", "add"],
)
def test_a_reader_cannot_write(tmp_path: Path, write: Any) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.queue.send("a")
    with open_local(tmp_path, write=False) as reader, pytest.raises(StoreError, match="reading only"):
        write(reader.stores)
    with open_local(tmp_path, write=False) as reader:
        assert reader.stores.curated.count() == 0


def test_a_reader_beside_a_writer_sees_whole_batches_and_a_growing_history(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as writer, open_local(tmp_path, write=False) as reader:

        def work() -> None:
            for batch in range(60):
                writer.stores.curated.insert([curated(f"{batch:03}-{n:02}", index=n) for n in range(50)])

        thread = threading.Thread(target=work)
        thread.start()
        seen: list[str] = []
        after = 0
        while len(seen) < 3000:
            assert reader.stores.curated.count() % 50 == 0
            page = reader.stores.feed.changes(origin_of(reader.stores), after, 10**6)
            assert len(page.records) % 50 == 0
            seen += [record.id for record in page.records]
            after = max([after, *page.positions])
        thread.join()
    assert seen == sorted(set(seen))
    assert len(seen) == 3000


def test_threads_share_one_store(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:

        def work(name: int) -> None:
            for n in range(30):
                store.stores.raw.append(raw_object(NOON + n, number=name * 100 + n))
                store.stores.curated.insert(
                    [curated(f"{name}-{n}"), curated(f"shared-{n}", receipt=receipt_id(NOON, name))]
                )
                store.stores.feed.changes(origin_of(store.stores), 0, 10**6)

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = everything(store.stores)
        assert len(found) == len({record.id for record in found}) == 4 * 30 + 30
        assert len(store.stores.raw.list(since=0, until=NOON * 2, after=None, limit=1000)) == 120


def test_a_store_of_another_format_is_refused_naming_both(tmp_path: Path) -> None:
    open_local(tmp_path, write=True).close()
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for write in (True, False):
        with pytest.raises(StoreError, match=r"has format 99, .* works with format 2"):
            open_local(tmp_path, write=write)


def test_a_store_of_an_earlier_format_is_read_as_it_is_and_written_in_this_one(tmp_path: Path) -> None:
    def version() -> int:
        with closing(sqlite3.connect(tmp_path / NAME)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])

    with open_local(tmp_path, write=True) as store:
        store.stores.raw.append(raw_object())
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 1")
    with open_local(tmp_path, write=False) as store:
        assert store.stores.raw.read(receipt_id()) == raw_object()
    assert version() == 1
    with open_local(tmp_path, write=True) as store:
        assert store.stores.raw.read(receipt_id()) == raw_object()
    assert version() == 2


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    for write in (True, False):
        with pytest.raises(StoreError, match="is no Millrace store"):
            open_local(tmp_path, write=write)
    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    connection.close()


def test_a_file_that_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    open_local(tmp_path, write=True).close()
    (tmp_path / NAME).write_bytes(b"this is no database" * 1000)
    for write in (True, False):
        with pytest.raises(StoreError, match="damaged"):
            open_local(tmp_path, write=write)


def test_a_database_with_a_damaged_page_is_said_to_be_damaged(tmp_path: Path) -> None:
    with open_local(tmp_path, write=True) as store:
        store.stores.curated.insert([curated(f"e-{n}", index=n) for n in range(2000)])
    content = bytearray((tmp_path / NAME).read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"), open_local(tmp_path, write=False) as store:
        store.stores.feed.changes(origin_of(store.stores), 0, 10**6)


def test_a_refused_store_can_be_opened_once_it_is_mended(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreError):
        open_local(tmp_path, write=True)
    (tmp_path / NAME).unlink()
    with open_local(tmp_path, write=True) as store:
        assert store.stores.curated.count() == 0


def test_a_path_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("x")
    for path in (tmp_path / "s", tmp_path / "s" / "deeper"):
        with pytest.raises(StoreError, match="cannot be used"):
            open_local(path, write=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="permission is denied"):
        open_local(tmp_path, write=True)


def test_a_locked_database_is_transient(tmp_path: Path) -> None:
    first, second = (sqlite3.connect(tmp_path / "d", timeout=0, isolation_level=None) for _ in range(2))
    first.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TransientError, match="locked"), translated(tmp_path):
        second.execute("BEGIN IMMEDIATE")
    first.close()
    second.close()


def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "d", isolation_level=None)
    connection.execute("PRAGMA max_page_count = 2")
    with pytest.raises(StoreError, match="the disk is full"), translated(tmp_path):
        connection.execute("CREATE TABLE t AS SELECT randomblob(99999)")
    connection.close()
    with pytest.raises(StoreError, match="the disk is full"), translated(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_passing_troubles_of_the_disk_are_transient_and_unknown_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(TransientError), translated(tmp_path):
        raise OSError(errno.EIO, "Input/output error")
    with pytest.raises(OSError, match="strange") as raised, translated(tmp_path):
        raise OSError(errno.ENOTTY, "strange")
    assert type(raised.value) is OSError
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(sqlite3.ProgrammingError),
        translated(tmp_path),
    ):
        connection.execute("SELECT ?")
