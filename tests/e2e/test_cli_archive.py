"""Claims about ``archive``, ``restore``, ``events --archived`` and ``reconcile`` on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from millrace.core.services import archive as archiving
from millrace.entrypoints.cli.archive import _wait

from .cli import document, fails, lines, millrace, objects, purchase, succeeds
from .situations import shop

OLD = "2025-01-02T03:04:05Z"
RECENT = "2100-01-01T00:00:00Z"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    old = [purchase(f"old-{n}", eventTime=f"2025-01-0{1 + n}T00:00:00Z") for n in range(4)]
    run(path, *old, purchase("new", eventTime=RECENT), old[0])
    return path


def run(store: Path, *events: Any) -> Any:
    return document("run", "-", store=store, stdin=lines(*events))


def ids(store: Path, *options: str) -> list[str]:
    return [row["eventId"] for row in objects("events", "purchase", *options, store=store)]


def test_archived_events_are_shown_only_where_they_are_asked_for(store: Path) -> None:
    before, view = objects("events", "purchase", store=store), document("view", "revenue", store=store)
    found = document("archive", "--older-than", "90", store=store)
    assert (found["events"], found["records"], found["types"], found["dry_run"]) == (4, 4, {"purchase": 4}, False)
    assert found["boundary"].endswith("T00:00:00Z")
    assert ids(store) == ["new"]
    assert objects("events", "purchase", "--archived", store=store) == before
    assert document("view", "revenue", store=store) == view
    assert document("reconcile", store=store)["holds"]
    chosen = ids(store, "--archived", "--since", "2025-01-02", "--until", "2025-01-04", "--where", "eventId=old-2")
    assert chosen == ["old-2"]
    text = succeeds("events", "purchase", "--archived", "--csv", store=store).stdout
    assert len(text.splitlines()) == 6


def test_a_dry_run_says_what_would_be_archived_and_changes_nothing(store: Path) -> None:
    found = document("archive", "--older-than", "90", "--dry-run", store=store)
    assert (found["events"], found["bytes"], found["dry_run"]) == (4, 0, True)
    assert len(ids(store)) == 5
    assert not (store / "archive").exists()
    assert "4 events would be archived." in succeeds("archive", "--older-than", "90", "--dry-run", store=store).stdout


def test_the_files_are_where_the_tables_of_the_lake_look_for_them(store: Path) -> None:
    succeeds("archive", "--older-than", "90", store=store)
    days = [f"day=2025-01-0{n}" for n in range(1, 5)]
    assert sorted(path.name for path in (store / "archive" / "curated").iterdir()) == days
    for day in days:
        [file] = (store / "archive" / "curated" / day / "type=purchase").iterdir()
        assert file.name.endswith(".ndjson.gz")


def test_what_comes_from_behind_the_boundary_is_a_duplicate_or_a_dead_letter(store: Path) -> None:
    succeeds("archive", "--older-than", "90", store=store)
    known = purchase("old-1", eventTime="2025-01-02T00:00:00Z")
    found = run(store, known, purchase("late", eventTime=OLD), purchase("front", eventTime="2099-01-01T00:00:00Z"))
    assert (found["duplicate"], found["curated"]) == (1, 1)
    assert found["dead_letters"] == {"before-archive-boundary": 1}
    assert document("reconcile", store=store)["holds"]


def test_restored_events_are_in_the_store_and_count_once(store: Path) -> None:
    before, view = objects("events", "purchase", store=store), document("view", "revenue", store=store)
    succeeds("archive", "--older-than", "90", store=store)
    found = document("restore", "--since", "2025-01-02", "--type", "purchase", store=store)
    assert found == {"records": 3, "events": 3, "types": {"purchase": 3}, "without_receipt": 0}
    assert ids(store) == ["old-1", "old-2", "old-3", "new"]
    assert "4 events are in the store." in succeeds("restore", store=store).stdout
    assert (
        objects("events", "purchase", store=store) == objects("events", "purchase", "--archived", store=store) == before
    )
    account = document("reconcile", store=store)
    assert (account["holds"], account["stored"], account["archived"]) == (True, 5, 0)
    succeeds("rebuild", "revenue", store=store)
    assert document("view", "revenue", store=store) == view
    assert document("archive", "--older-than", "90", store=store)["bytes"] == 0
    succeeds("rebuild", "revenue", store=store)
    assert document("view", "revenue", store=store) == view


def test_archiving_again_finds_nothing(store: Path) -> None:
    succeeds("archive", "--older-than", "90", store=store)
    assert "There is nothing to archive." in succeeds("archive", "--older-than", "90", store=store).stdout
    assert "There are no such archived events." in succeeds("restore", "--since", "2026-01-01", store=store).stdout


def test_wrong_usage_is_one_sentence(store: Path) -> None:
    assert "purchases" in fails(2, "archive", "--older-than", "90", "--type", "purchases", store=store)
    assert "--older-than" in fails(2, "archive", store=store)
    assert "--older-than" in fails(2, "archive", "--older-than", "0", store=store)
    assert "purchases" in fails(2, "restore", "--type", "purchases", store=store)
    assert "purchases" in fails(2, "events", "purchases", "--archived", store=store)


def test_a_damaged_file_of_the_archive_is_named(store: Path) -> None:
    succeeds("archive", "--older-than", "90", store=store)
    [file] = (store / "archive" / "curated" / "day=2025-01-02" / "type=purchase").iterdir()
    file.write_bytes(file.read_bytes()[:-9])
    assert "is damaged" in fails(2, "events", "purchase", "--archived", "--ndjson", store=store)
    assert "is damaged" in fails(2, "restore", store=store)


def test_reconcile_names_receipts_whose_bytes_are_gone(store: Path) -> None:
    succeeds("archive", "--older-than", "90", store=store)
    receipt = objects("events", "purchase", store=store)[0]["receipt"]
    [raw] = [path for path in (store / "raw").rglob("*") if path.is_file() and receipt in path.name]
    raw.unlink()
    result = millrace("reconcile", "--json", store=store)
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["unknown"], found["gone"]) == ([receipt], [receipt])


def test_a_changed_catalog_is_applied_to_archived_events_once_they_are_restored(tmp_path: Path) -> None:
    store, old, new = (
        tmp_path / "store",
        shop(tmp_path / "old.py"),
        shop(tmp_path / "new.py", least=2, factor=3, parts=2),
    )
    events = [purchase(f"{n}", f"{n}", eventTime=OLD) for n in range(1, 5)]
    succeeds("run", "-", "--catalog", old, store=store, stdin=lines(*events, purchase("9", "9", eventTime=RECENT)))
    succeeds("archive", "--older-than", "90", "--catalog", old, store=store)
    before = objects("events", "purchase", "--archived", "--catalog", old, store=store)

    replace = ("backfill", f"file:{store}", "--replace", "--lose", "--yes", "--catalog", new)
    told = succeeds(*replace, store=store).stdout
    assert "4 of the events that would be lost or changed are archived; replacing leaves these as they are." in told
    assert "millrace restore, millrace backfill --replace, and millrace archive again" in told
    done = document(*replace, store=store)
    assert (done["replaced"], done["lost"], done["kept"], done["rebuild"]) == (0, 0, 4, [])
    assert done["diff"]["archived"] == {"changed": 3, "lost": 1}
    assert objects("events", "purchase", "--archived", "--catalog", new, store=store) == before

    succeeds("restore", "--catalog", new, store=store)
    done = document(*replace, store=store)
    assert (done["replaced"], done["lost"], done["kept"], done["rebuild"]) == (4, 1, 0, ["revenue"])
    assert document("archive", "--older-than", "90", "--catalog", new, store=store)["events"] == 3
    succeeds("rebuild", "revenue", "--catalog", new, store=store)
    clean = document("backfill", f"file:{store}", "--dry-run", "--catalog", new, store=store)
    assert (clean["same"], clean["changed"], clean["lost"], clean["archived"]) == (4, 0, 0, {"same": 3})
    assert document("reconcile", "--catalog", new, store=store)["holds"]

    fresh = tmp_path / "fresh"
    document("backfill", f"file:{store}", "--catalog", new, store=fresh)
    for command in (["view", "revenue"], ["events", "purchase", "--archived"]):
        rows, expected = (document(*command, "--catalog", new, store=each) for each in (store, fresh))
        assert [{k: v for k, v in row.items() if k != "curatedAt"} for row in rows] == [
            {k: v for k, v in row.items() if k != "curatedAt"} for row in expected
        ]


def test_where_others_insert_the_command_waits_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    class Waiting:
        left = 95_000_000

        def wait(self) -> int:
            return max(self.left, 0)

    waiting, slept = Waiting(), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        waiting.left -= int(seconds * 1_000_000)

    service: Any = waiting
    _wait(service, sleep)
    assert slept == [30.0, 30.0, 30.0, 5.0]
    assert "Waiting 2 minutes" in capsys.readouterr().err
    assert archiving.STACK_MARGIN >= 30 * 60_000_000
