"""The guide's pictures are of the real console, as the tutorial leads to it; ``make screenshots`` takes them anew."""

import math
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from shutil import which

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import browser, watched
from tests.docs.pages import DOCS, pages
from tests.docs.session import Session, session

__all__ = ["browser"]  # a fixture

IMAGES = DOCS / "images"
WIDTH, HEIGHT = 1120, 760
MOST_BYTES = 150_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def overview(page: Page) -> None:
    page.goto("#/overview")
    expect(page.get_by_role("heading", name="Events per second")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Curated 601"))).to_be_visible()


def view(page: Page) -> None:
    page.goto("#/views/channels")
    page.get_by_label("Range").select_option(label="All time")
    expect(page.get_by_text("47 rows.")).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()


def dead_letter(page: Page) -> None:
    page.goto("#/letters")
    page.locator(".cause").get_by_role("link").click()
    page.get_by_role("row", name=re.compile("pounds")).get_by_role("link").click()
    expect(page.locator(".document mark").first).to_have_text('"GBP"')


def some_traffic(url: str) -> None:
    """Orders for half a minute, more and fewer of them, so that there is a curve to be pictured."""
    for second in range(30):
        number = 40 + round(25 * math.sin(second / 3))
        orders = [
            {"eventType": "order", "eventId": f"{second}-{each}", "order_id": "o", "amount": 5, "currency": "EUR"}
            for each in range(number)
        ]
        assert httpx.post(f"{url}/ingest", json=orders, trust_env=False).status_code == HTTPStatus.ACCEPTED
        time.sleep(1)


SHOTS: dict[str, Callable[[Page], None]] = {
    "tutorial-view.png": view,
    "tutorial-dead-letter.png": dead_letter,
    "console-overview.png": overview,  # the last one, since a picture of it wants more orders
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A reader of the tutorial who has come to the dead letter, with the server still running."""
    if which("curl") is None:
        pytest.skip("curl is not there")
    with session(tmp_path_factory.mktemp("tutorial")) as reading:
        reading.play(DOCS / "tutorial.md", before="## 6.")
        yield reading


@pytest.mark.parametrize("name", SHOTS)
def test_a_picture_shows_what_the_console_shows(name: str, browser: Browser, reader: Session) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, base_url=f"{reader.url}/")
    page = context.new_page()
    wrong = watched(page)
    SHOTS[name](page)
    if os.environ.get("SCREENSHOTS") == "write":
        if SHOTS[name] is overview:
            some_traffic(reader.url)
        page.screenshot(path=IMAGES / name, animations="disabled")
    context.close()
    assert wrong == []
    image = (IMAGES / name).read_bytes()
    assert image.startswith(_SIGNATURE)
    assert struct.unpack_from(">II", image, len(_SIGNATURE)) == (WIDTH, HEIGHT)
    assert len(image) < MOST_BYTES


def test_every_picture_is_shown_and_taken() -> None:
    shown = {found for page in pages() for found in re.findall(r"images/([\w-]+\.png)", page.read_text("utf-8"))}
    assert shown == set(SHOTS) == {file.name for file in IMAGES.iterdir()}


def test_a_picture_has_words_for_who_cannot_see_it() -> None:
    for page in pages():
        for words in re.findall(r"!\[([^\]]*)\]", page.read_text("utf-8")):
            assert len(words.split()) > 3, Path(page).name
