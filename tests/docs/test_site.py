"""The built guide: whole, without a warning, and loading nothing from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from millrace.entrypoints.http.application import ROUTES
from tests.docs.commands import every_command
from tests.docs.pages import DOCS, ROOT, pages

_LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
_ELSEWHERE = re.compile(r"^(https?:)?//")


class _Loads(HTMLParser):
    """The addresses that a page loads as it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "link" and named.get("rel") in ("canonical", "next", "prev"):
            return  # these say where, and load nothing
        if tag in _LOADING and (address := named.get(_LOADING[tag])):
            self.found.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the guide, built."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr  # a link that leads nowhere is a warning, and a warning fails
    return folder


def test_every_page_is_built_and_nothing_else_of_docs(site: Path) -> None:
    built = {page.relative_to(site).with_suffix(".md") for page in site.rglob("*.html")} - {Path("404.md")}
    assert built == {page.relative_to(DOCS) for page in pages()}
    assert not list(site.rglob("*.py"))


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = 0
    for page in site.rglob("*.html"):
        loads = _Loads()
        text = page.read_text("utf-8")
        loads.feed(text)
        assert not [address for address in loads.found if _ELSEWHERE.match(address)], page.name
        assert 'class="mermaid"' not in text, "the theme loads mermaid from elsewhere"
        loaded += len(loads.found)
    assert loaded > len(pages())
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )['\"]?(https?:)?//", sheet.read_text("utf-8")), sheet.name


def test_the_reference_has_every_command_and_every_call(site: Path) -> None:
    text = "".join(
        (site / "reference" / f"{name}.html").read_text("utf-8") for name in ("commands", "operations", "http")
    )
    marked = re.findall(r"<h\d id=[^>]*>(.*?)</h\d>", text)
    headings = {re.sub(r"<[^>]+>|&para;", "", heading).strip() for heading in marked}
    assert {*every_command()} - {"millrace ops"} <= headings
    assert {f"{route.method} {route.path}" for route in ROUTES} <= headings
