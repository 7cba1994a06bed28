"""The reader of pages notices what is not as a page says."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from tests.docs.session import Session, session

BLOCKS = {
    "another output": ("console", "$ echo one\ntwo\n"),
    "more output": ("console", "$ printf 'one\\ntwo\\n'\none\n"),
    "output where there is none": ("console", "$ true\none\n"),
    "a command that fails": ("console", "$ false\n"),
    "another exit code": ("console", "$ false\n$ echo $?\n2\n"),
    "no command": ("console", "one\n"),
    "an option that there is not": ("sh", "millrace view revenue --no-such-option\n"),
    "a target that there is not": ("sh", "make no-such-target\n"),
    "an extra that there is not": ("console", "$ pip install 'millrace[nothing]'\n"),
    "a program that nobody knows": ("sh", "frobnicate\n"),
    "a command in a unit that there is not": ("ini", "[Service]\nExecStart=millrace no-such-command\n"),
    "code that raises": ("python", "raise ValueError\n"),
    "code that is none": ("python", "def\n"),
    "an example that is wrong": ("pycon", ">>> 1 + 1\n3\n"),
    "JSON that is none": ("json", "{,}\n"),
    "YAML that is none": ("yaml", "a: [\n"),
    "a change of no file": ("diff", "-one\n+two\n"),
    "a program without a name": ("javascript", "1\n"),
    "a language that nobody knows": ("cobol", "STOP RUN.\n"),
    "a drawing with a command": ("", "$ rm -r /\n"),
}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Session]:
    with session(tmp_path) as reading:
        yield reading


def page(tmp_path: Path, language: str, text: str) -> Path:
    path = tmp_path / "page.md"
    path.write_text(f"# A page\n\n```{language}\n{text}```\n")
    return path


@pytest.mark.parametrize("what", BLOCKS)
def test_a_page_that_is_wrong_fails(what: str, reader: Session, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, SyntaxError, ValueError, OSError, click.UsageError, yaml.YAMLError)):
        reader.play(page(tmp_path, *BLOCKS[what]))


def test_folder_and_exported_variables_last_and_dots_stand_for_anything(reader: Session, tmp_path: Path) -> None:
    text = "$ mkdir a\n$ cd a\n$ export B='c  d'\n$ pwd\n.../a\n$ echo \"$B\"\nc  d\n$ echo \\\n  one\none\n"
    assert reader.play(page(tmp_path, "console", text)) == ["console"]
    assert reader.folder.name == "a"
