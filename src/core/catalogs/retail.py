"""A shop: purchases, refunds, page views and sign-ups, with revenue, visitors and a funnel."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
from annotated_types import Ge, Gt, MaxLen, MinLen

from ..catalog import Catalog
from ..views.measures import Count, Distinct, Last, Max, Mean, Sum

catalog = Catalog("retail")

Currency = Literal["EUR", "USD", "GBP"]
Name = Annotated[str, MinLen(1), MaxLen(200)]
# The parts of a URI (RFC 3986, appendix B): a match takes a seventh of the time of urllib's urlsplit.
URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://([^/?#]*))?([^?#]*)")


@catalog.event("purchase", version=2)
@attrs.frozen
class Purchase:
    """Something was bought. Version 1 knew no currency: all was in dollars."""

    order_id: Name
    customer_id: Name
    amount: Annotated[Decimal, Gt(0)]
    currency: Currency
    items: Annotated[int, Ge(1)] = 1
    channel: Literal["web", "app", "store"] = "web"


@attrs.frozen
class PurchaseInDollars:
    """Something was bought, in dollars."""

    order_id: Name
    customer_id: Name
    amount: Annotated[Decimal, Gt(0)]
    items: Annotated[int, Ge(1)] = 1
    channel: Literal["web", "app", "store"] = "web"


@catalog.upcast("purchase", from_version=1, data=PurchaseInDollars)
def dollars_by_default(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "currency": "USD"}


@catalog.rule(Purchase)
def amount_is_plausible(event: Purchase) -> bool:
    return event.amount < 1_000_000


@catalog.rule(Purchase)
def amount_is_in_cents(event: Purchase) -> bool:
    return event.amount * 100 % 1 == 0


@catalog.derive(Purchase)
def size_of_purchase(event: Purchase) -> dict[str, Any]:
    return {"large": event.amount >= 1000}


@catalog.event("refund")
@attrs.frozen
class Refund:
    """Money was given back for an order."""

    order_id: Name
    customer_id: Name
    amount: Annotated[Decimal, Gt(0)]
    currency: Currency
    reason: Literal["damaged", "late", "unwanted", "other"] = "other"


@catalog.event("page_view")
@attrs.frozen
class PageView:
    """A page was looked at."""

    visitor_id: Name
    url: Annotated[str, MinLen(1), MaxLen(2000)]
    referrer: str | None = None
    duration_ms: Annotated[int, Ge(0)] = 0
    bot: bool = False


@catalog.transform(PageView)
def curate_page_view(event: PageView) -> dict[str, Any] | None:
    """Robots are filtered; of a URL the path counts."""
    if event.bot:
        return None
    return {
        "visitor_id": event.visitor_id,
        "path": path_of(event.url) or "/",
        "referrer": host_of(event.referrer) if event.referrer else None,
        "duration_ms": event.duration_ms,
    }


def path_of(url: str) -> str:
    found = URL.match(url)
    return found[2] if found else ""


def host_of(url: str) -> str | None:
    found = URL.match(url)
    return found[1] or None if found else None


@catalog.event("signup", identity="id")
@attrs.frozen
class Signup:
    """A customer signed up. A sign-up is the same whenever it is told, so its time does not identify it."""

    customer_id: Name
    plan: Literal["free", "plus", "business"]
    country: Annotated[str, MinLen(2), MaxLen(2)] | None = None


bought = {"order_id": "o-1001", "customer_id": "c-17", "amount": "49.90", "items": 2, "channel": "app"}
catalog.example(
    Purchase,
    {**bought, "currency": "EUR"},
    curated={**bought, "currency": "EUR", "amount": Decimal("49.9"), "large": False},
)
catalog.example(Purchase, bought, version=1)
catalog.example(Purchase, {**bought, "amount": 0, "currency": "EUR"}, rejected="/amount")
catalog.example(
    Refund, {"order_id": "o-1001", "customer_id": "c-17", "amount": 9.5, "currency": "EUR", "reason": "late"}
)
viewed = {"visitor_id": "v-3", "url": "https://shop.example/shoes?color=red", "duration_ms": 1200}
catalog.example(
    PageView, viewed, curated={"visitor_id": "v-3", "path": "/shoes", "referrer": None, "duration_ms": 1200}
)
catalog.example(PageView, {**viewed, "bot": True}, filtered=True)
catalog.example(Signup, {"customer_id": "c-17", "plan": "plus", "country": "PT"})

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

catalog.view(
    "revenue",
    over=Purchase,
    every=HOUR,
    by=["currency"],
    measures={
        "orders": Count(),
        "revenue": Sum("amount"),
        "mean": Mean("amount"),
        "largest": Max("amount"),
        "buyers": Distinct("customer_id"),
    },
)
catalog.view(
    "refunds",
    over=Refund,
    every=DAY,
    by=["currency", "reason"],
    measures={"refunds": Count(), "refunded": Sum("amount")},
)
catalog.view(
    "visitors",
    over=PageView,
    every=HOUR,
    measures={"views": Count(), "visitors": Distinct("visitor_id"), "milliseconds": Sum("duration_ms")},
)
catalog.view("pages", over=PageView, every=DAY, by=["path"], measures={"views": Count(), "last_from": Last("referrer")})
# The funnel, step by step: who looked, who signed up, who bought. Each step is a view by day.
catalog.view("funnel_visits", over=PageView, every=DAY, measures={"visitors": Distinct("visitor_id")})
catalog.view("funnel_signups", over=Signup, every=DAY, by=["plan"], measures={"signups": Count()})
catalog.view(
    "funnel_purchases", over=Purchase, every=DAY, measures={"buyers": Distinct("customer_id"), "orders": Count()}
)
