"""``millrace catalog test``: the examples of a catalog, as people and programs see what came of them."""

import json
from pathlib import Path

import pytest

from .cli import document, fails, millrace, succeeds

CATALOG = """
from typing import Annotated

import attrs
from millrace import Catalog, Gt

catalog = Catalog("shop")

@catalog.event("sale", version=2)
@attrs.frozen
class Sale:
    order: str
    amount: Annotated[int, Gt(0)]

@catalog.upcast("sale", from_version=1)
def one(data):
    return {"amount": 1, **data}

@catalog.rule(Sale)
def plausible(sale):
    return sale.amount < 1000

@catalog.derive(Sale)
def size(sale):
    return {"large": sale.amount >= 100}

catalog.example(Sale, {"order": "a", "amount": 100}, curated={"order": "a", "amount": 100, "large": True})
catalog.example(Sale, {"order": "a", "amount": 1000}, rejected="plausible")
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(CATALOG)
    return tmp_path / "shop.py"


def test_examples_that_hold_are_listed_one_a_line(shop: Path) -> None:
    result = succeeds("catalog", "test", "--catalog", shop)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["type", "version", "example", "came", "out", "as"]
    assert lines[1].split() == ["ok", "sale", "2", "shop.py:27", "curated"]
    assert " ".join(lines[2].split()) == "ok sale 2 shop.py:28 rule: The rule 'plausible' does not hold."
    assert any(line.split() == ["ok", "sale", "2", "generated", "curated"] for line in lines)
    assert lines[-1] == f"All {len(lines) - 3} examples hold."


def test_a_version_that_nothing_tries_is_told(shop: Path) -> None:
    assert (
        "Nothing tries version 1 of 'sale': declare an example of it."
        in millrace("catalog", "test", "--catalog", shop).stderr
    )
    shop.write_text(CATALOG + "catalog.example(Sale, {'order': 'a'}, version=1)\n")
    assert succeeds("catalog", "test", "--catalog", shop).stderr == ""


def test_an_example_that_fails_is_shown_with_what_differs_and_exits_with_1(shop: Path) -> None:
    shop.write_text(CATALOG.replace(">= 100", "> 100"))
    result = millrace("catalog", "test", "--catalog", shop)
    assert result.exit_code == 1
    assert f'{shop}:27: sale, version 2\n  data      {{"order":"a","amount":100}}\n' in result.stdout
    assert "  expected  curated\n  got       curated\n    /large: expected true, got false\n" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("1 of ")
    assert "FAIL  sale" in result.stdout


def test_a_difference_may_have_one_side_only_and_null_is_said(shop: Path) -> None:
    shop.write_text(
        CATALOG + "catalog.example(Sale, {'order': 'b', 'amount': 1}, curated={'order': None, 'more': 'x'})\n"
    )
    said = millrace("catalog", "test", "--catalog", shop).stdout
    assert '    /order: expected null, got "b"\n' in said
    assert '    /more: expected "x", got nothing\n' in said
    assert "    /amount: expected nothing, got 1\n" in said


def test_json_says_the_same_to_programs(shop: Path) -> None:
    found = document("catalog", "test", "--catalog", shop)
    assert (found["holds"], found["catalog"], found["failed"]) == (True, "shop", 0)
    assert found["untried"] == [{"type": "sale", "version": 1}]
    assert found["examples"][1] == {
        "holds": True,
        "type": "sale",
        "version": 2,
        "place": f"{shop}:28",
        "data": {"order": "a", "amount": 1000},
        "expected": "rejected: plausible",
        "got": "rule: The rule 'plausible' does not hold.",
        "differences": [],
    }
    shop.write_text(CATALOG.replace(">= 100", "> 100"))
    result = millrace("catalog", "test", "--catalog", shop, "--json")
    failed = json.loads(result.stdout)
    assert (result.exit_code, failed["holds"], failed["failed"]) == (1, False, 1)
    assert failed["examples"][0]["differences"] == [{"pointer": "/large", "expected": True, "got": False}]


def test_a_generated_example_that_makes_a_function_raise_fails(shop: Path) -> None:
    shop.write_text(CATALOG.replace("sale.amount < 1000", "100 / (sale.amount - 1) < 1000"))
    result = millrace("catalog", "test", "--catalog", shop)
    assert result.exit_code == 1
    assert "generated: sale, version 2\n" in result.stdout
    assert "The rule 'plausible' raised ZeroDivisionError" in result.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("catalog.example(Sale, {'order': {1, object()}})", "shop.py:29: the example is no JSON: /order"),
        ("catalog.example(Sale, {}, version=3)", "there is no example of version 3."),
        ("catalog.example(Sale, {}, filtered=True, rejected=True)", "an example is curated, filtered or rejected"),
    ],
)
def test_an_example_that_makes_no_sense_is_wrong_usage(shop: Path, line: str, said: str) -> None:
    shop.write_text(f"{CATALOG}{line}\n")
    assert said in fails(2, "catalog", "test", "--catalog", shop)


def test_what_an_event_says_cannot_steer_a_terminal(shop: Path) -> None:
    shop.write_text(CATALOG + "catalog.example(Sale, {'order': '\\x1b[2J', 'amount': 1}, filtered=True)\n")
    assert "\x1b" not in millrace("catalog", "test", "--catalog", shop).output


def test_the_catalog_that_comes_with_it_holds() -> None:
    assert succeeds("catalog", "test").stdout.splitlines()[-1].startswith("All ")


@pytest.mark.parametrize("command", ["new", "test"])
def test_help_has_examples(command: str) -> None:
    said = succeeds("catalog", command, "--help").stdout
    assert f"  millrace catalog {command}" in said
