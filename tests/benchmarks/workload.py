"""The event that is measured, as a bare Struct and for pydantic; ``catalog`` declares it for Millrace."""

import random
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import AwareDatetime, BaseModel, Field

CHUNK = 3000


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


def lines(count: int) -> list[bytes]:
    return [*each_line(count)]


def each_line(count: int) -> Iterator[bytes]:
    """Events of about 320 bytes, roughly in order of time, one in a hundred of them sent twice."""
    rng = random.Random(1)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    recent: deque[bytes] = deque(maxlen=1000)
    for number in range(count):
        if recent and rng.random() < 0.01:
            yield rng.choice(recent)
            continue
        when = start + timedelta(seconds=number // 4 + rng.randrange(600), microseconds=rng.randrange(10**6))
        cents = rng.randrange(1000, 200_000)
        line = (
            f'{{"eventType":"purchase","eventId":"{UUID(int=rng.getrandbits(128))}",'
            f'"eventTime":"{when:%Y-%m-%dT%H:%M:%S.%fZ}","source":"shop/web/checkout",'
            f'"data":{{"order_id":"o-{number:012d}","customer_id":"c-{rng.randrange(10**5):06d}",'
            f'"amount":{cents / 100:.2f},"currency":"{rng.choice(("EUR", "USD", "GBP"))}",'
            f'"tax":{cents / 600:.2f},"items":{rng.randrange(1, 9)},"channel":"{rng.choice(("web", "app"))}",'
            f'"country":"{rng.choice(("DE", "US", "GB"))}","coupon":"WINTER{rng.randrange(10**6):06d}"}}}}'
        ).encode()
        recent.append(line)
        yield line


def chunks(events: list[bytes]) -> list[bytes]:
    return [b"\n".join(events[at : at + CHUNK]) + b"\n" for at in range(0, len(events), CHUNK)]
