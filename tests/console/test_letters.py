"""Dead letters: what is wrong at its place, and redriven with a mended catalog, once it was seen what would happen."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import opened, purchase
from .serving import Served, serving

CATALOG = """
import attrs
from millrace import Catalog

catalog = Catalog("shop")


@catalog.event("order")
@attrs.frozen
class Order:
    number: int


@catalog.rule(Order)
def number_is_small(order: Order) -> bool:
    return order.number < {limit}
"""


def test_each_violation_is_marked_at_its_place(page: Page, served: Served) -> None:
    served.post(purchase("marked", -1, currency="XYZ", items=0), {"eventType": "purchase", "eventId": "m2", "data": {}})
    rows = {row["eventId"]: row["id"] for row in served.get("/console/letters")}
    opened(page, served, f"letters/letter/{rows['marked']}")
    document = page.locator(".document").first
    assert document.locator("mark").all_inner_texts() == ["-1", '"XYZ"', "0"]
    lines = document.inner_text().splitlines()
    marked = next(at for at, line in enumerate(lines) if '"amount": -1' in line)
    assert "↑" in lines[marked + 1]
    assert "(gt)" in lines[marked + 1]
    expect(page.locator(".complaints code").first).to_have_text("/data/amount")
    opened(page, served, f"letters/letter/{rows['m2']}")
    assert document.locator("mark.absent").all_inner_texts() == [f'"{name}": …' for name in
        ("order_id", "customer_id", "amount", "currency")]  # fmt: skip


def test_what_is_no_json_is_marked_where_it_ends_to_be(page: Page, served: Served) -> None:
    opened(page, served, "catalog/purchase")
    page.get_by_label("Event, or an array").fill('{"eventType": "purchase",, "data": {}}')
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".document mark").first).to_have_text(",")
    expect(page.get_by_text("The event would be a dead letter.").first).to_be_visible()


def test_letters_are_grouped_and_lead_to_where_they_come_from(page: Page, served: Served) -> None:
    receipt = served.post(purchase("lead-1", items=-3), purchase("lead-2", items=-4))
    opened(page, served, "letters")
    cause = page.locator(".cause", has_text="/data/items")
    expect(cause).to_contain_text("2 letters")
    cause.get_by_role("link").click()
    page.get_by_role("row", name=re.compile("lead-2")).get_by_role("link").click()
    page.get_by_role("link", name=receipt).click()
    way = page.locator(".ways > li", has_text="lead-2")
    way.locator("summary").click()
    expect(way.locator("[data-state=failed]")).to_contain_text("Validated")
    way.get_by_role("link", name="dead letter").click()
    expect(page.locator("h1")).to_have_text("Dead letter")


def test_a_mended_catalog_redrives_what_was_seen_first_and_counts_it_once(page: Page, tmp_path: Path) -> None:
    catalog, store = tmp_path / "shop.py", f"file:{tmp_path / 'store'}"
    catalog.write_text(CATALOG.format(limit=10))
    with serving(tmp_path, store=store, catalog=str(catalog)) as server:
        receipt = server.post(
            *({"eventType": "order", "eventId": f"o-{n}", "data": {"number": n}} for n in (1, 20, 99))
        )
        assert len(server.get("/events/order")) == 1
    catalog.write_text(CATALOG.format(limit=50))
    with serving(tmp_path, store=store, catalog=str(catalog)) as server:
        opened(page, server, "letters")
        redrive = page.get_by_role("button", name="Redrive letters of cause")
        redrive.click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Dry run: nothing is changed yet")
        expect(dialog.locator("[data-kind=passed]")).to_have_text("1 would pass now")
        expect(dialog.locator("[data-kind=same]")).to_have_text("1 would fail in the same way")
        dialog.get_by_role("button", name="Cancel").click()
        assert len(server.get("/console/letters")) == 2
        assert len(server.get("/events/order")) == 1
        redrive.click()
        dialog.get_by_role("button", name="Redrive 2 letters").click()
        expect(dialog.locator("[data-kind=passed]")).to_have_text("1 passed")
        expect(dialog.locator("[data-kind=same]")).to_have_text("1 failed in the same way")
        dialog.get_by_role("button", name="Close").click()
        expect(page.locator(".cause")).to_contain_text("1 letter,")
        assert [row["eventId"] for row in server.get("/events/order")] == ["o-1", "o-20"]
        opened(page, server, f"receipts/{receipt}")
        expect(page.locator(".ways .badge")).to_have_text(["curated", "curated", "dead-lettered"])
        page.goto("about:blank")
