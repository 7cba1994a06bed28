"""``millrace jobs``: start, show, list, stop, retry; killed, and looked at while they run."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from .cli import document, fails, lines, millrace, purchase, succeeds
from .test_kill import PROGRAM


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Six receipts; in one of them an event is wrong."""
    for number in range(6):
        file = tmp_path / f"{number}.ndjson"
        file.write_bytes(lines(purchase(f"{number}"), purchase(f"x{number}", '"-1"' if number == 5 else '"1"')))
        succeeds("run", file, store=tmp_path / "store")
    return tmp_path / "store"


def test_a_job_tells_what_it_came_to(store: Path) -> None:
    report = document("jobs", "start", "--name", "again", "--shard-size", 2, "--allowed-rejections", "0.1", store=store)
    assert (report["job"], report["state"], report["shards"], report["loaded"]) == ("again", "succeeded", 3, 3)
    assert (report["events"], report["curated"], report["dead_letters"]) == (12, 11, {"invalid": 1})
    shown = document("jobs", "show", "again", store=store)
    events = shown.pop("events")
    assert [event["step"] for event in events if event["kind"] == "done"] == [
        "plan", "validate", "gate", "load", "reconcile",
    ]  # fmt: skip
    assert [status["job"] for status in document("jobs", "list", store=store)] == ["again"]
    assert "again" in succeeds("jobs", "list", store=store).stdout
    assert "succeeded" in succeeds("jobs", "show", "again", store=store).stdout


def test_a_job_that_the_gate_stops_exits_with_1_and_can_be_retried(store: Path) -> None:
    result = millrace("jobs", "start", "--name", "strict", "--allowed-rejections", "0", "--json", store=store)
    assert result.exit_code == 1
    assert "Job strict failed: DataQualityError: 1 of 12 events would be rejected" in result.stderr
    assert json.loads(result.stdout)["state"] == "failed"
    assert millrace("jobs", "retry", "strict", store=store).exit_code == 1
    kinds = [event["kind"] for event in document("jobs", "show", "strict", store=store)["events"]]
    assert kinds.count("retried") == 1
    assert [it["job"] for it in document("jobs", "list", "--state", "failed", store=store)] == ["strict"]


def test_a_job_over_nothing_says_so(store: Path) -> None:
    assert "there was nothing to do" in succeeds("jobs", "start", "--until", "2020-01-01", store=store).stdout


def test_jobs_that_are_not_there_are_told_in_one_sentence(store: Path) -> None:
    for command in ("show", "retry", "stop"):
        assert "There is no job none" in fails(2, "jobs", command, "none", store=store)
    assert "no name of a job" in fails(2, "jobs", "start", "--name", "a b", store=store)
    assert "no job yet" in succeeds("jobs", "list", store=store).stderr
    succeeds("jobs", "start", "--name", "x", "--allowed-rejections", "1", store=store)
    assert "something else" in fails(2, "jobs", "start", "--name", "x", "--shard-size", 3, store=store)


SLOW = """
import time, attrs
from millrace import Catalog
catalog = Catalog("retail")

@catalog.event("purchase", unknown="drop")
@attrs.frozen
class Purchase:
    order_id: str

@catalog.rule(Purchase)
def slow(event):
    time.sleep(0.15)
    return True
"""


@pytest.fixture
def running(store: Path, tmp_path: Path) -> Any:
    """A job that takes some seconds, in another process."""
    (tmp_path / "slow.py").write_text(SLOW)
    where = ["--store", f"file:{store}", "--catalog", str(tmp_path / "slow.py")]
    asked = ["jobs", "start", "--name", "slow", "--shard-size", "1", "--allowed-rejections", "1"]
    process = subprocess.Popen([*PROGRAM, *asked, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not (store / "jobs" / "slow" / "validated").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_job_is_seen_by_others_while_it_runs(store: Path, running: Any) -> None:
    seen = document("jobs", "show", "slow", store=store)
    assert (seen["state"], seen["shards"]) == ("running", 6)
    assert "is being written by another process" in fails(2, "jobs", "start", store=store)


def test_a_job_that_was_asked_to_stop_goes_on_when_it_is_retried(store: Path, running: Any) -> None:
    succeeds("jobs", "stop", "slow", store=store)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 1
    assert b"Job slow was stopped: It was asked to stop" in err
    seen = document("jobs", "show", "slow", store=store)
    assert seen["state"] == "stopped"
    assert 1 <= seen["validated"] + seen["loaded"] < 12
    assert document("jobs", "retry", "slow", store=store)["state"] == "succeeded"


def test_a_job_that_was_killed_is_seen_as_such_and_goes_on_where_it_was(store: Path, running: Any) -> None:
    running.send_signal(signal.SIGKILL)
    running.wait()
    seen = document("jobs", "show", "slow", store=store)
    assert (seen["state"], seen["error"]) == ("failed", "Interrupted")
    validated = {path: path.stat().st_mtime_ns for path in (store / "jobs" / "slow" / "validated").iterdir()}
    assert validated
    assert document("jobs", "retry", "slow", store=store)["state"] == "succeeded"
    assert {path: path.stat().st_mtime_ns for path in validated} == validated


def test_ctrl_c_leaves_a_stopped_job(store: Path, running: Any) -> None:
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130
    assert document("jobs", "show", "slow", store=store)["state"] == "stopped"
    assert document("jobs", "retry", "slow", store=store)["state"] == "succeeded"
