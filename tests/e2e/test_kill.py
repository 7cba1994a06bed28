"""SIGKILL at random moments of a run, and the same command again until it finishes: as if nothing had happened.

KILLS and EVENTS in the environment make it as thorough as asked (``KILLS=50 EVENTS=20000``).
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

KILLS, EVENTS = int(os.environ.get("KILLS", "6")), int(os.environ.get("EVENTS", "4000"))
PROGRAM = [sys.executable, "-c", "from millrace.entrypoints.cli import main; main()"]
TYPES = ("purchase", "refund", "page_view", "signup")
VIEWS = ("revenue", "refunds", "visitors", "pages", "funnel_visits", "funnel_signups", "funnel_purchases")


def millrace(*arguments: str, exits: int = 0) -> str:
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == exits, (arguments, done.stderr)
    return done.stdout


def state(store: str) -> dict[str, Any]:
    """Events, views and distinct dead letters, without what says when and in which receipt they came."""
    events = {}
    for name in TYPES:
        found = map(json.loads, millrace("events", name, "--ndjson", "--store", store).splitlines())
        events[name] = [{k: v for k, v in event.items() if k not in ("receipt", "curatedAt")} for event in found]
    letters = map(json.loads, millrace("dead-letters", "list", "--ndjson", "--store", store).splitlines())
    return {
        "events": events,
        "views": {name: json.loads(millrace("view", name, "--json", "--store", store)) for name in VIEWS},
        "letters": sorted((it["id"], it["reason"], it["fingerprint"], it["eventId"] or "") for it in letters),
    }


def killed_and_started_again(file: Path, store: str, seconds: float, rng: random.Random) -> int:
    """Run, killed at random moments and started again, until it finishes; how often it was killed while it ran."""
    kills = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [*PROGRAM, "run", str(file), "--store", store], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    millrace("run", str(file), "--store", store)
    return kills


def without_ids(file: Path) -> None:
    lines = []
    for line in file.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            lines.append(line)
        else:
            event.pop("eventId", None)
            lines.append(json.dumps(event).encode())
    file.write_bytes(b"\n".join(lines) + b"\n")


@pytest.mark.parametrize("ids", [True, False], ids=["events with ids", "events without ids"])
def test_a_run_that_is_killed_and_started_again_ends_as_an_undisturbed_one(tmp_path: Path, ids: bool) -> None:
    file = tmp_path / "sample.ndjson"
    file.write_text(millrace("sample", "--events", str(EVENTS), "--seed", "3", "--duplicates", "5", "--broken", "2"))
    if not ids:
        without_ids(file)
    started = time.monotonic()
    millrace("run", str(file), "--store", f"file:{tmp_path}/calm")
    seconds = time.monotonic() - started
    kills = killed_and_started_again(file, f"file:{tmp_path}/killed", seconds, random.Random(EVENTS))
    assert kills >= KILLS / 3, "the runs were over before they could be killed"
    millrace("reconcile", "--store", f"file:{tmp_path}/killed")
    assert state(f"file:{tmp_path}/killed") == state(f"file:{tmp_path}/calm")
