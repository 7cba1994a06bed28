"""The simulation's views once more: a plain fold over curated events, window by window."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from typing import Any, NamedTuple

from millrace.core.identity import tie_break

HOUR, DAY = 3_600_000_000, 86_400_000_000


class Kept(NamedTuple):
    """One curated record."""

    type: str
    time: int
    source: str
    id: str
    fields: dict[str, Any]


Row = tuple[int, tuple[Any, ...]]
Table = dict[Row, dict[str, Any]]


def tables(records: Iterable[Kept]) -> dict[str, Table]:
    """The rows of every view by its name, without those that no event counts in."""
    kept = list(records)
    return {
        "revenue": _table(kept, "sale", HOUR, ("currency",), _revenue),
        "by-day": _table(kept, "sale", DAY, (), lambda rows: {"sales": len(rows), "most": max(_all(rows, "amount"))}),
        "freight": _table(
            kept, "parcel", DAY, (), lambda rows: {"parcels": len(rows), "weight": sum(_all(rows, "weight"))}
        ),
        "items": _table(
            kept, "basket", HOUR, ("item",), lambda rows: {"sold": len(rows), "places": sum(_all(rows, "place"))}
        ),
    }


def _table(
    records: list[Kept], over: str, every: int, by: tuple[str, ...], measure: Callable[[list[Kept]], dict[str, Any]]
) -> Table:
    rows: defaultdict[Row, list[Kept]] = defaultdict(list)
    for record in records:
        if record.type == over:
            rows[record.time - record.time % every, tuple(record.fields[name] for name in by)].append(record)
    return {row: measure(members) for row, members in rows.items()}


def _all(records: list[Kept], name: str) -> list[Any]:
    return [record.fields[name] for record in records]


def _revenue(sales: list[Kept]) -> dict[str, Any]:
    amounts = _all(sales, "amount")
    return {
        "sales": len(sales),
        "revenue": sum(amounts),
        "mean": Context(prec=38).divide(Decimal(sum(amounts)), Decimal(len(sales))),
        "orders": len(set(_all(sales, "order"))),
        "least": min(amounts),
        "last": max(sales, key=lambda sale: (sale.time, tie_break(sale.source, sale.id))).fields["order"],
    }
