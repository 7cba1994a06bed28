"""Every page of the console: shown without an error, to everybody, on every screen, and nothing from elsewhere."""

import pytest
from playwright.sync_api import Browser, Page, Response

from .conftest import IMAGE, SCRIPT, axe, opened, places, watched
from .serving import Served

MOST_BYTES = 300_000


def test_every_page_is_shown_and_loads_little_and_nothing_from_elsewhere(page: Page, served: Served) -> None:
    loaded: dict[str, int] = {}
    responses: list[Response] = []

    def keep(response: Response) -> None:
        responses.append(response)

    page.on("response", keep)
    for place in places(served):
        opened(page, served, place)
        assert page.locator("h1").inner_text()
        assert page.locator(".failure").count() == 0
        page.get_by_text("Live", exact=True).first.wait_for()
    for response in responses:
        assert response.url.startswith(served.url + "/")
        assert response.status in (200, 304)
        path = response.url.removeprefix(served.url).partition("?")[0]
        if path == "/" or path.startswith("/console/static/"):
            assert response.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
            if response.status == 200:
                loaded[path] = len(response.body())
    assert {"/", "/console/static/app.js", "/console/static/uplot.js", "/console/static/catalog.js"} <= loaded.keys()
    assert sum(loaded.values()) < MOST_BYTES


def test_a_policy_keeps_what_is_not_of_the_console_from_running(browser: Browser, served: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    wrong = watched(page)
    opened(page, served, "overview")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hit = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", '<img src="x" onerror="window.hit = 1">');
        }"""
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    assert any("Content Security Policy" in words for words in wrong)
    context.close()


def test_script_in_data_is_text(page: Page, served: Served) -> None:
    for place in places(served):
        opened(page, served, place)
        page.wait_for_timeout(200)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        page.wait_for_timeout(200)
        assert page.locator("main script, main img").count() == 0
        assert page.evaluate("window.hit") is None
    letters = {row["eventId"]: row["id"] for row in served.get("/console/letters")}
    opened(page, served, f"letters/letter/{letters[IMAGE]}")
    assert IMAGE in page.locator("h2").first.inner_text()
    assert SCRIPT in page.locator(".document").inner_text()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_no_page_shuts_anybody_out_or_is_wider_than_its_screen(
    browser: Browser, served: Served, scheme: str, width: int
) -> None:
    source = axe()
    context = browser.new_context(
        viewport={"width": width, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    wrong = watched(page)
    for place in places(served):
        opened(page, served, place)
        page.wait_for_timeout(150)
        for summary in page.locator("summary").all()[:3]:
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        page.evaluate(source)
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == [], place
        assert found["passes"]
    assert page.evaluate("getComputedStyle(document.querySelector('.dot')).animationName") == "none"
    assert wrong == []
    context.close()


def test_a_place_that_is_not_there_says_so(browser: Browser, served: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    opened(page, served, "receipts/nothing")
    page.get_by_text("The raw log has no such receipt.").wait_for()
    opened(page, served, "letters/letter/nothing")
    page.get_by_text("There is no such dead letter").wait_for()
    opened(page, served, "nowhere")
    assert page.locator("h1").inner_text() == "Overview"
    context.close()
