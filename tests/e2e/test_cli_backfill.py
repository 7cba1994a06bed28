"""``millrace backfill`` from files and stores, killed in the middle, over ranges that overlap, and into views alone."""

import gzip
import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from millrace.adapters.local import open_local

from .cli import document, fails, lines, millrace, objects, purchase, succeeds
from .situations import UNLIKE, VIOLATIONS, state_of
from .test_kill import PROGRAM

COUNTS = ("receipts", "events", "curated", "duplicate", "filtered", "dead_lettered")


def sample(path: Path, events: int = 2000) -> Path:
    path.write_bytes(succeeds("sample", "--events", events, "--seed", 7, "--duplicates", 5, "--broken", 2).stdout_bytes)
    return path


def zipped(path: Path, body: bytes) -> Path:
    path.write_bytes(gzip.compress(body))
    return path


def numbers(report: dict[str, Any]) -> list[int]:
    return [report[name] for name in COUNTS]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three files; the last repeats an event of the first, and one event of it is wrong."""
    folder = tmp_path / "archive"
    folder.mkdir()
    zipped(folder / "a.ndjson.gz", lines(purchase("1"), purchase("2")))
    zipped(folder / "b.json.gz", json.dumps([purchase("3")]).encode())
    (folder / "c.ndjson").write_bytes(lines(purchase("1"), purchase("4"), purchase("5", '"-1"')))
    (folder / "notes.txt").write_text("no events")
    return folder


def test_an_archive_comes_into_the_store_once(archive: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert numbers(document("backfill", archive, store=store)) == [3, 6, 4, 1, 0, 1]
    again = millrace("backfill", archive, "--json", store=store)
    assert numbers(json.loads(again.stdout)) == [0, 0, 0, 0, 0, 0]
    assert "There is nothing to do" in again.stderr
    assert document("reconcile", store=store)["receipts"] == 3


def test_what_was_added_to_an_archive_is_taken_in_the_next_time(archive: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    succeeds("backfill", archive, store=store)
    zipped(archive / "d.ndjson.gz", lines(purchase("1"), purchase("6")))
    assert numbers(document("backfill", archive, store=store)) == [1, 2, 1, 1, 0, 0]


def test_a_file_that_changed_is_read_again(archive: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    succeeds("backfill", archive, store=store)
    zipped(archive / "a.ndjson.gz", lines(purchase("1"), purchase("2"), purchase("7")))
    assert numbers(document("backfill", archive, store=store)) == [1, 3, 1, 2, 0, 0]


def test_a_damaged_file_costs_nothing_but_its_own_end(archive: Path, tmp_path: Path) -> None:
    store, damaged = tmp_path / "store", archive / "a.ndjson.gz"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-8])
    result = millrace("backfill", archive, "--json", store=store)
    assert result.exit_code == 1
    assert "a.ndjson.gz is cut off" in result.stderr
    found = json.loads(result.stdout)
    assert (found["curated"], found["dead_letters"]) == (4, {"invalid": 1, "malformed": 1})
    assert numbers(json.loads(millrace("backfill", archive, "--json", store=store).stdout)) == [0] * 6
    [letter] = document("dead-letters", "list", "--reason", "malformed", store=store)
    assert "cut off" in letter["violations"][0]["message"]
    damaged.write_bytes(whole)
    assert numbers(document("backfill", archive, store=store)) == [1, 2, 0, 2, 0, 0]


def test_chunks_of_files_are_chosen_by_type_and_time_of_their_events(archive: Path, tmp_path: Path) -> None:
    (archive / "e.ndjson").write_bytes(lines(purchase("8", eventTime="2026-01-01T00:00:00Z")))
    found = document("backfill", archive, "--until", "2026-02-01", store=tmp_path / "a")
    assert (found["receipts"], found["curated"]) == (1, 1)
    assert document("backfill", archive, "--type", "refund", store=tmp_path / "b")["receipts"] == 0
    assert document("backfill", archive, "--type", "purchase", store=tmp_path / "c")["receipts"] == 4


def test_another_store_gives_its_receipts_under_their_ids(archive: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    succeeds("run", archive, store=first)
    report = document("backfill", f"file:{first}", store=second)
    assert numbers(report) == [3, 6, 4, 1, 0, 1]
    assert numbers(document("backfill", f"file:{first}", store=second)) == [0, 0, 0, 0, 0, 0]
    assert state_of(second) == state_of(first)
    assert (
        objects("events", "purchase", store=first)[0]["receipt"]
        == objects("events", "purchase", store=second)[0]["receipt"]
    )


def test_overlapping_ranges_twice_change_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    succeeds("run", sample(tmp_path / "s.ndjson"), store=store)
    before = state_of(store)
    for span in ([], ["--since", "1h"], ["--since", "2h", "--type", "purchase"], []):
        assert document("backfill", f"file:{store}", *span, store=store)["receipts"] == 1
    assert state_of(store) == before


def test_a_backfill_over_nothing_says_so(archive: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    succeeds("run", archive, store=store)
    result = succeeds("backfill", f"file:{store}", "--until", "2020-01-01", store=store)
    assert "There is nothing to do" in result.stderr
    (tmp_path / "empty").mkdir()
    assert "There is nothing to do" in succeeds("backfill", tmp_path / "empty", store=store).stderr
    assert "There is nothing to do" in succeeds("backfill", tmp_path / "empty", "--store", "memory:").stderr


def test_of_two_backfills_at_once_the_second_is_told_who_writes(archive: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with open_local(store, write=True):
        sentence = fails(2, "backfill", archive, store=store)
    assert "is being written by another process" in sentence


def test_a_dry_run_tells_and_writes_nothing(archive: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    succeeds("run", archive / "a.ndjson.gz", store=store)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.raw")}
    report = document("backfill", archive, "--dry-run", store=store)
    assert (report["new"], report["duplicate"], report["rejected"], report["lost"]) == (2, 3, 1, 0)
    own = document("backfill", f"file:{store}", "--dry-run", store=store)
    assert (own["same"], own["changed"]) == (2, 0)
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.raw")} == before
    assert len(objects("events", "purchase", store=store)) == 2


CATALOG = """
import attrs
from datetime import timedelta
from decimal import Decimal
from millrace import Catalog, Sum

catalog = Catalog("shop")

@catalog.event("purchase", unknown="drop")
@attrs.frozen
class Purchase:
    amount: Decimal

@catalog.transform(Purchase)
def curate(event):
    return {"amount": event.amount * FACTOR}

@catalog.rule(Purchase)
def plausible(event):
    return event.amount < LIMIT

catalog.view("revenue", over=Purchase, every=timedelta(hours=1), by=[], measures={"revenue": Sum("amount")})
"""


def written(path: Path, factor: int, limit: int = 1000) -> Path:
    path.write_text(CATALOG.replace("FACTOR", str(factor)).replace("LIMIT", str(limit)))
    return path


def test_a_changed_catalog_is_applied_once_it_was_confirmed(tmp_path: Path) -> None:
    store, file = tmp_path / "store", tmp_path / "e.ndjson"
    file.write_bytes(lines(purchase("1"), purchase("2", '"20"')))
    old, new = written(tmp_path / "old.py", 1), written(tmp_path / "new.py", 2, limit=15)
    succeeds("run", file, "--catalog", old, store=store)
    dry = millrace("backfill", f"file:{store}", "--dry-run", "--json", "--catalog", new, store=store)
    assert dry.exit_code == 1
    told = json.loads(dry.stdout)
    assert (told["changed"], told["lost"]) == (1, 1)

    declined = millrace("backfill", f"file:{store}", "--replace", "--catalog", new, store=store, stdin=b"n\n")
    assert declined.exit_code != 0
    same = document("backfill", f"file:{store}", "--dry-run", "--catalog", old, store=store)
    assert (same["same"], same["changed"]) == (2, 0)

    done = document("backfill", f"file:{store}", "--replace", "--yes", "--catalog", new, store=store)
    assert (done["replaced"], done["kept"], done["rebuild"]) == (1, 1, ["revenue"])
    lost = document("backfill", f"file:{store}", "--replace", "--lose", "--yes", "--catalog", new, store=store)
    assert (lost["replaced"], lost["lost"]) == (0, 1)
    assert len(objects("events", "purchase", "--catalog", new, store=store)) == 1
    clean = document("backfill", f"file:{store}", "--dry-run", "--catalog", new, store=store)
    assert (clean["same"], clean["changed"], clean["lost"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["archive", "--replace"], "--replace is about the store's own receipts"),
        (["file:store", "--replace", "--dry-run"], "do not go together"),
        (["archive", "--workers", "2"], "--workers fold files into views alone"),
        (["archive", "--name", "x"], "--name is for a job"),
        (["file:other"], "there is no store at other"),
        (["missing"], "missing does not exist"),
        (["archive", "--allowed-rejections", "2"], "is no share"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    arguments: list[str], words: str, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in fails(2, "backfill", *arguments, "--store", "file:store")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_views_alone_equal_those_of_a_store(workers: int, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    whole = sample(tmp_path / "s.ndjson").read_bytes().splitlines(keepends=True)
    for number in range(4):  # each begins with what the one before ended with
        start = max(0, number * 500 - 100)
        zipped(folder / f"{number}.ndjson.gz", b"".join(whole[start : number * 500 + 500]))
    stored = document("backfill", folder, store=tmp_path / "store")
    alone = document("backfill", folder, "--store", "memory:", "--workers", workers)
    assert (alone["events"], alone["curated"], alone["filtered"]) == (
        stored["events"], stored["curated"], stored["filtered"],
    )  # fmt: skip
    assert alone["duplicate"] + alone["dead_lettered"] == stored["duplicate"] + stored["dead_lettered"]
    for name, rows in alone["views"].items():
        assert rows == document("view", name, store=tmp_path / "store"), name


@pytest.mark.parametrize("kind", ["files", "own"])
def test_a_backfill_that_is_killed_and_given_again_ends_as_an_undisturbed_one(kind: str, tmp_path: Path) -> None:
    folder, calm, killed = tmp_path / "archive", tmp_path / "calm", tmp_path / "killed"
    folder.mkdir()
    whole = sample(tmp_path / "s.ndjson", 6000).read_bytes().splitlines(keepends=True)
    for number in range(12):
        zipped(folder / f"{number:02}.ndjson.gz", b"".join(whole[number * 500 : number * 500 + 500]))
    started = time.monotonic()
    subprocess.run([*PROGRAM, "backfill", str(folder), "--store", f"file:{calm}"], check=True, capture_output=True)
    seconds = time.monotonic() - started
    if kind == "own":
        killed.mkdir()
        shutil.copytree(calm / "raw", killed / "raw")
        succeeds("reconcile", "--repair", store=killed)
    source = str(folder) if kind == "files" else f"file:{killed}"
    command = [*PROGRAM, "backfill", source, "--store", f"file:{killed}"]
    rng = random.Random(5)
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.1, seconds))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, capture_output=True)
    succeeds("reconcile", store=killed)
    unlike = (*UNLIKE, VIOLATIONS)
    assert state_of(killed, unlike=unlike) == state_of(calm, unlike=unlike)
