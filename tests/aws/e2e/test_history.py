"""History on a deployed stack, by the command line: jobs, the archive and back, dead letters under another catalog."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from millrace.core.catalogs import retail
from tests.e2e.cli import fails, millrace

from .cloud import Cloud
from .runtime import Answer
from .test_command_line import STACK, told
from .test_way import ledger, letters, post, purchase

OLD, BOUNDARY = "2025-01-02T10:00:00Z", date(2025, 6, 1)
"""An instant, and a day behind it. No other test has events before that day, which functions remember for a while."""
SECOND = 1_000_000


# ----------------------------------------------------------------------------------------------------------------- jobs
@contextmanager
def holding(cloud: Cloud, function: str) -> Iterator[None]:
    """The state machine waits for one of the functions for as long as the block lasts."""
    free = threading.Event()

    def invoke(name: str, payload: bytes) -> Answer:
        if function in name:
            free.wait(60)
        return cloud.invoke(name, payload)

    cloud.front.invoke = invoke
    try:
        yield
    finally:
        free.set()
        cloud.front.invoke = cloud.invoke


def shown_once(holds: Callable[[Any], bool]) -> Any:
    """What is shown of the job "second" once that holds, or after half a minute."""
    deadline = time.monotonic() + 30
    while not holds(seen := told("jobs", "show", "second")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert holds(seen), seen
    return seen


def test_jobs_are_started_shown_listed_stopped_and_retried(cloud: Cloud) -> None:
    for number in range(4):
        post(cloud, [purchase(2 * number), purchase(2 * number + 1)])
    report = told("jobs", "start", "--name", "first", "--shard-size", "2")
    assert (report["state"], report["shards"], report["loaded"], report["curated"]) == ("succeeded", 2, 2, 8)
    shown = told("jobs", "show", "first")
    done = [event["step"] for event in shown["events"] if event["kind"] == "done"]
    assert done == ["plan", "validate", "gate", "load", "reconcile"]
    assert "first" in millrace("jobs", "list", "--store", STACK).stdout

    with holding(cloud, "transformation"):
        assert told("jobs", "start", "--name", "second", "--shard-size", "1", "--no-wait")["state"] == "running"
        seen = shown_once(lambda job: job["validated"] == 4)
        assert (seen["state"], seen["shards"], seen["validated"], seen["loaded"]) == ("running", 4, 4, 0)
        assert millrace("jobs", "stop", "second", "--store", STACK).exit_code == 0
    shown_once(lambda job: job["state"] == "stopped")  # moto's machine notices once its task has returned
    assert [status["job"] for status in told("jobs", "list", "--state", "stopped")] == ["second"]
    retried = told("jobs", "retry", "second")
    assert (retried["state"], retried["loaded"], retried["curated"]) == ("succeeded", 4, 8)
    assert [status["state"] for status in told("jobs", "list")] == ["succeeded", "succeeded"]
    assert told("reconcile")["curated"] == 8


def test_a_job_that_fails_or_is_not_there_is_told(cloud: Cloud) -> None:
    post(cloud, [purchase(0), purchase(1, currency="XXX")])
    result = millrace("jobs", "start", "--name", "strict", "--allowed-rejections", "0.1", "--json", "--store", STACK)
    assert result.exit_code == 1
    assert "Job strict failed: DataQualityError: 1 of 2 events would be rejected (invalid 1)" in result.stderr
    assert json.loads(result.stdout)["state"] == "failed"
    assert (ledger(cloud), letters(cloud)) == ([], [])
    assert "There is no job none" in fails(2, "jobs", "show", "none", "--store", STACK)
    assert "something else" in fails(2, "jobs", "start", "--name", "strict", "--store", STACK)


def test_the_own_log_is_backfilled_by_a_job(cloud: Cloud) -> None:
    post(cloud, [purchase(0), purchase(1)])
    post(cloud, [purchase(1), purchase(2, currency="XXX")])
    cloud.empty("QueueUrl")  # lost between the raw log and the ledger
    report = told("backfill", STACK, "--allowed-rejections", "0.5")
    counts = {name: report[name] for name in ("state", "receipts", "events", "curated", "duplicate", "dead_letters")}
    assert counts == {
        "state": "succeeded", "receipts": 2, "events": 4, "curated": 2, "duplicate": 1, "dead_letters": {"invalid": 1},
    }  # fmt: skip
    cloud.changes.drain()
    assert [row["orders"] for row in told("view", "revenue")] == [2]
    again = told("backfill", STACK, "--allowed-rejections", "0.5")
    assert {name: again[name] for name in counts} == counts
    cloud.drain()
    assert [row["orders"] for row in told("view", "revenue")] == [2]
    assert told("backfill", STACK, "--dry-run")["same"] == 2


# -------------------------------------------------------------------------------------------------------------- archive
def test_events_are_archived_found_compared_rebuilt_and_restored(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.core.services.archive.STACK_MARGIN", SECOND)
    monkeypatch.setattr("millrace.core.services.rebuild.STACK_MARGIN", SECOND)
    old = [{**purchase(number), "eventTime": OLD} for number in range(3)]
    post(cloud, [*old, purchase(7)])
    cloud.drain()
    view, every = told("view", "revenue"), told("events", "purchase")
    age = str((datetime.now(UTC).date() - BOUNDARY).days)

    assert told("archive", "--older-than", age, "--dry-run")["events"] == 3
    done = told("archive", "--older-than", age)
    assert (done["events"], done["boundary"]) == (3, "2025-06-01T00:00:00Z")
    assert [event["eventId"] for event in told("events", "purchase")] == ["p-7"]
    assert told("events", "purchase", "--archived") == every
    account = told("reconcile")
    assert (account["holds"], account["stored"], account["archived"]) == (True, 1, 3)
    found = told("backfill", STACK, "--dry-run")
    assert (found["same"], found["archived"]) == (4, {"same": 3})
    cloud.drain()  # the deletions are in the stream, too
    assert told("view", "revenue") == view
    told("rebuild", "revenue")
    assert told("view", "revenue") == view

    restored = told("restore", "--type", "purchase")
    assert (restored["events"], restored["without_receipt"]) == (3, 0)
    assert told("events", "purchase") == every
    cloud.drain()
    assert told("view", "revenue") == view
    assert told("archive", "--older-than", age)["bytes"] == 0
    assert told("reconcile")["holds"]


# --------------------------------------------------------------------------------------------------------- dead letters
def loosened(folder: Path) -> str:
    """The sample's catalog, which takes one currency more."""
    text = Path(retail.__file__).read_text()
    for before, after in (
        ('"GBP"]', '"GBP", "XXX"]'),
        ("from ..catalog ", "from millrace.core.catalog "),
        ("from ..views.", "from millrace.core.views."),
    ):
        assert before in text
        text = text.replace(before, after)
    (folder / "loosened.py").write_text(text)
    return str(folder / "loosened.py")


def test_what_a_loosened_catalog_takes_leaves_the_dead_letters_and_is_counted(cloud: Cloud, tmp_path: Path) -> None:
    post(cloud, [purchase(0), purchase(1, currency="XXX"), purchase(2, amount=-1)])
    cloud.drain()
    catalog = ("--catalog", loosened(tmp_path))

    def counts(report: dict[str, Any]) -> tuple[int, ...]:
        return tuple(report[name] for name in ("letters", "passed", "same", "other"))

    assert counts(told("dead-letters", "redrive", "--dry-run")) == (2, 0, 2, 0)
    assert counts(told("dead-letters", "redrive", "--dry-run", *catalog)) == (2, 1, 1, 0)
    assert len(letters(cloud)) == 2
    assert counts(told("dead-letters", "redrive", *catalog, status=1)) == (2, 1, 1, 0)
    [left] = letters(cloud)
    assert (left.event_id, left.attempts) == ("p-2", 2)
    cloud.drain()
    assert {row["group"]["currency"]: row["orders"] for row in told("view", "revenue")} == {"EUR": 1, "XXX": 1}
    assert told("reconcile")["curated"] == 2
