"""``rm`` of everything but the raw log: what is rebuilt from it equals what was there, compared by hash."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .cli import document, millrace, objects, succeeds
from .test_kill import TYPES, VIEWS

DAYS = {"2025-01-01": 20, "2100-01-01": 1}
"""When the sample's events begin and over how many days they are spread: long ago, and never to be archived."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Ten receipts of a shop, with duplicates, within a file and in another one, and events that are broken."""
    path, inputs = tmp_path / "store", tmp_path / "inputs"
    inputs.mkdir()
    for start, days in DAYS.items():
        made = succeeds(
            "sample", "--events", 1000, "--start", start, "--days", days, "--duplicates", 6, "--broken", 4
        ).stdout_bytes.splitlines(keepends=True)
        for number in range(5):  # each begins with what the one before ended with
            part = made[max(number * 200 - 20, 0) : number * 200 + 200]
            (inputs / f"{start}-{number}.ndjson").write_bytes(b"".join(part))
    report = document("run", inputs, store=path)
    assert report["receipts"] == 10
    assert min(report["duplicate"], report["filtered"], report["dead_lettered"]) > 20
    return path


def held(store: Path) -> dict[str, Any]:
    """All that commands show of a store, but for the instants at which events were inserted."""
    events = {
        name: [
            {key: value for key, value in event.items() if key != "curatedAt"}
            for event in objects("events", name, "--archived", store=store)
        ]
        for name in TYPES
    }
    return {
        "events": events,
        "views": {name: document("view", name, store=store) for name in VIEWS},
        "letters": objects("dead-letters", "list", store=store),
    }


def digests(store: Path) -> dict[str, str]:
    """A hash of everything that a store holds, by what it is."""
    found = held(store)
    assert all(found["events"].values())
    assert all(found["views"].values())
    assert found["letters"]
    return {kind: hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest() for kind, what in found.items()}


def remove_all_but(store: Path, *names: str) -> None:
    """Remove everything in a store's folder but what is named."""
    removed = [path for path in store.iterdir() if path.name not in names]
    assert store / "store.sqlite" in removed
    for path in removed:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


WAYS: dict[str, Callable[[Path], tuple[Any, ...]]] = {
    "reconcile": lambda store: ("reconcile", "--repair"),
    "backfill": lambda store: ("backfill", f"file:{store}"),
    "rebuild": lambda store: ("rebuild", "--all"),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_raw_log_alone_brings_back_events_views_and_dead_letters(way: str, store: Path) -> None:
    before = digests(store)
    account = document("reconcile", store=store)
    remove_all_but(store, "raw")
    succeeds(*WAYS[way](store), store=store)
    assert digests(store) == before
    assert {**document("reconcile", store=store), "mended": 0} == {**account, "mended": 0}
    for again in WAYS.values():
        succeeds(*again(store), store=store)
    assert digests(store) == before


@pytest.mark.parametrize("left", [("raw",), ("raw", "archive")], ids=["archive gone", "archive kept"])
def test_so_it_does_where_events_were_archived_whether_or_not_the_archive_is_there(
    left: tuple[str, ...], store: Path
) -> None:
    before = digests(store)
    archived = document("archive", "--older-than", "90", store=store)["events"]
    assert archived > 500
    assert digests(store) == before
    remove_all_but(store, *left)
    succeeds("reconcile", "--repair", store=store)
    assert digests(store) == before
    account = document("reconcile", store=store)
    assert (account["holds"], account["stored"], account["archived"]) == (True, account["curated"], 0)
    succeeds("rebuild", "--all", store=store)
    assert digests(store) == before
    assert document("archive", "--older-than", "90", store=store)["events"] == archived
    assert digests(store) == before
    assert document("reconcile", store=store)["holds"]


@pytest.fixture
def bereft(store: Path) -> tuple[Path, dict[str, str]]:
    """A store whose archive is gone, and the digests of before."""
    before = digests(store)
    succeeds("archive", "--older-than", "90", store=store)
    (store / "archive").rename(store / "elsewhere")
    return store, before


def test_where_only_the_archive_is_gone_reconcile_says_so_and_what_to_do(bereft: tuple[Path, dict[str, str]]) -> None:
    store, before = bereft
    result = millrace("reconcile", "--json", store=store)
    assert result.exit_code == 1
    account = json.loads(result.stdout)
    missing = account["curated"] - account["stored"]
    assert (account["holds"], account["archived"]) == (False, 0)
    assert f"{missing:,} events are neither in the store nor in the archive" in result.stderr
    assert "Bring the files of the archive back" in result.stderr
    assert result.stderr.count("\n") == 1
    (store / "elsewhere").rename(store / "archive")
    assert document("reconcile", store=store)["holds"]
    assert digests(store) == before


def test_without_its_archive_a_new_store_is_backfilled_from_the_raw_log(
    bereft: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    store, before = bereft
    report = document("backfill", f"file:{store}", store=tmp_path / "new")
    assert report["receipts"] == 10
    assert digests(tmp_path / "new") == before
    assert document("reconcile", store=tmp_path / "new")["holds"]


def test_processed_again_without_the_archive_events_are_dead_letters_until_it_is_back(
    bereft: tuple[Path, dict[str, str]],
) -> None:
    store, before = bereft
    report = document("backfill", f"file:{store}", store=store)
    behind = report["dead_letters"]["before-archive-boundary"]
    assert behind > 500
    assert document("reconcile", store=store)["holds"]
    (store / "elsewhere").rename(store / "archive")
    result = millrace("dead-letters", "redrive", "--reason", "before-archive-boundary", "--json", store=store)
    redriven = json.loads(result.stdout)
    assert redriven["same"] == redriven["held"] == 0
    assert {row["now"]["reason"] for row in redriven["samples"]["other"]} == {"conflict"}  # as it was before
    assert digests(store) == before
    assert document("reconcile", store=store)["holds"]
