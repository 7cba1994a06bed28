"""What a persistent adapter keeps when it is closed and opened again, and the local one when its process is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.adapters.local import open_local
from millrace.core.ports import Stores
from millrace.core.records import LedgerEntry

from .builders import NOON, bare, curated, dead_letter, marker, origin_of, raw_object, receipt_id, row
from .places import Opener

ENTRY = LedgerEntry(receipt=receipt_id(), events=1, curated=1)


def fill(stores: Stores) -> None:
    stores.raw.append(raw_object(body=b"[1]\n"))
    stores.curated.insert([curated("a"), curated("b", type="refund")])
    stores.curated.mark([marker("a")])
    stores.views.commit("v", [row()])
    stores.views.advance("v", "o", 2)
    stores.ledger.record(ENTRY)
    stores.queue.send("r1")
    stores.queue.send("r2")
    stores.dead_letters.add([dead_letter()])


def check(stores: Stores) -> None:
    assert stores.raw.read(receipt_id()) == raw_object(body=b"[1]\n")
    assert list(stores.raw.list(since=0, until=NOON * 2, after=None, limit=9)) == [receipt_id()]
    changes = stores.feed.changes(origin_of(stores), 0, 9)
    assert list(changes.records) == [bare(curated("a")), bare(curated("b", type="refund"))]
    other = receipt_id(number=5)
    assert stores.curated.insert([curated("a", receipt=other)])[0] is not None
    assert list(stores.curated.mark([marker("a", receipt=other)])) == [marker("a")]
    assert stores.views.load("v", [row().key]) == {row().key: row(version=1)}
    assert stores.views.cursor("v", "o") == 2
    assert stores.ledger.entries([receipt_id()]) == {receipt_id(): ENTRY}
    assert sorted(message.receipt for message in stores.queue.receive(9)) == ["r1", "r2"]
    assert stores.dead_letters.get("a" * 32) == dead_letter()


def test_everything_is_there_after_reopening(reopen: Opener) -> None:
    with reopen() as stores:
        fill(stores)
    for _ in range(2):
        with reopen() as stores:
            check(stores)


def test_positions_go_on_after_reopening(reopen: Opener) -> None:
    with reopen() as stores:
        stores.curated.insert([curated("a"), curated("b")])
        before = stores.feed.changes(origin_of(stores), 0, 9)
    with reopen() as stores:
        stores.curated.insert([curated("c")])
        after = stores.feed.changes(origin_of(stores), before.positions[-1], 9)
    assert [record.id for record in after.records] == ["c"]
    assert after.positions[0] > before.positions[-1]
    assert after.origin == before.origin


def test_what_was_in_hand_is_delivered_again_after_reopening(reopen: Opener) -> None:
    with reopen() as stores:
        stores.queue.send("r1")
        stores.queue.send("r2")
        stores.queue.acknowledge(stores.queue.receive(1)[:1])
        in_hand = stores.queue.receive(9)
    with reopen() as stores:
        again = stores.queue.receive(9)
    assert [message.receipt for message in again] == [message.receipt for message in in_hand]
    assert [message.attempt for message in again] == [2] * len(in_hand)
    assert in_hand


def script(path: Path, body: str) -> list[str]:
    """A command that opens the store and runs the lines."""
    head = (
        "import os, sys\nfrom pathlib import Path\n"
        f"sys.path[:0] = {[str(Path(__file__).parents[2]), *sys.path]!r}\n"
        "from millrace.adapters.local import open_local\n"
        "from tests.contracts.builders import *\n"
        "from tests.contracts.test_persistence import fill\n"
        f"stores = open_local(Path({str(path)!r}), write=True).stores\n"
    )
    return [sys.executable, "-c", head + body]


def test_everything_is_there_after_a_process_left_without_closing(tmp_path: Path) -> None:
    done = subprocess.run(script(tmp_path, "fill(stores)\nos._exit(7)\n"), check=False)
    assert done.returncode == 7
    with open_local(tmp_path, write=True) as store:
        check(store.stores)


def test_a_transaction_cut_off_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    body = (
        "fill(stores)\n"
        "import millrace.adapters.local.curated as module\n"
        "def die(*_):\n    os._exit(8)\n"
        "module._lineage = die\n"
        "stores.curated.insert([curated('new'), curated('a', receipt=receipt_id(number=5))])\n"
    )
    assert subprocess.run(script(tmp_path, body), check=False).returncode == 8
    with open_local(tmp_path, write=True) as store:
        check(store.stores)


@pytest.mark.parametrize("batches", [1, 7, 20])
def test_what_was_answered_before_a_kill_is_there_and_batches_are_whole(tmp_path: Path, batches: int) -> None:
    body = (
        "for batch in range(10**6):\n"
        "    stores.raw.append(raw_object(number=batch, body=str(batch).encode()))\n"
        "    stores.curated.insert([curated(f'{batch}-{n}', index=n) for n in range(150)])\n"
        "    print(batch, flush=True)\n"
    )
    with subprocess.Popen(script(tmp_path, body), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(batches)]
        os.kill(process.pid, signal.SIGKILL)
    with open_local(tmp_path, write=True) as store:
        found = store.stores.feed.changes(origin_of(store.stores), 0, 10**9).records
        assert len(found) % 150 == 0
        assert len(found) >= 150 * batches
        assert [record.id for record in found] == [f"{n // 150}-{n % 150}" for n in range(len(found))]
        for batch in answered:
            assert store.stores.raw.read(receipt_id(number=batch)).body == str(batch).encode()
        assert store.stores.curated.insert([curated("next")]) == [None]
