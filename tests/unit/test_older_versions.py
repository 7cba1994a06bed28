"""Older versions of a type: their schemas, the classes that say what they are, and what is checked before upcasting."""

import json
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
import pytest
from jsonschema import Draft202012Validator

from millrace import Catalog, CatalogError, Gt
from millrace.core.catalog.compatibility import findings
from millrace.core.catalog.examples import data_examples
from millrace.core.catalog.jsonschema import json_schema
from millrace.core.catalogs import cloudtrail, retail
from millrace.core.pipeline.pipeline import Pipeline
from tests.unit.test_http_requests import ask, platform


@attrs.frozen
class Sale:
    amount: Annotated[Decimal, Gt(0)]
    currency: Literal["EUR", "USD"]


@attrs.frozen
class Line:
    price: Annotated[Decimal, Gt(0)]


@attrs.frozen
class First:
    """A sale in dollars, line by line."""

    lines: list[Line]


@attrs.frozen
class Second:
    total: Annotated[Decimal, Gt(0)]
    currency: Literal["EUR", "USD"]


def shop(*, first: type | None = First, second: type | None = None, **settings: Any) -> Catalog:
    catalog = Catalog("shop")
    catalog.event("sale", version=3, **settings)(Sale)

    @catalog.upcast("sale", from_version=1, data=first)
    def sum_of_lines(data: dict[str, Any]) -> dict[str, Any]:
        return {"total": sum(Decimal(str(line["price"])) for line in data["lines"]), "currency": "USD"}

    @catalog.upcast("sale", from_version=2, data=second)
    def total_is_amount(data: dict[str, Any]) -> dict[str, Any]:
        return {"amount": data["total"], "currency": data["currency"]}

    return catalog


def verdicts(catalog: Catalog, version: int, *datas: Any) -> list[Any]:
    """For each event of a version, the places and codes of its violations."""
    events = [{"eventType": "sale", "schemaVersion": version, "data": data} for data in datas]
    answer = json.loads(ask(platform(catalog), "POST", "/validate", events).body)
    return [[(each["pointer"], each["code"]) for each in verdict["violations"]] for verdict in answer]


def test_data_of_a_declared_older_version_is_told_what_is_wrong_in_its_own_terms() -> None:
    missing: dict[str, Any] = {}
    good, wrong = {"lines": [{"price": "1.50"}]}, {"lines": [{"price": 0}, {"price": "x"}]}
    assert verdicts(shop(), 1, good, missing, wrong) == [
        [],
        [("/data/lines", "required")],
        [("/data/lines/0/price", "gt"), ("/data/lines/1/price", "type")],
    ]
    [told] = verdicts(shop(first=None), 1, missing)
    assert told == [("/data", "exception")]


def test_only_the_version_that_an_event_comes_in_is_checked_against_its_class() -> None:
    @attrs.frozen
    class Never:
        something_else: str

    assert verdicts(shop(second=Never), 1, {"lines": [{"price": 2}]}) == [[]]
    assert verdicts(shop(second=Never), 2, {"total": 2, "currency": "EUR"}) == [[("/data/something_else", "required")]]


def test_unknown_fields_of_an_older_version_are_refused_where_the_type_refuses_them() -> None:
    data = {"lines": [{"price": 2}], "till": 7}
    assert verdicts(shop(), 1, data) == [[]]
    [[(pointer, _)]] = verdicts(shop(unknown="reject"), 1, data)
    assert pointer == "/data/till"


def test_each_version_has_a_schema_that_names_it_and_leads_to_the_current_one() -> None:
    declared = shop().types["sale"]
    first, second, third = (json_schema("shop", declared, version) for version in (1, 2, 3))
    assert [schema["$id"] for schema in (first, second, third)] == [f"urn:millrace:shop:sale:{n}" for n in (1, 2, 3)]
    assert json_schema("shop", declared) == third
    assert (
        first["$comment"]
        == "Upcast by sum_of_lines, total_is_amount to urn:millrace:shop:sale:3, which must hold then."
    )
    assert first["description"] == "A sale in dollars, line by line."
    assert [*first["$defs"]] == ["Line"]
    assert second["type"] == "object"
    assert "No class is declared for version 2" in second["$comment"]
    assert second.keys() == {"$schema", "$id", "title", "$comment", "type"}
    for number in (0, 4):
        with pytest.raises(LookupError):
            json_schema("shop", declared, number)


@pytest.mark.parametrize("catalog", [retail.catalog, cloudtrail.catalog, shop(second=Second)], ids=lambda c: c.name)
def test_the_examples_in_a_schema_fit_it_and_are_accepted(catalog: Catalog) -> None:
    seen = 0
    for declared in catalog.declared.values():
        for version in range(declared.oldest, declared.version + 1):
            schema = json_schema(catalog.name, declared, version)
            Draft202012Validator.check_schema(schema)
            for data in schema["examples"]:
                assert Draft202012Validator(schema).is_valid(data)
                event = {"eventType": declared.name, "schemaVersion": version, "data": data}
                body = json.dumps(event, default=str).encode()
                [verdict] = json.loads(ask(platform(catalog), "POST", "/validate", body).body)
                assert verdict == {"index": 0, "valid": True, "violations": []}
                seen += 1
    assert seen >= len(catalog.declared)


def test_examples_that_the_author_gives_are_those_of_the_schema_if_they_are_accepted() -> None:
    catalog = shop(first=None)
    given: dict[str, Any] = {"amount": Decimal("49.90"), "currency": "EUR"}
    catalog.example(Sale, given)
    catalog.example(Sale, {**given, "amount": 0}, rejected=True)
    catalog.example(Sale, {**given, "currency": "a mistake"})
    catalog.example(Sale, {"lines": [{"price": 2}]}, version=1)
    declared = catalog.types["sale"]
    assert json_schema("shop", declared)["examples"] == [given]
    assert json_schema("shop", declared, 1)["examples"] == [{"lines": [{"price": 2}]}]
    assert "examples" not in json_schema("shop", declared, 2)


def test_what_no_rule_lets_pass_is_no_example() -> None:
    catalog = shop(first=First)
    assert data_examples(catalog.types["sale"], 1)
    catalog.rule(Sale)(lambda sale: sale.amount < 0)
    assert [data_examples(catalog.types["sale"], version) for version in (1, 2, 3)] == [[], [], []]
    assert "examples" not in json_schema("shop", catalog.types["sale"])


def test_a_class_of_an_older_version_that_is_none_is_an_error_that_names_the_place() -> None:
    with pytest.raises(CatalogError, match=r"test_older_versions\.py:\d+: .*int"):
        shop(first=int)
    assert Pipeline(shop()).catalog.types["sale"].older.keys() == {1}


def test_a_diff_names_what_narrows_an_older_version() -> None:
    def told(old: Catalog, new: Catalog) -> list[tuple[bool, str, str]]:
        return [(each.breaking, each.code, each.place) for each in findings(old, new)]

    @attrs.frozen
    class Named:
        lines: list[Line]
        till: str

    assert told(shop(), shop()) == []
    assert told(shop(first=None), shop()) == [(True, "class-declared", "type sale, version 1")]
    assert told(shop(), shop(first=None)) == []
    assert told(shop(), shop(first=Named)) == [(True, "field-required", "type sale, version 1 /till")]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"version": ["1"]}, 200, "urn:millrace:shop:sale:1"),
        ({}, 200, "urn:millrace:shop:sale:3"),
        ({"version": ["4"]}, 404, "there are 1 to 3"),
        ({"version": ["0"]}, 400, "version is not a whole number"),
        ({"version": ["1", "2"]}, 400, "more than once"),
        ({"since": ["1h"]}, 400, "there is version"),
    ],
)
def test_the_schema_of_a_version_can_be_asked_for(query: dict[str, list[str]], status: int, says: str) -> None:
    response = ask(platform(shop()), "GET", "/catalog/sale", query=query)
    assert response.status == status
    assert says in response.body.decode()
