"""Every block of every page of the guide is run, saved or checked, and prints what the page says."""

import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from shutil import which

import pytest
from markdown_it import MarkdownIt

from tests.api.javascript import javascript
from tests.docs.pages import DOCS, pages
from tests.docs.session import Session, session


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Session]:
    """A reader in an empty folder."""
    with session(tmp_path) as reading:
        yield reading


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_every_block_of_a_page_does_what_the_page_says(page: Path, reader: Session) -> None:
    text = page.read_text("utf-8")
    for program in ("curl", "openssl"):
        if re.search(rf"^\$ .*\b{program} ", text, re.MULTILINE) and which(program) is None:
            pytest.skip(f"{program} is not there")
    with javascript(reader.folder) if "$ npm install" in text else nullcontext():
        done = reader.play(page)
    assert "" not in done, "a block says in which language it is"
    shown = [token for token in MarkdownIt().parse(text) if token.type in ("fence", "code_block")]
    assert len(done) == len(shown), "a block was not found"
