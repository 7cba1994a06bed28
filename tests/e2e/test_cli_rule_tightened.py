"""A rule that is tightened and loosened again: what is told before, what happens, and that nothing is lost of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from .cli import document, lines, millrace, objects, purchase, succeeds

CATALOG = """
from datetime import timedelta
from decimal import Decimal
import attrs
from millrace import Catalog, Count, Distinct, Sum

catalog = Catalog("shop")

@catalog.event("purchase")
@attrs.frozen
class Purchase:
    order_id: str
    customer_id: str
    amount: Decimal
    currency: str

@catalog.rule(Purchase)
def amount_is_plausible(event: Purchase) -> bool:
    return event.amount < LIMIT

catalog.view(
    "revenue",
    over=Purchase,
    every=timedelta(hours=1),
    measures={"orders": Count(), "revenue": Sum("amount"), "buyers": Distinct("customer_id")},
)
"""
OLD, RECENT = "2025-01-02T03:30:00Z", "2100-01-02T03:30:00Z"
FIRST = [purchase(str(n), str(n * 100), eventTime=OLD) for n in range(1, 6)]
SECOND = [
    *[purchase(str(n), str(n * 100), eventTime=RECENT) for n in range(2, 7)],
    FIRST[4],  # a duplicate, which the tighter rule refuses
    purchase("x", "5000", eventTime=RECENT),  # too much for both
    b"no JSON",
]


class Shop:
    """A store under a catalog whose rule allows less than some limit."""

    def __init__(self, folder: Path, name: str) -> None:
        self.store, self._catalog = folder / name, folder / f"{name}.py"
        self.allow(1000)

    def allow(self, limit: int) -> None:
        self._catalog.write_text(CATALOG.replace("LIMIT", str(limit)))

    def run(self, *events: Any) -> Any:
        arguments = ("run", "-", "--catalog", self._catalog)
        return document(*arguments, store=self.store, stdin=lines(*events))

    def tells(self, *arguments: str | Path, status: int = 0) -> Any:
        result = millrace(*arguments, "--catalog", self._catalog, "--json", store=self.store)
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    def checked(self, status: int) -> Any:
        return self.tells("catalog", "check", "--against", f"file:{self.store}", status=status)

    def held(self) -> dict[str, Any]:
        """All that it holds but for instants of insertion, receipts and attempts."""
        catalog = ("--catalog", self._catalog)
        unlike = ("curatedAt", "receipt", "index", "attempts")
        rows = {
            "events": objects("events", "purchase", "--archived", *catalog, store=self.store),
            "letters": objects("dead-letters", "list", *catalog, store=self.store),
        }
        known = {what: [{k: v for k, v in row.items() if k not in unlike} for row in rows[what]] for what in rows}
        return {**known, "views": self.tells("view", "revenue")}


@pytest.mark.parametrize("archived", [False, True], ids=["stored", "archived"])
def test_what_a_tighter_rule_would_lose_is_named_and_what_it_refused_comes_back_once_it_is_loosened(
    archived: bool, tmp_path: Path
) -> None:
    shop, loose = Shop(tmp_path, "shop"), Shop(tmp_path, "loose")
    for each in (shop, loose):
        assert each.run(*FIRST)["curated"] == 5
    if archived:
        assert shop.tells("archive", "--older-than", "90")["events"] == 5
    assert shop.checked(status=0)["holds"]

    shop.allow(400)
    report = shop.checked(status=1)
    lost = [row for row in report["sample"] if row["category"] == "lost"]
    assert [(row["eventId"], row["reason"], row["violations"][0]["code"]) for row in lost] == [
        ("4", "rule", "amount_is_plausible"), ("5", "rule", "amount_is_plausible"),
    ]  # fmt: skip
    assert (report["lost"], report["same"], report["changed"]) == (2, 3, 0)
    assert report["archived"] == ({"lost": 2, "same": 3} if archived else {})

    refused = shop.run(*SECOND)
    assert refused["dead_letters"] == {"malformed": 1, "rule": 5}
    assert loose.run(*SECOND)["dead_letters"] == {"malformed": 1, "rule": 1}
    assert shop.held() != loose.held()

    shop.allow(1000)
    foreseen = shop.tells("dead-letters", "redrive", "--dry-run")
    assert (foreseen["letters"], foreseen["passed"], foreseen["same"], foreseen["other"]) == (6, 4, 2, 0)
    done = shop.tells("dead-letters", "redrive", status=1)
    assert {name: done[name] for name in ("letters", "passed", "same", "other")} == {
        name: foreseen[name] for name in ("letters", "passed", "same", "other")
    }
    assert shop.held() == loose.held()
    account = shop.tells("reconcile")
    assert (account["holds"], account["curated"], account["duplicate"]) == (True, 10, 1)
    assert shop.checked(status=0)["holds"]
    succeeds("rebuild", "--all", "--catalog", tmp_path / "shop.py", store=shop.store)
    assert shop.held() == loose.held()
