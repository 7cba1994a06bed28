"""A disk that is full in the middle of a command: one sentence, and with room again the same command finishes.

What stands for it is a limit to how large a file may grow, which the system keeps to: writing beyond it fails.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .cli import millrace
from .situations import SITUATIONS, Situation

PROGRAM = """
import resource, sys
size = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
from millrace.entrypoints.cli import main
main()
"""
SHARES = (0, 10, 50, 90)
"""Percent of what the largest file comes to, to which files may grow."""


def cramped(situation: Situation, size: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PROGRAM, str(size), *situation.arguments]
    # Coverage, where it is measured, would write a file of its own, for which there is no room either.
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings)


@pytest.mark.parametrize("name", SITUATIONS)
def test_on_a_full_disk_a_command_says_so_in_a_sentence_and_finishes_when_there_is_room(
    name: str, tmp_path: Path
) -> None:
    situation = SITUATIONS[name](tmp_path / "situation")
    calm = situation.copied(tmp_path / "calm")
    assert millrace(*calm.arguments).exit_code == 0
    largest, expected = max(file.stat().st_size for file in calm.store.rglob("*")), calm.state()
    failed = 0
    for share in SHARES:
        full = situation.copied(tmp_path / str(share))
        done = cramped(full, largest * share // 100)
        assert "Traceback" not in done.stderr, done.stderr
        if done.returncode:
            failed += 1
            assert done.returncode in (1, 2), done.stderr
            [sentence] = [line for line in done.stderr.splitlines() if line.startswith("millrace: ")]
            assert "the store at" in sentence
        again = millrace(*full.arguments)
        assert again.exit_code == 0, again.output
        assert full.state() == expected
        assert full.holds()
    assert failed >= len(SHARES) // 2, "there was room enough"
