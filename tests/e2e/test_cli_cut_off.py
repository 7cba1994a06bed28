"""Commands that are killed or interrupted at random moments, and given again until they finish: as if nothing had been.

A moment is a call of one of Millrace's functions, drawn from a seed, so that it does not depend on how fast the machine
is. STRIKES in the environment makes it as thorough as asked.
"""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from .cli import millrace
from .situations import SITUATIONS, Situation

STRIKES = int(os.environ.get("STRIKES", "4"))
PROGRAM = """
import os, signal, sys
number, name = int(sys.argv[1]), sys.argv[2]
del sys.argv[1:3]
calls = 0

def counted(frame, event, _):
    global calls
    if event == "call" and frame.f_globals.get("__name__", "").startswith("millrace."):
        calls += 1
        if calls == number:
            os.kill(os.getpid(), getattr(signal, name))

from millrace.entrypoints.cli import main
sys.setprofile(counted)
try:
    main()
finally:
    sys.setprofile(None)
    if not number:
        print(calls, file=sys.stderr)
"""


def struck(situation: Situation, number: int, name: str = "SIGKILL") -> "subprocess.CompletedProcess[str]":
    """The command, which gets a signal at a call of a function; at none where ``number`` is 0."""
    command = [sys.executable, "-c", PROGRAM, str(number), name, *situation.arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_command_that_is_cut_off_and_given_again_ends_as_an_undisturbed_one(name: str, tmp_path: Path) -> None:
    situation = SITUATIONS[name](tmp_path / "situation")
    calm = situation.copied(tmp_path / "calm")
    undisturbed = struck(calm, 0)
    assert undisturbed.returncode == 0, undisturbed.stderr
    # Not each run makes as many calls, if nearly so.
    calls, expected, random = int(undisturbed.stderr.split()[-1]) * 9 // 10, calm.state(), Random(name)
    for number in range(STRIKES):
        cut_off = situation.copied(tmp_path / str(number))
        signals = [random.choice(["SIGKILL", "SIGINT"]) for _ in range(random.choice([1, 1, 2]))]
        ends = [struck(cut_off, random.randint(1, calls), each) for each in signals]
        assert ends[0].returncode == {"SIGKILL": -9, "SIGINT": 130}[signals[0]]
        for done in ends:
            assert "Traceback" not in done.stderr, done.stderr
            if done.returncode == 130:
                assert sum(line.startswith("millrace: ") for line in done.stderr.splitlines()) == 1
        again = millrace(*cut_off.arguments)
        assert again.exit_code == 0, again.output
        assert cut_off.state() == expected
        assert cut_off.holds()
    assert millrace(*cut_off.arguments).exit_code == 0
    assert cut_off.state() == expected
