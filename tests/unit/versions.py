"""Catalogs of one shop at different times, and platforms that share its stores: for tests of what a change does."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import attrs
from annotated_types import Gt

from millrace import Catalog
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.ports import Stores
from millrace.core.records import Curated, RawObject
from millrace.core.services.archive import Archive
from millrace.core.services.archived import Archived
from millrace.core.times import parse_time
from millrace.entrypoints.platform import Platform

Transform = Callable[[Any], Any]
TOMORROW = parse_time("2026-11-24T00:00:00Z")
"""Behind the time of every sale."""


def shop(
    *,
    least: int = 0,
    transform: Transform | None = None,
    rule: Callable[[Any], bool] | None = None,
    version: int = 1,
    identity: Any = "time",
    sale: str = "sale",
    name: str = "shop",
) -> Catalog:
    """A catalog with the types ``sale`` (amount above ``least``) and ``visit`` (identified by its id)."""
    catalog = Catalog(name)

    @attrs.frozen
    class Sale:
        amount: Annotated[Decimal, Gt(least)]
        note: str | None = None

    @attrs.frozen
    class Visit:
        page: str = "/"

    catalog.event(sale, version=version, unversioned=1, identity=identity)(Sale)
    catalog.event("visit", identity="id")(Visit)
    for step in range(1, version):
        catalog.upcast(sale, from_version=step)(lambda data: data)
    if transform is not None:
        catalog.transform(Sale)(transform)
    if rule is not None:
        catalog.rule(Sale, name="allowed")(rule)
    return catalog


def platform(catalog: Catalog, stores: Stores | None = None) -> Platform:
    """A platform on these stores, or on new ones in memory."""
    return Platform.assemble(catalog, stores or memory_stores(), SystemClock(), RandomReceiptIds())


def event(number: int, amount: Any = 5, **more: Any) -> dict[str, Any]:
    time = f"2026-11-23T02:30:{number % 60:02}Z"
    return {"eventType": "sale", "eventId": f"e-{number}", "eventTime": time, "source": "till", "data": {
        "amount": amount}, **more}  # fmt: skip


def visit(number: int, **more: Any) -> dict[str, Any]:
    return {"eventType": "visit", "eventId": f"v-{number}", "source": "site", "data": {"page": "/a"}, **more}


def send(on: Platform, *events: Any) -> str:
    """The receipt of a request with these events, which was processed."""
    body = b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in events)
    receipt = on.ingest.chunk(body, source="till", content_type="application/x-ndjson", origin="test")
    for _ in on.work.drain():
        pass
    return receipt


def raws(on: Platform) -> list[RawObject]:
    """The whole raw log."""
    listed = on.stores.raw.list(since=EARLIEST, until=LATEST, after=None, limit=10**6)
    return [on.stores.raw.read(receipt) for receipt in listed]


def stored(on: Platform, event_type: str = "sale") -> list[Curated]:
    """What is curated of a type, in order."""
    return list(on.stores.curated.query(event_type, since=EARLIEST, until=LATEST + 1, after=None, limit=10**6))


def archive(on: Platform, before: int = TOMORROW) -> int:
    """Archive what is older, and say how many records that were."""
    archiver = Archive(on.stores, on.clock, on.project, margin=0)
    archiver.announce(before)
    return sum(batch.records for batch in archiver.run(sorted(on.catalog.types)))


def restore(on: Platform) -> int:
    """Restore everything, and say how many records that were."""
    archiver = Archive(on.stores, on.clock, on.project, margin=0)
    return sum(batch.records for batch in archiver.restore(on.pipeline.decoder, sorted(on.catalog.types)))


def archived(on: Platform, event_type: str = "sale") -> list[Curated]:
    """What the archive has of a type, in order."""
    return list(Archived(on.stores).read(event_type))
