"""The README's commands are run in an empty folder, in its order, and print what it says."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARYING = [
    (re.compile(r"\b01[0-9a-f]{6}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "RECEIPT"),
    (re.compile(r"^(seconds|events/s) +[\d.,]+", re.MULTILINE), r"\1 N"),  # right-aligned, so of any width
    (re.compile(r"(\"seconds\": |\"events_per_second\": )[\d.,]+"), r"\1N"),
]


def blocks() -> list[tuple[str, str, str]]:
    """Each block's language and text, and the name of the file the prose before it asks to save it as."""
    text = README.read_text()
    found = []
    for block in _BLOCK.finditer(text):
        named = re.findall(r"Save this as `([^`]+)`", text[: block.start()])
        found.append((block[1], block[2], named[-1] if named else ""))
    return found


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command with the output that is printed below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def settled(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def run(command: str, folder: Path) -> str:
    program = f"{shlex.quote(sys.executable)} -c 'from millrace.entrypoints.cli import main; main()'"
    script = re.sub(r"^millrace\b", lambda _: program, command)
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_readme_commands_print_what_it_says(tmp_path: Path) -> None:
    ran = 0
    for language, text, name in blocks():
        if language == "python":
            (tmp_path / name).write_text(text)
            continue
        for command, output in commands(text):
            if command.startswith("make "):
                continue
            if command.startswith("cat "):
                (tmp_path / command.removeprefix("cat ")).write_text(output)
                continue
            assert settled(run(command, tmp_path)) == settled(output), command
            ran += 1
    assert ran > 5
