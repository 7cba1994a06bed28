"""``deploy/RUNBOOK.md`` as data: its sections with their anchors, and the commands in each."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import attrs
import click

from millrace.entrypoints.cli import main
from tests.deploy.stacks import DEPLOY

PATH = DEPLOY / "RUNBOOK.md"
_HEADING = re.compile(r"(#{1,6}) (.+)")
_INLINE = re.compile(r"`(millrace [^`]+)`")
_LINK = re.compile(r"\]\(#([^)]+)\)")


@attrs.frozen
class Section:
    """A section up to the next heading. ``lines`` are its commands, ``prose`` is all the rest."""

    title: str
    level: int
    prose: str
    lines: tuple[str, ...]

    @property
    def anchor(self) -> str:
        """As GitHub makes it of a heading: lower case, no punctuation, hyphens for spaces."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")

    @property
    def commands(self) -> list[str]:
        """The commands of Millrace; the others set the shell up."""
        return [line for line in self.lines if line.startswith("millrace ")]


class Parsed(NamedTuple):
    """What a line means to the command line."""

    command: click.Command
    path: str
    options: set[str]


@cache
def sections() -> tuple[Section, ...]:
    """All sections, in order. Raises where a block is of another language than sh."""
    return tuple(_sections(PATH.read_text("utf-8")))


@cache
def commands() -> tuple[str, ...]:
    """Every command once, in the order of its first mention."""
    return tuple(dict.fromkeys(line for section in sections() for line in section.commands))


@cache
def inline() -> tuple[str, ...]:
    """Every command that the text mentions, once."""
    return tuple(dict.fromkeys(_INLINE.findall(" ".join(section.prose for section in sections()))))


def environment() -> dict[str, str]:
    """What the page exports."""
    exports = [line for section in sections() for line in section.lines if line.startswith("export ")]
    return dict(word.split("=", 1) for line in exports for word in shlex.split(line)[1:])


def links() -> set[str]:
    """The anchors that the page links to within itself."""
    return set(_LINK.findall(PATH.read_text("utf-8")))


def words(line: str) -> list[str]:
    """The arguments of a command."""
    name, *rest = shlex.split(line)
    assert name == "millrace"
    return rest


def parsed(line: str) -> Parsed:
    """Read a line as the command line does, up to the command's own options. Raises ``UsageError``."""
    command: click.Command = main
    root = click.Context(main, info_name="millrace", **main.context_settings)  # commands remember their -h
    context, rest, path = root, words(line), ["millrace"]
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, context, info_name=name)
        path.append(str(name))
    given, _, _ = command.make_parser(context).parse_args(rest)
    return Parsed(command, " ".join(path), set(given))


def _sections(text: str) -> Iterator[Section]:
    title, level, prose, lines, inside = "", 0, list[str](), list[str](), False
    for line in text.splitlines():
        if line.startswith("```"):
            assert inside or line == "```sh", line
            inside = not inside
        elif inside:
            lines += [line] if line.strip() else []
        elif heading := _HEADING.fullmatch(line):
            yield Section(title, level, "\n".join(prose).strip(), tuple(lines))
            title, level, prose, lines = heading[2], len(heading[1]), [], []
        else:
            prose.append(line)
    yield Section(title, level, "\n".join(prose).strip(), tuple(lines))
