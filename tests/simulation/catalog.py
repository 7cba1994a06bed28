"""A small catalog with one of everything: two kinds of identity, versions, filters, several records, raising code."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
from annotated_types import Gt

from millrace import Catalog, Count, Distinct, Last, Max, Mean, Min, Sum

catalog = Catalog("simulation")


@catalog.event("sale")
@attrs.frozen
class Sale:
    order: str
    amount: Annotated[Decimal, Gt(0)]
    currency: Literal["EUR", "USD"]


@catalog.rule(Sale)
def amount_is_plausible(sale: Sale) -> bool:
    return sale.amount < 1000


@catalog.event("parcel", identity="id")
@attrs.frozen
class Parcel:
    weight: int


@catalog.event("basket")
@attrs.frozen
class Basket:
    items: list[str]


@catalog.transform(Basket)
def item_by_item(basket: Basket) -> list[dict[str, Any]] | None:
    if "raise" in basket.items:
        raise RuntimeError("user code fails")
    return [{"item": item, "place": place} for place, item in enumerate(basket.items)]


@catalog.event("note", version=2)
@attrs.frozen
class Note:
    text: str


@catalog.upcast("note", from_version=1)
def body_to_text(data: dict[str, Any]) -> dict[str, Any]:
    return {"text": data["body"]}


@catalog.transform(Note)
def unless_empty(note: Note) -> dict[str, Any] | None:
    return {"text": note.text} if note.text else None


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
catalog.view(
    "revenue",
    over=Sale,
    every=HOUR,
    by=["currency"],
    measures={
        "sales": Count(),
        "revenue": Sum("amount"),
        "mean": Mean("amount"),
        "orders": Distinct("order"),
        "least": Min("amount"),
        "last": Last("order"),
    },
)
catalog.view("by-day", over=Sale, every=DAY, measures={"sales": Count(), "most": Max("amount")})
catalog.view("freight", over=Parcel, every=DAY, measures={"parcels": Count(), "weight": Sum("weight")})
catalog.view("items", over=Basket, every=HOUR, by=["item"], measures={"sold": Count(), "places": Sum("place")})
