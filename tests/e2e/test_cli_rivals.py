"""``redrive`` and ``backfill`` of the own log from two processes at once: the second is told, and nothing is harmed."""

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from .cli import document, fails, millrace, succeeds
from .situations import Situation, loosened_rule
from .test_kill import PROGRAM


@pytest.fixture
def refused(tmp_path: Path) -> Situation:
    """A store half of whose purchases were refused by a rule that lets all pass by now."""
    return loosened_rule(tmp_path / "refused")


def commands(situation: Situation) -> dict[str, list[str]]:
    where = ["--store", f"file:{situation.store}", "--catalog", situation.catalog]
    return {
        "redrive": ["dead-letters", "redrive", *where],
        "backfill": ["backfill", f"file:{situation.store}", *where],
    }


def started(arguments: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def as_if_alone(situation: Situation, folder: Path) -> dict[str, Any]:
    """The state that both commands come to, one after the other."""
    alone = situation.copied(folder)
    for arguments in commands(alone).values():
        succeeds(*arguments)
    return alone.state()


@pytest.mark.parametrize(("first", "second"), [("redrive", "backfill"), ("backfill", "redrive")])
def test_the_second_is_told_who_writes_and_the_first_goes_on(
    first: str, second: str, refused: Situation, tmp_path: Path
) -> None:
    expected = as_if_alone(refused, tmp_path / "alone")
    catalog = Path(refused.catalog)
    quick = catalog.read_text()
    catalog.write_text(quick.replace("    return 0 <=", "    import time\n    time.sleep(0.003)\n    return 0 <="))
    lock = refused.store / "lock"
    process = started(commands(refused)[first])
    while (not lock.exists() or lock.read_text() != f"{process.pid}\n") and process.poll() is None:
        time.sleep(0.01)
    sentence = fails(2, *commands(refused)[second])
    assert f"is being written by another process (pid {process.pid})" in sentence
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    catalog.write_text(quick)
    assert refused.holds()
    succeeds(*commands(refused)[second])
    assert refused.state() == expected
    assert refused.holds()


@pytest.mark.parametrize(
    "rivals", [["redrive", "backfill"], ["redrive", "redrive"], ["backfill", "backfill"]], ids="-".join
)
def test_begun_in_the_same_instant_one_of_them_does_it(rivals: list[str], refused: Situation, tmp_path: Path) -> None:
    expected = as_if_alone(refused, tmp_path / "alone")
    for _ in range(2):
        processes = [started(commands(refused)[each]) for each in rivals]
        for process in processes:
            _, said = process.communicate(timeout=60)
            assert process.returncode in (0, 2), said
            assert (process.returncode == 2) == ("is being written by another process" in said)
        assert 0 in [process.returncode for process in processes]
    for arguments in commands(refused).values():
        assert millrace(*arguments).exit_code == 0
    assert refused.state() == expected
    assert document("reconcile", "--catalog", refused.catalog, store=refused.store)["holds"]
