"""What ``millrace catalog new`` writes: a catalog to change, its tests and its sample; ``$name`` is the author's."""

CATALOG = '''\
"""The catalog $name: what the platform knows of its events. Change it to fit yours."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
from millrace import Catalog, Count, Ge, Gt, Le, Max, Sum

catalog = Catalog("$name")


# The data of an event type is a plain class. Nothing is coerced: what does not fit its
# type or a constraint becomes a dead letter that says so. A Decimal is written as a
# number or as a text.
@catalog.event("order", version=2)
@attrs.frozen
class Order:
    order_id: str
    amount: Annotated[Decimal, Gt(0), Le(1_000_000)]
    currency: Literal["EUR", "USD"]
    items: Annotated[int, Ge(1), Le(1000)] = 1
    test: bool = False


# Senders that have not changed yet go on sending version 1: its class says what that
# is, and the upcaster turns its data (a dict) into that of version 2.
@attrs.frozen
class OrderVersion1:
    order_id: str
    amount: Annotated[Decimal, Gt(0), Le(1_000_000)]


@catalog.upcast("order", from_version=1, data=OrderVersion1)
def dollars_until_version_2(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "currency": "USD"}


# A rule looks at the whole of an event. One that it does not hold for is a dead letter.
@catalog.rule(Order)
def bulk_is_ordered_in_euros(order: Order) -> bool:
    return order.items < 100 or order.currency == "EUR"


# What is kept of an event, to be queried and measured. None filters it: it is counted,
# and not curated. Without a transform the fields of the class are kept as they are.
@catalog.transform(Order)
def curate(order: Order) -> dict[str, Any] | None:
    if order.test:
        return None
    return {
        "order_id": order.order_id,
        "amount": order.amount,
        "currency": order.currency,
        "items": order.items,
        "large": order.amount >= 1000,
    }


# A view measures curated fields, in windows of the events' own time.
catalog.view(
    "revenue",
    over=Order,
    every=timedelta(hours=1),
    by=["currency"],
    measures={"orders": Count(), "revenue": Sum("amount"), "largest": Max("amount")},
)

# Examples say what becomes of data, and `millrace catalog test` tries them.
catalog.example(
    Order,
    {"order_id": "o-1", "amount": "1250.00", "currency": "EUR"},
    curated={
        "order_id": "o-1",
        "amount": Decimal("1250.00"),
        "currency": "EUR",
        "items": 1,
        "large": True,
    },
)
catalog.example(
    Order,
    {"order_id": "o-2", "amount": 5, "currency": "EUR", "test": True},
    filtered=True,
)
catalog.example(
    Order,
    {"order_id": 3, "amount": 0, "currency": "GBP"},
    rejected=["/order_id", "/amount", "/currency"],
)
catalog.example(
    Order,
    {"order_id": "o-4", "amount": 5, "currency": "USD", "items": 100},
    rejected="bulk_is_ordered_in_euros",
)
catalog.example("order", {"order_id": "o-5", "amount": 5}, version=1)
'''

TEST = '''\
"""Tests of the catalog $name: its sample, and whatever else senders may come up with."""

from pathlib import Path

from hypothesis import given, settings
from millrace.testing import Delivered, MemoryPlatform, histories, holds_the_laws

from $name import catalog

SAMPLE = Path(__file__).with_name("$name.ndjson")


def test_the_sample_is_curated_but_for_its_broken_event() -> None:
    platform = MemoryPlatform(catalog)
    summary = platform.run(SAMPLE)
    assert (summary["curated"], summary["dead_lettered"]) == (5, 1)
    assert [row["revenue"] for row in platform.view("revenue", by=[])] == [1325, 65]
    [letter] = platform.dead_letters()
    assert [wrong["pointer"] for wrong in letter["violations"]] == ["/data/amount"]


def test_an_order_that_is_sent_twice_counts_once() -> None:
    platform = MemoryPlatform(catalog)
    order = {
        "eventType": "order",
        "eventId": "1",
        "data": {"order_id": "o-1", "amount": "9.50", "currency": "EUR"},
    }
    platform.send(order)
    platform.send(order)
    assert platform.drain()["duplicate"] == 1
    assert [event["amount"] for event in platform.events("order")] == [9.5]


# Generated histories: events of every type and version, duplicates, any order, some of
# them broken. Nothing is lost, nothing counts twice, and the view is exact; or you see
# a history, as small as can be, in which it is not so.
@settings(deadline=None)
@given(histories(catalog))
def test_every_history_keeps_the_laws(history: list[Delivered]) -> None:
    holds_the_laws(catalog, history)
'''

SAMPLE = """\
{"eventType": "order", "eventId": "1", "eventTime": "2026-11-23T08:05:00Z", "schemaVersion": 2, \
"data": {"order_id": "o-1", "amount": "1250.00", "currency": "EUR", "items": 3}}
{"eventType": "order", "eventId": "2", "eventTime": "2026-11-23T08:20:00Z", "order_id": "o-2", "amount": 75, \
"currency": "EUR"}
{"eventType": "order", "eventId": "3", "eventTime": "2026-11-23T10:40:00+01:00", "order_id": "o-3", "amount": 19.5, \
"currency": "USD"}
{"eventType": "order", "eventId": "4", "eventTime": 1795425000, "schemaVersion": 1, "data": {"order_id": "o-4", \
"amount": 20.5}}
{"specversion": "1.0", "type": "order", "id": "5", "source": "/shop", "time": "2026-11-23T09:55:00Z", \
"data": {"order_id": "o-5", "amount": "25", "currency": "USD"}}
{"eventType": "order", "eventId": "6", "eventTime": "2026-11-23T09:58:00Z", "data": {"order_id": "o-6", \
"amount": -1, "currency": "USD"}}
"""
