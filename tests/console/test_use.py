"""The console by keyboard, with API keys, and the form to try an event."""

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from .conftest import opened, purchase
from .serving import Served, serving


def test_the_console_is_used_by_keyboard_alone(page: Page, served: Served) -> None:
    served.post(purchase("keys", -7))
    opened(page, served, "overview")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Shift+Tab")  # the last of the navigation
    expect(page.get_by_role("link", name="Catalog")).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("link", name="Dead letters")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Dead letters")
    expect(page.locator("h1")).to_be_focused()
    expect(page.get_by_role("link", name="Dead letters")).to_have_attribute("aria-current", "page")
    page.locator(".cause").first.wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Redrive letters of cause").first
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Redrive")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()


def test_the_focus_comes_back_to_a_list_that_was_drawn_anew_behind_the_dialog(page: Page, served: Served) -> None:
    served.post(purchase("behind-1", -7))
    opened(page, served, "letters")
    expect(page.locator("#state")).to_have_text("Live")
    button = page.get_by_role("button", name="Redrive letters of cause").first
    name = button.get_attribute("aria-label")
    button.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Redrive")).to_be_focused()
    page.evaluate("document.querySelectorAll('.cause').forEach((each) => { each.dataset.old = 'yes' })")
    served.post(purchase("behind-2", -7))
    expect(page.locator(".cause[data-old]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()


def test_an_example_is_valid_and_a_change_for_the_worse_is_marked(page: Page, served: Served) -> None:
    before = len(served.get("/console/receipts"))
    opened(page, served, "catalog/purchase")
    text = page.get_by_label("Event, or an array")
    expect(text).to_have_value(json_of("purchase"))
    text.press("Control+Enter")
    expect(page.locator(".verdict")).to_contain_text("The event is valid.")
    example = json.loads(text.input_value())
    del example["data"]["order_id"]
    text.fill(json.dumps([example, {**example, "data": {**example["data"], "amount": "x", "order_id": "o"}}]))
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".verdict")).to_contain_text("2 of 2 events would be dead letters.")
    assert page.locator("form ~ div .document mark").all_inner_texts() == ['"order_id": …', '"x"']
    text.fill("nonsense")
    page.get_by_role("combobox", name="Type", exact=True).select_option("refund")
    expect(text).to_have_value(json_of("refund"))
    page.get_by_role("combobox", name="Version").select_option("1")
    expect(page.locator(".document").first).to_contain_text("purchase")
    assert len(served.get("/console/receipts")) == before


def json_of(event_type: str) -> Any:
    import re

    return re.compile(rf'"eventType": "{event_type}"')


def test_a_server_with_keys_shows_nothing_to_who_has_none(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    with serving(tmp_path, keys=["ops=secret-of-the-console"]) as server:
        server.post(purchase("behind-a-key"))
        page.goto(f"{server.url}/#/receipts")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("API key").fill("wrong")
        dialog.get_by_role("button", name="Go on").click()
        expect(dialog).to_contain_text("The server does not know this key.")
        assert page.get_by_role("table").count() == 0
        dialog.get_by_label("API key").fill("secret-of-the-console")
        dialog.get_by_label("API key").press("Enter")
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("#state")).to_have_text("Live")
        expect(dialog).to_have_count(0)
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 1, ""]
        page.reload()
        expect(page.locator("tbody tr")).to_have_count(1)
        context.close()
