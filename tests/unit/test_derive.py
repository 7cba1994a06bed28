"""Derived fields: what a function returns stands beside the fields of the class, checked as a transform's result is."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from millrace import Catalog, CatalogError, Count, Sum
from millrace.core.pipeline.pipeline import Batch, Pipeline
from millrace.core.records import RawObject, Receipt

Derive = Callable[[Any], Any]


@attrs.frozen
class Sale:
    amount: Decimal
    shop: str = "main"


def with_derived(derive: Derive) -> Catalog:
    catalog = Catalog("shop")
    catalog.event("sale")(attrs.frozen(type("Sale", (), {"__annotations__": Sale.__annotations__, "shop": "main"})))
    cls = catalog.types["sale"].cls
    catalog.derive(cls)(derive)
    return catalog


def run(catalog: Catalog, *amounts: str) -> Batch:
    lines = [f'{{"eventType": "sale", "eventId": "{n}", "eventTime": 1, "amount": {a}}}' for n, a in enumerate(amounts)]
    receipt = Receipt(id="r", received_at=1, content_type="application/x-ndjson", source="test")
    return Pipeline(catalog).run(RawObject(receipt, "\n".join(lines).encode()), 2)


def test_derived_fields_stand_beside_those_of_the_class() -> None:
    batch = run(with_derived(lambda sale: {"large": sale.amount > 10, "double": sale.amount * 2}), "5.25", "11")
    assert [record.fields for record in batch.records] == [
        {"amount": Decimal("5.25"), "shop": "main", "large": False, "double": Decimal("10.50")},
        {"amount": Decimal(11), "shop": "main", "large": True, "double": Decimal(22)},
    ]


def test_derived_fields_may_differ_from_event_to_event() -> None:
    batch = run(with_derived(lambda sale: {"large": True} if sale.amount > 10 else {}), "5", "11")
    assert [sorted(record.fields) for record in batch.records] == [["amount", "shop"], ["amount", "large", "shop"]]


@pytest.mark.parametrize(
    ("derive", "pointer"),
    [
        (lambda sale: None if sale.amount == 7 else {"a": 1}, ""),
        (lambda sale: {"a": Decimal("NaN") if sale.amount == 7 else 1}, "/a"),
        (lambda sale: {"a": 10**50 + 1 if sale.amount == 7 else 1}, "/a"),
        (lambda sale: {"a": object() if sale.amount == 7 else 1}, "/a"),
        (lambda sale: {1 if sale.amount == 7 else "a": 1}, ""),
        (lambda sale: {"shop": 1} if sale.amount == 7 else {"a": 1}, "/shop"),
        (lambda sale: {"a": 1 / (7 - sale.amount)}, ""),
    ],
    ids=["no dict", "no number", "too large", "no value", "no text as key", "a field's name", "raises"],
)
def test_a_derivation_that_fails_costs_its_event_alone(derive: Derive, pointer: str) -> None:
    batch = run(with_derived(derive), "1", "7", "2")
    assert [record.index for record in batch.records] == [0, 2]
    [letter] = batch.letters
    assert (letter.index, letter.reason, letter.violations[0].pointer) == (1, "transform-error", pointer)


def test_a_value_of_another_kind_is_stored_as_a_transform_would_store_it() -> None:
    batch = run(with_derived(lambda sale: {"share": 0.1, "tags": ("a", "b")}), "1")
    assert batch.records[0].fields == {"amount": 1, "shop": "main", "share": Decimal("0.1"), "tags": ["a", "b"]}


def test_views_can_measure_fields_and_what_is_derived() -> None:
    catalog = with_derived(lambda sale: {"cents": int(sale.amount * 100)})
    cls = catalog.types["sale"].cls
    catalog.view(
        "sums", over=cls, every=timedelta(hours=1), by=["shop"], measures={"cents": Sum("cents"), "n": Count()}
    )
    with pytest.raises(CatalogError, match="'euros'"):
        catalog.view("wrong", over=cls, every=timedelta(hours=1), measures={"euros": Sum("euros")})


def test_a_type_has_one_transform_or_derivation() -> None:
    catalog = with_derived(lambda sale: {})
    with pytest.raises(CatalogError, match="two transforms or derivations"):
        catalog.transform(catalog.types["sale"].cls)(lambda sale: {})


def test_fields_that_no_example_brings_about_can_be_named() -> None:
    def rare(sale: Any) -> dict[str, Any]:
        return {"rare": 1} if sale.amount > 10**9 else {"common": 1}

    catalog = Catalog("shop")
    catalog.event("sale")(Sale)
    catalog.transform(Sale, yields=["rare"])(rare)
    catalog.view("rarities", over=Sale, every=timedelta(hours=1), measures={"rare": Sum("rare")})
    assert "rarities" in catalog.views


@pytest.mark.parametrize("declare", ["rule", "transform", "derive"])
def test_functions_that_would_have_to_be_awaited_are_refused(declare: str) -> None:
    async def later(sale: Any) -> bool:
        return True

    catalog = Catalog("shop")
    catalog.event("sale")(Sale)
    with pytest.raises(CatalogError, match="is async"):
        getattr(catalog, declare)(Sale)(later)
