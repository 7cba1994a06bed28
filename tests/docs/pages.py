"""A Markdown page as data: its fenced blocks with the prose before each."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SNIPPETS = DOCS / "snippets"
README = ROOT / "README.md"

_FENCE = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"(?P<verb>Save this as|Add this to|Change) `(?P<name>[^`]+)`")
_INCLUDED = re.compile(r'^--8<-- "(?P<file>[^":]+):(?P<section>\w+)"$', re.MULTILINE)


@attrs.frozen
class Block:
    """A fenced block: ``prose`` is what stands between it and the block before it."""

    place: str
    language: str
    text: str
    prose: str

    @property
    def name(self) -> str | None:
        """The file that the paragraph before the block says it is, is added to, or changes."""
        return self._named("name")

    @property
    def is_added(self) -> bool:
        """Whether the block goes to the end of a file."""
        return self._named("verb") == "Add this to"

    def _named(self, group: str) -> str | None:
        found = _NAMED.search(self.prose.strip().rpartition("\n\n")[2])
        return found[group] if found else None


def pages() -> list[Path]:
    """The guide's pages, in the order of their names."""
    return sorted(page for page in DOCS.rglob("*.md") if not {"hooks", "snippets"} & {*page.relative_to(DOCS).parts})


def blocks(page: Path) -> Iterator[Block]:
    """The page's blocks, with the snippets that they include."""
    text, end = page.read_text("utf-8"), 0
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start()) + 1
        body = _INCLUDED.sub(_section, fence["text"])
        yield Block(f"{page.parent.name}/{page.name}:{line}", fence["language"], body, text[end : fence.start()])
        end = fence.end()


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, with the output below it; a line that ends with a backslash goes on."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\") and output:
            more, _, output = output.partition("\n")
            command += "\n" + more
        yield command, output


def _section(include: re.Match[str]) -> str:
    text = (SNIPPETS / include["file"]).read_text("utf-8")
    marks = (rf"[#/]+ --8<-- \[{mark}:{include['section']}\]\n" for mark in ("start", "end"))
    [found] = re.findall("(.*?)".join(marks), text, re.DOTALL)
    return str(found).strip("\n")
