"""The event that is measured, declared three times: for Millrace, as a bare Struct, and for pydantic."""

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

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
    items: int
    channel: str
    note: str


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
        "items": event.items,
        "channel": event.channel,
        "large": event.amount >= 1000,
    }


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
    items: int
    channel: str
    note: str


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
    items: Annotated[int, Field(gt=-(10**38), lt=10**38)]
    channel: str
    note: str


class EventModel(BaseModel, strict=True, extra="forbid", frozen=True):
    """Nothing is coerced, unknown fields are refused, numbers are held exactly: what Millrace promises."""

    eventType: Literal["purchase"]
    eventId: Text
    eventTime: AwareDatetime
    source: Text
    subject: Text | None = None
    schemaVersion: int | None = None
    data: PurchaseModel


def lines(count: int, seed: int = 1) -> list[bytes]:
    """Events of 320 bytes, roughly in order of time, one in a hundred of them sent twice."""
    rng = random.Random(seed)
    start = datetime(2026, 11, 1)
    made: list[bytes] = []
    for number in range(count):
        if made and rng.random() < 0.01:
            made.append(rng.choice(made[-1000:]))
            continue
        when = start + timedelta(seconds=number // 4 + rng.randrange(600), microseconds=rng.randrange(10**6))
        line = (
            f'{{"eventType":"purchase","eventId":"{rng.getrandbits(64):016x}-{number:08x}",'
            f'"eventTime":"{when.isoformat(timespec="microseconds")}Z","source":"shop/web",'
            f'"data":{{"order_id":"o-{number:010d}","customer_id":"c-{rng.randrange(10**5):08d}",'
            f'"amount":{rng.randrange(1, 200000) / 100:.2f},"currency":"{rng.choice(("EUR", "USD", "GBP"))}",'
            f'"items":{rng.randrange(1, 9)},"channel":"web","note":"'
        ).encode()
        made.append(line + b"." * (320 - len(line) - 3) + b'"}}')
    return made


def chunks(events: list[bytes]) -> list[bytes]:
    return [b"\n".join(events[at : at + CHUNK]) + b"\n" for at in range(0, len(events), CHUNK)]
