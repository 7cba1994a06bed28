"""Commands that are not run where tests run: whether what they name exists."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache

import click

from millrace.entrypoints.cli import main
from tests.docs.pages import ROOT
from tests.ops.runbook import parsed

# What is not of this project is only known by name.
_FOREIGN = frozenset(
    [".", "aws", "cd", "curl", "export", "git", "mkdir", "npm", "openssl", "python3", "sam", "sudo", "systemctl"]
)


def require_known(*lines: str) -> None:
    """Each line calls a command of Millrace with options it has, a target of the Makefile, an extra of the package, or
    a program that is known not to be ours. Raises ``AssertionError``.
    """
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        words = [word for word in shlex.split(text) if not re.fullmatch(r"\w+=.*", word)]
        match words[:1]:
            case ["millrace"]:
                parsed(shlex.join(words))
            case ["make"]:
                assert words[1] in _targets(), text
            case ["pip"] | ["python"]:
                for extra in re.findall(r"\[(\w+)\]", text):
                    assert extra in _extras(), text
            case [program]:
                assert program in _FOREIGN, f"{text}: nobody knows {program}"


@cache
def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@cache
def _extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return set(project["optional-dependencies"])


def every_command() -> Iterator[str]:
    """The paths of all commands, such as ``millrace jobs start``."""
    yield from _below(main, "millrace")


def _below(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        yield f"{path} {name}"
        if isinstance(command, click.Group):
            yield from _below(command, f"{path} {name}")
