"""Claims about incident files."""

import re
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from click.testing import Result

from millrace.core.errors import PermanentError
from millrace.entrypoints.ops.findings import Report
from millrace.entrypoints.ops.incidents import closed, opened

from .standing import Stand

START = 1_795_399_200_000_000  # 2026-11-23T02:00:00Z
FOUND = [Report("Parts", ("part", "state"), [{"part": "a|b", "state": "off\non"}], ["The part a is off"])]


class Clock:
    def __init__(self) -> None:
        self.at = START + 1

    def now(self) -> int:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_incident_has_what_was_known_when_it_began_and_what_is_left_to_write(
    cloud: Stand, clock: Clock, tmp_path: Path
) -> None:
    stack = attrs.evolve(cloud.stack, clock=clock)
    path = opened(stack, "Orders are late!", tmp_path / "new", lambda: FOUND)
    assert path.name == "2026-11-23-orders-are-late.md"
    text = path.read_text()
    assert "Status: open\nStarted: 2026-11-23T02:00:00Z\nStack: millrace (production), eu-west-1" in text
    assert "- The part a is off" in text
    assert "| part | state |\n| --- | --- |\n| a\\|b | off on |" in text
    assert all(link.startswith("https://eu-west-1.console") for link in re.findall(r"\]\(([^)]*)\)", text))
    clock.at += 95 * 60_000_000
    assert closed(stack, "2026-11-23-orders-are-late", tmp_path / "new", list) == path
    ended = path.read_text()
    assert "Status: closed\nEnded: 2026-11-23T03:35:00Z\nDuration: 95 minutes" in ended
    assert (
        ended.index("## Timeline")
        < ended.index("## What was wrong when this was closed")
        < ended.index("To be written")
    )


def test_no_incident_is_ever_written_over(cloud: Stand, clock: Clock, tmp_path: Path) -> None:
    stack = attrs.evolve(cloud.stack, clock=clock)
    names = [opened(stack, "Same", tmp_path, list).name for _ in range(3)]
    assert names == ["2026-11-23-same.md", "2026-11-23-same-2.md", "2026-11-23-same-3.md"]
    first = closed(stack, str(tmp_path / names[0]), tmp_path, list)
    text = first.read_text()
    for wrong in (names[0], "no-such", "../etc"):
        with pytest.raises(PermanentError):
            closed(stack, wrong, tmp_path, list)
    assert first.read_text() == text


def test_a_title_without_a_letter_is_refused(cloud: Stand, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="letters or digits"):
        opened(cloud.stack, "!?", tmp_path, list)
    assert [*tmp_path.iterdir()] == []


def test_the_commands_write_and_name_the_file(cloud: Stand, tmp_path: Path) -> None:
    path = Path(cloud.told("incident", "new", "Line one", "--folder", str(tmp_path))["file"])
    assert "### " in path.read_text(), "the health of the stack is in it"
    assert cloud.ops("incident", "close", path.stem, "--folder", str(tmp_path)).stdout.strip() == str(path)
    assert "is no open incident" in cloud.ops("incident", "close", path.stem, "--folder", str(tmp_path), code=2).stderr


def test_without_a_stack_no_file_is_written(nothing: Callable[..., Result], tmp_path: Path) -> None:
    result = nothing("incident", "new", "x", "--folder", str(tmp_path))
    assert (result.exit_code, [*tmp_path.iterdir()]) == (2, [])
