"""A browser, and a server with something of everything in it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from .serving import Served, serving

expect.set_options(timeout=20_000)
SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
SCRIPT = "<script>window.hit = 1</script>"
GO = """(place) => new Promise((done) => {
    if (location.hash === `#/${place}`) location.hash = "";
    addEventListener("hashchange", done, { once: true });
    location.hash = `#/${place}`;
})"""
IMAGE = '<img src="x" onerror="window.hit = 1">'


def purchase(identity: str, amount: Any = "12.50", **more: Any) -> dict[str, Any]:
    data = {"order_id": f"o-{identity}", "customer_id": "c-1", "amount": amount, "currency": "EUR"}
    return {"eventType": "purchase", "eventId": identity, "eventTime": at(), "data": {**data, **more}}


def at(hours: int = 0) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module, since while it runs no other test can have an event loop of its own."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=SWITCHES.split())
        yield started
        started.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server over memory, with events, duplicates, dead letters and script in all that may hold text."""
    with serving(tmp_path_factory.mktemp("served")) as server:
        server.post(*(purchase(f"p-{n}", currency=("EUR", "USD")[n % 2]) for n in range(12)))
        server.post(
            purchase("p-0"),
            purchase("broken", -1, currency=SCRIPT, customer_id=None),
            {"eventType": "purchase", "eventId": IMAGE, "data": {"order_id": SCRIPT}},
            {"eventType": "page_view", "eventId": SCRIPT, "data": {"visitor_id": IMAGE, "url": f"/{SCRIPT}"}},
            {"eventType": "page_view", "data": {"visitor_id": "v", "url": "/", "bot": True}},
            "no event",
        )
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a large screen, which must not tell of an error while it is used."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    wrong = watched(opened)
    yield opened
    context.close()
    assert wrong == []


def watched(page: Page) -> list[str]:
    """The errors of a page, as they come."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    return wrong


def opened(page: Page, server: Served, place: str) -> Page:
    """The page at a place, once it shows something."""
    if page.url.startswith(server.url):
        page.evaluate(GO, place)
    else:
        page.goto(f"{server.url}/#/{place}")
    page.locator(".page > *").first.wait_for()
    return page


def places(server: Served) -> list[str]:
    """Every kind of page."""
    receipt = server.get("/console/receipts")[0]["receipt"]
    letter = server.get("/console/letters")[0]
    return [
        *("overview", "views", "views/pages", "events", "events/purchase", "letters", "receipts", "catalog"),
        f"letters/cause/{letter['fingerprint']}",
        f"letters/letter/{letter['id']}",
        f"receipts/{receipt}",
        "catalog/signup",
    ]


def axe() -> str:
    """The source of axe-core."""
    file = Path(__file__).parents[1] / "aws" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
    if not file.exists():
        pytest.skip("there is no axe-core: make .venv/npm, which needs npm")
    return file.read_text(encoding="utf-8")
