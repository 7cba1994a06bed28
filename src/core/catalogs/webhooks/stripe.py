"""Stripe's webhooks: charges, invoices and subscriptions.

Signature and fields as in Stripe's documentation: "Receive Stripe events in your webhook endpoint", and in its API
reference the objects Event, Charge, Invoice and Subscription. The data of an event never change, though what stands
around them may (``pending_webhooks``): they alone are its content. Amounts are in the smallest unit of their currency,
whose ISO code is in lower case.
"""

from datetime import timedelta
from typing import Annotated, Any

import attrs
from annotated_types import Ge, Le, MinLen

from ...decoding.signatures import TimestampedSignature
from ...views.measures import Count, Distinct, Sum
from .declared import catalog

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_STRIPE = (
    *("charge.succeeded", "charge.failed", "charge.refunded", "invoice.paid", "invoice.payment_failed"),
    *("customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted"),
)

catalog.source(
    "stripe",
    type="/type",
    types={name: name for name in _STRIPE},
    id="/id",
    time="/created",
    subject="/data/object/id",
    data="/data/object",
    signature=TimestampedSignature("Stripe-Signature", secrets="STRIPE_WEBHOOK_SECRETS"),
)

Amount = Annotated[int, Ge(0)]
# Many times what Stripe takes, and still so small that an amount times a quantity, summed, is kept exactly.
UnitAmount = Annotated[int, Ge(-(10**12)), Le(10**12)]
Quantity = Annotated[int, Ge(0), Le(10**12)]
Currency = Annotated[str, MinLen(1)]


@attrs.frozen
class _Charge:
    id: str
    amount: Amount
    currency: Currency
    amount_refunded: Amount = 0
    customer: str | None = None
    status: str | None = None
    failure_code: str | None = None
    livemode: bool = True


@catalog.event("charge.succeeded")
@attrs.frozen
class ChargeSucceeded(_Charge):
    """A charge was made."""


@catalog.event("charge.failed")
@attrs.frozen
class ChargeFailed(_Charge):
    """A charge was declined; ``failure_code`` says why."""


@catalog.event("charge.refunded")
@attrs.frozen
class ChargeRefunded(_Charge):
    """A charge was given back, wholly or in part; ``amount_refunded`` is what was in all."""


@attrs.frozen
class _Invoice:
    id: str
    amount_due: int
    amount_paid: Amount
    currency: Currency
    customer: str | None = None
    number: str | None = None
    billing_reason: str | None = None
    attempt_count: int = 0
    livemode: bool = True


@catalog.event("invoice.paid")
@attrs.frozen
class InvoicePaid(_Invoice):
    """An invoice was paid."""


@catalog.event("invoice.payment_failed")
@attrs.frozen
class InvoicePaymentFailed(_Invoice):
    """An attempt to pay an invoice failed."""


@attrs.frozen
class Price:
    """What one of an item costs a period; not told where that depends on how many there are."""

    id: str
    unit_amount: UnitAmount | None = None


@attrs.frozen
class Item:
    """An item of a subscription; it has no quantity where use is metered."""

    price: Price
    quantity: Quantity | None = None


@attrs.frozen
class Items:
    """The first items of a list."""

    data: tuple[Item, ...] = ()


@attrs.frozen
class _Subscription:
    id: str
    customer: str
    status: str
    currency: Currency
    items: Items = Items()
    cancel_at_period_end: bool = False
    livemode: bool = True


@catalog.event("customer.subscription.created")
@attrs.frozen
class SubscriptionCreated(_Subscription):
    """A customer subscribed."""


@catalog.event("customer.subscription.updated")
@attrs.frozen
class SubscriptionUpdated(_Subscription):
    """A subscription changed: its plan, its status, whether it ends."""


@catalog.event("customer.subscription.deleted")
@attrs.frozen
class SubscriptionDeleted(_Subscription):
    """A subscription ended."""


def curate_subscription(event: _Subscription) -> dict[str, Any]:
    """``amount`` is that of a period, of the items whose price does not depend on use."""
    items = event.items.data
    return {
        "id": event.id,
        "customer": event.customer,
        "status": event.status,
        "currency": event.currency,
        "amount": sum(
            (item.price.unit_amount or 0) * (1 if item.quantity is None else item.quantity) for item in items
        ),
        "prices": [item.price.id for item in items],
        "cancel_at_period_end": event.cancel_at_period_end,
        "livemode": event.livemode,
    }


for _kind in (SubscriptionCreated, SubscriptionUpdated, SubscriptionDeleted):
    catalog.transform(_kind)(curate_subscription)

catalog.view(
    "charges",
    over=ChargeSucceeded,
    every=HOUR,
    by=["currency"],
    measures={"charges": Count(), "amount": Sum("amount"), "customers": Distinct("customer")},
)
catalog.view("declines", over=ChargeFailed, every=HOUR, by=["currency", "failure_code"], measures={"charges": Count()})
catalog.view(
    "invoices", over=InvoicePaid, every=DAY, by=["currency"], measures={"invoices": Count(), "paid": Sum("amount_paid")}
)
catalog.view(
    "subscriptions",
    over=SubscriptionCreated,
    every=DAY,
    by=["currency"],
    measures={"created": Count(), "amount": Sum("amount")},
)
catalog.view("cancellations", over=SubscriptionDeleted, every=DAY, by=["currency"], measures={"ended": Count()})
