"""What is live: numbers, charts and rows that follow what is posted, and a connection that comes back."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from .conftest import at, opened, purchase
from .serving import Served, serving


def number_of(page: Page, words: str) -> int:
    text = page.locator(".stats > div", has_text=words).first.locator("dd").inner_text()
    found = re.match(r"[\d,]+", text)
    assert found, text
    return int(found[0].replace(",", ""))


def test_numbers_and_rows_follow_what_is_posted(page: Page, served: Served) -> None:
    opened(page, served, "overview")
    expect(page.locator("#state")).to_have_text("Live")
    page.wait_for_timeout(1200)
    curated, dead = number_of(page, "Curated"), number_of(page, "Dead-lettered")
    served.post(purchase("live-1"), purchase("live-2"), purchase("live-3", -1))
    expect(page.get_by_role("cell", name="live-1", exact=True)).to_be_visible()
    assert number_of(page, "Curated") == curated + 2
    assert number_of(page, "Dead-lettered") == dead + 1
    assert page.locator(".legend", has_text="purchase").count() == 1
    assert page.locator(".chart canvas").count() == 2
    row = page.get_by_role("row", name=re.compile("Curated"))
    expect(row.locator("td").nth(1)).to_have_text(f"{curated + 2:,}")


def test_the_focus_stays_where_it_is_while_numbers_change(page: Page, served: Served) -> None:
    opened(page, served, "overview")
    expect(page.locator("#state")).to_have_text("Live")
    link = page.locator(".stats a")
    link.focus()
    served.post(purchase("focus"))
    expect(page.get_by_role("cell", name="focus", exact=True)).to_be_visible()
    expect(link).to_be_focused()


def test_a_chart_of_a_view_sees_what_is_posted(page: Page, served: Served) -> None:
    opened(page, served, "views/refunds")
    expect(page.locator("#state")).to_have_text("Live")
    data = {"order_id": "o", "customer_id": "c", "amount": "2.50", "currency": "GBP", "reason": "late"}
    for number in range(2):
        served.post({"eventType": "refund", "eventId": f"seen-{number}", "eventTime": at(), "data": data})
        row = page.get_by_role("row", name=re.compile("GBP late"))
        expect(row.locator("td").nth(3)).to_have_text(str(number + 1))
    expect(row.locator("td").nth(4)).to_have_text(re.compile(r"^5(\.0+)?$"))
    expect(page.locator(".legend")).to_contain_text("GBP · late2")
    expect(page.locator(".chart canvas")).to_be_visible()


def test_a_view_is_shown_by_other_groups_measures_and_ranges(page: Page, served: Served) -> None:
    served.post(*(purchase(f"old-{n}", currency="GBP") | {"eventTime": at(hours=24 * 20 + n)} for n in range(3)))
    opened(page, served, "views/revenue")
    rows = page.locator("tbody tr")
    expect(page.locator("thead")).to_contain_text("currency")
    page.get_by_label("Groups").select_option("none")
    expect(page.locator("thead")).not_to_contain_text("currency")
    near = rows.count()
    page.get_by_label("Range").select_option("All time")
    expect(rows).to_have_count(near + 3)
    page.get_by_label("Measure").select_option("revenue")
    expect(page.locator("th.chosen")).to_have_text("revenue")
    expect(page.locator(".legend")).to_contain_text("revenue")
    page.get_by_label("Range").select_option("From … until")
    page.get_by_label("Until (UTC)").fill(at(hours=24 * 20 - 2)[:19] + "Z")
    page.get_by_label("Until (UTC)").press("Enter")
    expect(rows).to_have_count(3)
    page.get_by_label("Range").select_option("Last hour")
    page.get_by_label("View").select_option("funnel_signups")
    expect(page.get_by_text("No rows in this range.")).to_be_visible()


def test_the_stream_is_filtered_by_type_and_field(page: Page, served: Served) -> None:
    served.post(*(purchase(f"s-{n}", channel=("web", "app")[n % 2]) for n in range(6)))
    opened(page, served, "events")
    expect(page.locator("#state")).to_have_text("Live")
    page.get_by_label("Type").select_option("purchase")
    page.get_by_label("Field").fill("channel")
    page.get_by_label("Field").press("Enter")
    page.get_by_label("Value").fill("app")
    page.get_by_label("Value").press("Enter")
    stored = page.get_by_role("region", name=re.compile("^Stored events"))
    expect(stored.locator("tbody tr")).to_have_count(3)
    expect(page.locator("#state")).to_have_text("Live")
    coming = page.get_by_role("region", name=re.compile("^Live events"))
    page.wait_for_timeout(500)  # the stream has begun again, with the filter
    served.post(*(purchase(f"t-{n}", channel=("web", "app")[n % 2]) for n in range(6)))
    expect(coming.locator("tbody tr")).to_have_count(3)
    assert all("app" in text for text in coming.locator("tbody tr").all_inner_texts())
    coming.locator("summary").first.click()
    expect(coming.locator(".document").first).to_contain_text('"channel": "app"')


def test_where_others_process_the_console_says_so_and_shows_no_numbers(page: Page, served: Served) -> None:
    served.post(purchase("elsewhere"))
    numbers: dict[str, Any] = {"types": {}, "outcomes": {}, "latency": None, "events": [], "waiting": None}
    pulse = {"at": "2026-11-23T02:30:00Z", "counted": False, **numbers}
    told = f"event: history\ndata: []\n\nevent: pulse\ndata: {json.dumps(pulse)}\n\n"
    page.route("**/console/live*", lambda route: route.fulfill(content_type="text/event-stream", body=told))
    opened(page, served, "overview")
    expect(page.get_by_role("heading", name="Processed elsewhere")).to_be_visible()
    expect(page.locator(".stats")).to_have_count(0)
    page.locator(".card").get_by_role("link", name="events", exact=True).click()
    stored = page.get_by_role("region", name=re.compile("^Stored events"))
    page.get_by_label("Type").select_option("purchase")
    expect(stored.get_by_role("cell", name="elsewhere", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Live", exact=True)).to_have_count(0)


def test_long_lists_come_page_by_page(page: Page, served: Served) -> None:
    served.post(
        *({"eventType": "signup", "eventId": f"m-{n}", "data": {"customer_id": "c", "plan": "plus"}} for n in range(70))
    )
    opened(page, served, "events/signup")
    rows = page.get_by_role("region", name=re.compile("^Stored events")).locator("tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="More").click()
    expect(rows).to_have_count(70)
    expect(page.get_by_role("button", name="More")).to_have_count(0)


def test_a_lost_connection_is_told_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    store = f"file:{tmp_path / 'store'}"
    with serving(tmp_path, store=store) as first:
        opened(page, first, "overview")
        expect(page.locator("#state")).to_have_text("Live")
        first.kill()
    expect(page.locator("#state")).to_contain_text("Connection lost", timeout=15_000)
    with serving(tmp_path, store=store, port=int(first.url.rpartition(":")[2])) as second:
        expect(page.locator("#state")).to_have_text("Live", timeout=30_000)
        second.post(purchase("again"))
        expect(page.get_by_role("cell", name="again", exact=True)).to_be_visible()
        context.close()
