"""A catalog with something of everything: an older version, nested classes, every kind of value, a foreign source."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import attrs

from millrace import Catalog, Count, Ge, Gt, Le, Max, MaxLen, MinLen, Sum

catalog = Catalog("shop")


@attrs.frozen
class Line:
    """One line of an order."""

    sku: Annotated[str, MinLen(1), MaxLen(20)]
    price: Annotated[Decimal, Gt(0)]
    count: Annotated[int, Ge(1), Le(99)] = 1


@catalog.event("order", version=2)
@attrs.frozen
class Order:
    """Something was ordered."""

    order: Annotated[str, MinLen(1), MaxLen(40)]
    lines: Annotated[list[Line], MinLen(1), MaxLen(5)]
    channel: Literal["web", "store"] = "web"
    note: str | None = None


@attrs.frozen
class OrderOfOne:
    """Something was ordered, in a single line."""

    order: str
    line: Line


@catalog.upcast("order", from_version=1, data=OrderOfOne)
def one_line(data: dict[str, Any]) -> dict[str, Any]:
    return {"order": data["order"], "lines": [data["line"]]}


@catalog.derive(Order)
def sums(order: Order) -> dict[str, Any]:
    return {"total": sum((line.price * line.count for line in order.lines), Decimal(0))}


@catalog.event("parcel.sent", unknown="reject", identity="id")
@attrs.frozen
class Parcel:
    """A parcel is on its way."""

    parcel: UUID
    sent: datetime
    due: date
    kilograms: Annotated[float, Gt(0)]
    label: bytes = b""
    labels: dict[str, str] = attrs.field(factory=dict)
    fragile: bool = False


catalog.view(
    "sales", over=Order, every=timedelta(hours=1), by=["channel"],
    measures={"orders": Count(), "revenue": Sum("total"), "largest": Max("total")},
)  # fmt: skip
catalog.view("parcels", over=Parcel, every=timedelta(days=1), measures={"parcels": Count()})
catalog.source(
    "carrier", records="/parcels", type="/kind", id="/number", time="/at", data="/parcel",
    origin="header:X-Carrier", types={"handed-over": "parcel.sent"},
)  # fmt: skip
