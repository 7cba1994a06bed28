"""The event that is measured, declared three times: for Millrace, as a bare Struct, and for pydantic."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import attrs
import msgspec
from pydantic import AwareDatetime, BaseModel, Field

from millrace import Catalog, Count, Gt, Max, Sum

CHUNK = 3000
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


@catalog.derive(Purchase)
def size(event: Any) -> dict[str, Any]:
    return {"large": event.amount >= 1000}


catalog.view(
    "revenue",
    over=Purchase,
    every=timedelta(hours=1),
    by=["currency"],
    measures={"orders": Count(), "revenue": Sum("amount"), "largest": Max("amount")},
)


class PurchaseStruct(msgspec.Struct):
    order_id: str
    customer_id: str
    amount: Decimal
    currency: Literal["EUR", "USD", "GBP"]
    tax: Decimal
    items: int
    channel: str
    country: str
    coupon: str | None


class PurchaseEvent(msgspec.Struct, tag_field="eventType", tag="purchase"):
    """What the speed of msgspec is measured with: the same event, decoded into a tagged Struct and no more."""

    eventId: str
    eventTime: datetime
    source: str
    data: PurchaseStruct


class RefundEvent(msgspec.Struct, tag_field="eventType", tag="refund"):
    """The second member of the union, without which there would be nothing to tell apart."""

    eventId: str
    eventTime: datetime
    source: str
    data: PurchaseStruct


Text = Annotated[str, Field(min_length=1, max_length=2048)]


class PurchaseModel(BaseModel, strict=True, extra="forbid", frozen=True):
    order_id: str
    customer_id: str
    amount: Annotated[Decimal, Field(gt=0, max_digits=38)]
    currency: Literal["EUR", "USD", "GBP"]
    tax: Annotated[Decimal, Field(max_digits=38)]
    items: Annotated[int, Field(gt=-(10**38), lt=10**38)]
    channel: str
    country: str
    coupon: str | None


class EventModel(BaseModel, strict=True, extra="forbid", frozen=True):
    """Nothing is coerced, unknown fields are refused, numbers are held exactly: what Millrace promises."""

    eventType: Literal["purchase"]
    eventId: Text
    eventTime: AwareDatetime
    source: Text
    subject: Text | None = None
    schemaVersion: int | None = None
    data: PurchaseModel


def curate(data: PurchaseModel) -> dict[str, Any]:
    """The curated fields as the rival writes them down."""
    return {
        "order_id": data.order_id,
        "customer_id": data.customer_id,
        "amount": data.amount,
        "currency": data.currency,
        "tax": data.tax,
        "items": data.items,
        "channel": data.channel,
        "country": data.country,
        "coupon": data.coupon,
        "large": data.amount >= 1000,
    }


def lines(count: int, seed: int = 1) -> list[bytes]:
    """Events of about 320 bytes, roughly in order of time, one in a hundred of them sent twice."""
    rng = random.Random(seed)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    made: list[bytes] = []
    for number in range(count):
        if made and rng.random() < 0.01:
            made.append(rng.choice(made[-1000:]))
            continue
        when = start + timedelta(seconds=number // 4 + rng.randrange(600), microseconds=rng.randrange(10**6))
        cents = rng.randrange(1000, 200_000)
        made.append(
            f'{{"eventType":"purchase","eventId":"{UUID(int=rng.getrandbits(128))}",'
            f'"eventTime":"{when:%Y-%m-%dT%H:%M:%S.%fZ}","source":"shop/web/checkout",'
            f'"data":{{"order_id":"o-{number:012d}","customer_id":"c-{rng.randrange(10**5):06d}",'
            f'"amount":{cents / 100:.2f},"currency":"{rng.choice(("EUR", "USD", "GBP"))}",'
            f'"tax":{cents / 600:.2f},"items":{rng.randrange(1, 9)},"channel":"{rng.choice(("web", "app"))}",'
            f'"country":"{rng.choice(("DE", "US", "GB"))}","coupon":"WINTER{rng.randrange(10**6):06d}"}}}}'.encode()
        )
    return made


def chunks(events: list[bytes]) -> list[bytes]:
    return [b"\n".join(events[at : at + CHUNK]) + b"\n" for at in range(0, len(events), CHUNK)]
