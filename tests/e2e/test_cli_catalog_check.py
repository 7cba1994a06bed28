"""``millrace catalog check`` and ``diff``: what a change of the catalog would do, told before it is made."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import document, fails, lines, millrace, objects, purchase, succeeds

CATALOG = """
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal
import attrs
from annotated_types import Ge
from millrace import Catalog, Count, Sum

catalog = Catalog("shop")

@catalog.event("purchase")
@attrs.frozen
class Purchase:
    order_id: str
    customer_id: str
    amount: Annotated[Decimal, Ge(0)]
    currency: Literal["EUR", "USD"] = "EUR"

@catalog.rule(Purchase)
def amount_is_plausible(event: Purchase) -> bool:
    return event.amount < 1000

catalog.view("revenue", over=Purchase, every=timedelta(hours=1), measures={"orders": Count()})
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalog, ``shop.py``, and a store of four purchases, one rejected and one twice."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(CATALOG)
    events = [purchase(str(n), str(n * 100)) for n in range(1, 5)]
    (folder / "in.ndjson").write_bytes(lines(*events, events[0], purchase("5", "-1")))
    succeeds("run", folder / "in.ndjson", "--catalog", folder / "shop.py", store=folder / "store")
    return folder


def changed(folder: Path, *edits: tuple[str, str], name: str = "new.py") -> Path:
    """The catalog with some of its text replaced, as a file."""
    text = CATALOG
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    (folder / name).write_text(text)
    return folder / name


def whole(store: Path) -> dict[str, Any]:
    """What commands read out of a store."""
    catalog = ("--catalog", store.parent / "shop.py")
    return {
        "events": objects("events", "purchase", *catalog, store=store),
        "letters": objects("dead-letters", "list", *catalog, store=store),
        "account": document("reconcile", *catalog, store=store),
    }


TIGHTER = ("event.amount < 1000", "event.amount < 300")
IN_CENTS = (
    "catalog.view",
    "catalog.transform(Purchase)(lambda event: {'cents': int(event.amount * 100)})\n\ncatalog.view",
)


def check(shop: Path, catalog: Path, *options: str) -> Any:
    """The exit code and the JSON document of a check against the store."""
    result = millrace(
        "catalog", "check", "--catalog", catalog, "--against", f"file:{shop / 'store'}", *options, "--json"
    )
    assert result.stderr == ""
    return result.exit_code, json.loads(result.stdout)


def test_a_catalog_that_changes_nothing_passes(shop: Path) -> None:
    before = whole(shop / "store")
    code, report = check(shop, shop / "shop.py")
    assert (code, report["holds"], report["events"]) == (0, True, 6)
    assert (report["same"], report["duplicate"], report["rejected"], report["lost"]) == (4, 1, 1, 0)
    assert whole(shop / "store") == before


def test_a_tightened_rule_names_the_events_that_would_be_lost(shop: Path, tmp_path: Path) -> None:
    before = whole(shop / "store")
    code, report = check(shop, changed(tmp_path, TIGHTER))
    assert (code, report["holds"], report["lost"], report["same"]) == (1, False, 2, 2)
    assert report["reasons"]["lost"] == {"rule": 2}
    assert report["types"]["purchase"] == {"same": 2, "lost": 2, "duplicate": 1, "rejected": 1}
    lost = [row for row in report["sample"] if row["category"] == "lost"]
    assert [(row["eventId"], row["reason"], row["violations"][0]["code"]) for row in lost] == [
        ("3", "rule", "amount_is_plausible"),
        ("4", "rule", "amount_is_plausible"),
    ]
    assert whole(shop / "store") == before


def test_a_changed_field_is_shown_with_what_it_was_and_would_be(shop: Path, tmp_path: Path) -> None:
    code, report = check(shop, changed(tmp_path, IN_CENTS))
    assert (code, report["changed"]) == (1, 4)
    assert report["fields"]["purchase"]["/fields/cents"] == 4
    first = next(row for row in report["sample"] if row["category"] == "changed")
    assert {"pointer": "/fields/amount", "from": "100"} in first["changes"]
    assert {"pointer": "/fields/cents", "to": 10000} in first["changes"]


def test_ndjson_has_every_event_that_is_lost_or_changed_and_no_other(shop: Path, tmp_path: Path) -> None:
    catalog = changed(tmp_path, TIGHTER, IN_CENTS)
    result = millrace("catalog", "check", "--catalog", catalog, "--against", f"file:{shop / 'store'}", "--ndjson")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [(row["category"], row["eventId"]) for row in rows] == [
        ("changed", "1"), ("changed", "2"), ("lost", "3"), ("lost", "4"),
    ]  # fmt: skip


def test_people_see_totals_and_a_sample_and_a_verdict(shop: Path, tmp_path: Path) -> None:
    catalog = changed(tmp_path, TIGHTER, IN_CENTS)
    result = millrace("catalog", "check", "--catalog", catalog, "--against", f"file:{shop / 'store'}")
    assert result.exit_code == 1
    assert "2 events would be lost, 2 changed." in result.stdout
    assert "The rule 'amount_is_plausible' does not hold." in result.stdout
    assert '/fields/order_id: "o-1" → nothing (and 4 more)' in result.stdout
    same = millrace("catalog", "check", "--catalog", shop / "shop.py", "--against", f"file:{shop / 'store'}")
    assert same.exit_code == 0
    assert "Nothing that is stored would be lost or changed." in same.stdout


def test_receipts_are_chosen_by_when_they_were_received(shop: Path, tmp_path: Path) -> None:
    catalog = changed(tmp_path, TIGHTER)
    result = millrace(
        "catalog", "check", "--catalog", catalog, "--against", f"file:{shop / 'store'}", "--until", "2020-01-01"
    )
    assert result.exit_code == 0
    assert "There are no events" in result.stderr


def test_a_catalog_of_another_name_is_refused(shop: Path, tmp_path: Path) -> None:
    catalog = changed(tmp_path, ('Catalog("shop")', 'Catalog("other")'))
    sentence = fails(2, "catalog", "check", "--catalog", catalog, "--against", f"file:{shop / 'store'}")
    assert "was accepted under catalog 'shop'" in sentence


def test_receipts_of_other_catalogs_are_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(CATALOG.replace('Catalog("shop")', 'Catalog("other")'))
    (tmp_path / "shop.py").write_text(CATALOG)
    for number, name in enumerate(("shop", "other")):
        (tmp_path / f"{name}.ndjson").write_bytes(lines(purchase(str(number), "1")))
        succeeds("run", tmp_path / f"{name}.ndjson", "--catalog", tmp_path / f"{name}.py", store=tmp_path / "store")
    result = millrace("catalog", "check", "--catalog", tmp_path / "shop.py", "--against", f"file:{tmp_path / 'store'}")
    assert result.exit_code == 0
    assert "1 receipts were left out" in result.stderr


def test_files_must_be_accepted_whole(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "1.ndjson.gz").write_bytes(gzip.compress(lines(purchase("1", "250"), purchase("2", "350"))))
    golden = tmp_path / "golden"
    accepted = document("catalog", "check", "--catalog", shop / "shop.py", "--against", golden)
    assert (accepted["holds"], accepted["new"]) == (True, 2)
    catalog = changed(tmp_path, TIGHTER)
    result = millrace("catalog", "check", "--catalog", catalog, "--against", golden, "--ndjson")
    [row] = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, row["category"], row["eventId"], row["reason"]) == (1, "rejected", "2", "rule")
    people = millrace("catalog", "check", "--catalog", catalog, "--against", golden)
    assert (people.exit_code, "1 events are rejected." in people.stdout) == (1, True)


def test_foreign_files_are_read_by_a_source() -> None:
    golden = Path(__file__).parent.parent / "golden" / "cloudtrail"
    result = millrace(
        "catalog", "check", "--catalog", "millrace.core.catalogs.cloudtrail:catalog", "--source", "cloudtrail",
        "--against", golden, "--json",
    )  # fmt: skip
    report = json.loads(result.stdout)
    assert result.exit_code == (1 if report["rejected"] else 0)
    assert report["types"]["cloudtrail"]["new"] == report["new"] > 0


def test_without_a_source_the_catalog_itself_is_checked(shop: Path, tmp_path: Path) -> None:
    assert "1 types, 1 views" in succeeds("catalog", "check", "--catalog", shop / "shop.py").stdout
    assert document("catalog", "check", "--catalog", shop / "shop.py")["holds"] is True
    broken = changed(tmp_path, ('measures={"orders": Count()}', 'measures={"total": Sum("nothing")}'))
    assert "uses field 'nothing'" in fails(2, "catalog", "check", "--catalog", broken)


@pytest.mark.parametrize(
    ("against", "words"),
    [("file:nowhere", "there is no store"), ("nowhere", "does not exist"), ("memory:", "names no store to read")],
)
def test_a_source_that_is_not_there_is_said_so(shop: Path, against: str, words: str) -> None:
    assert words in fails(2, "catalog", "check", "--catalog", shop / "shop.py", "--against", against)


# ----------------------------------------------------------------------------------------------------------------- diff
def test_diff_names_breaking_changes_and_exits_with_1(shop: Path, tmp_path: Path) -> None:
    new = changed(tmp_path, ("Ge(0)", "Ge(1)"), ('["EUR", "USD"]', '["EUR", "GBP"]'), name="shop.py")
    result = millrace("catalog", "diff", new, "--catalog", shop / "shop.py", "--json")
    rows = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(row["breaking"], row["code"], row["place"]) for row in rows] == [
        (True, "tightened", "type purchase /amount"),
        (True, "narrowed", "type purchase /currency"),
        (False, "widened", "type purchase /currency"),
    ]
    text = millrace("catalog", "diff", new, "--catalog", shop / "shop.py").stdout
    assert "It must be ≥ 1 now, and ≥ 0 before." in text
    assert "2 of 3 changes are breaking." in text


def test_diff_of_compatible_catalogs_exits_with_0(shop: Path, tmp_path: Path) -> None:
    wider = changed(tmp_path, ("Ge(0)", "Ge(-1)"), ("order_id: str", "order_id: str | None"))
    rows = objects("catalog", "diff", wider, "--catalog", shop / "shop.py")
    assert {row["code"] for row in rows} == {"loosened", "widened"}
    same = succeeds("catalog", "diff", shop / "shop.py", "--catalog", shop / "shop.py")
    assert same.stdout == "The catalogs declare the same.\n"
    assert "there is no such catalog file" in fails(2, "catalog", "diff", tmp_path / "none.py")
