"""The catalog that is measured: one type with two rules, a transform, and a view by hour and currency."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs

from millrace import Catalog, Count, Gt, Max, Sum

catalog = Catalog("benchmark")


@catalog.event("purchase", unknown="reject")
@attrs.frozen
class Purchase:
    order_id: str
    customer_id: str
    amount: Annotated[Decimal, Gt(0)]
    currency: Literal["EUR", "USD", "GBP"]
    tax: Decimal
    items: int
    channel: str
    country: str
    coupon: str | None


@catalog.rule(Purchase)
def amount_is_plausible(event: Purchase) -> bool:
    return event.amount < 1_000_000


@catalog.rule(Purchase)
def has_items(event: Purchase) -> bool:
    return event.items > 0


@catalog.transform(Purchase)
def curate(event: Any) -> dict[str, Any]:
    return {
        "order_id": event.order_id,
        "customer_id": event.customer_id,
        "amount": event.amount,
        "currency": event.currency,
        "tax": event.tax,
        "items": event.items,
        "channel": event.channel,
        "country": event.country,
        "coupon": event.coupon,
        "large": event.amount >= 1000,
    }


catalog.view(
    "revenue",
    over=Purchase,
    every=timedelta(hours=1),
    by=["currency"],
    measures={"orders": Count(), "revenue": Sum("amount"), "largest": Max("amount")},
)
