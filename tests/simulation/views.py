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


class Plain(NamedTuple):
    """A view, as simply as it can be said."""

    over: str
    every: int
    by: tuple[str, ...]
    measure: Callable[[list[Kept]], dict[str, Any]]


def row_of(view: str, record: Kept) -> Row | None:
    """The window and the group that a record counts in, if the view is over its type."""
    over, every, by, _ = VIEWS[view]
    if record.type != over:
        return None
    return record.time - record.time % every, tuple(record.fields[name] for name in by)


def table(view: str, records: Iterable[Kept]) -> Table:
    """The rows of a view, without those that no event counts in."""
    rows: defaultdict[Row, list[Kept]] = defaultdict(list)
    for record in records:
        if (row := row_of(view, record)) is not None:
            rows[row].append(record)
    return {row: VIEWS[view].measure(members) for row, members in rows.items()}


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


def _by_day(sales: list[Kept]) -> dict[str, Any]:
    return {"sales": len(sales), "most": max(_all(sales, "amount"))}


def _freight(parcels: list[Kept]) -> dict[str, Any]:
    return {"parcels": len(parcels), "weight": sum(_all(parcels, "weight"))}


def _items(items: list[Kept]) -> dict[str, Any]:
    return {"sold": len(items), "places": sum(_all(items, "place"))}


def _all(records: list[Kept], name: str) -> list[Any]:
    return [record.fields[name] for record in records]


VIEWS = {
    "revenue": Plain("sale", HOUR, ("currency",), _revenue),
    "by-day": Plain("sale", DAY, (), _by_day),
    "freight": Plain("parcel", DAY, (), _freight),
    "items": Plain("basket", HOUR, ("item",), _items),
}
