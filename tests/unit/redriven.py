"""A small shop whose rules can be loosened, and what its stores hold, for the tests of redrive."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import attrs
import msgspec

from millrace import Catalog, Count, Sum
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.ports import Stores
from millrace.core.records import DeadLetter, LedgerEntry
from millrace.core.redriving import Choice, Redriven, Step
from millrace.core.services.ingest import Ingest
from millrace.core.services.process import Process
from millrace.core.services.project import Project
from millrace.core.services.redrive import Redrive
from millrace.core.services.work import Work

from ..simulation.world import SeededIds, TickingClock

STRICT, LOOSE = 100, 1000
"""The least amounts that the rule refuses, before and after it was loosened."""


@cache
def compiled(limit: int) -> Pipeline:
    """The catalog whose rule refuses amounts from ``limit`` on. Amounts over 10,000 make its transform fail, those over
    20,000 with other words after the rule was loosened; those over 30,000 it did not even reach before. With that
    there came another rule: no quarters.
    """
    catalog = Catalog("shop")

    @catalog.event("sale")
    @attrs.frozen
    class Sale:
        order: str
        amount: Decimal

    @catalog.rule(Sale)
    def amount_is_plausible(sale: Sale) -> bool:
        return sale.amount < limit or 10_000 < sale.amount < (30_000 if limit == STRICT else 10**9)

    if limit != STRICT:

        @catalog.rule(Sale)
        def amount_has_no_quarters(sale: Sale) -> bool:
            return sale.amount % 1 != Decimal("0.25")

    @catalog.transform(Sale)
    def curate(sale: Sale) -> dict[str, Any]:
        if sale.amount > 10_000:
            raise ValueError(f"more than {limit}" if sale.amount > 20_000 else "too much")
        return {"order": sale.order, "amount": sale.amount}

    measures = {"sales": Count(), "revenue": Sum("amount")}
    catalog.view("revenue", over=Sale, every=timedelta(hours=1), measures=measures)
    return Pipeline(catalog)


class Shop:
    """The services over stores, under a catalog."""

    def __init__(self, stores: Stores, limit: int = STRICT, seed: int = 0) -> None:
        self.stores, self.pipeline = stores, compiled(limit)
        clock = TickingClock(Random(seed))
        ids = SeededIds(Random(seed + 1))
        name = self.pipeline.catalog.name
        self.ingest = Ingest(stores.raw, stores.queue, self.pipeline.decoder, clock, ids, name)
        self.process = Process(self.pipeline, stores.raw, stores.curated, stores.dead_letters, stores.ledger, clock)
        project = Project(self.pipeline.catalog.views.values(), stores.feed, stores.views)
        self.work = Work(stores.queue, self.process, project)
        self.redrive = Redrive(stores, self.process)

    def send(self, *documents: Any, source: str = "till", process: bool = True) -> str:
        """One request with these events, or texts as they are, one a line."""
        texts = [each if isinstance(each, bytes) else msgspec.json.encode(each) for each in documents]
        receipt = self.ingest.chunk(
            b"\n".join(texts), source=source, content_type="application/x-ndjson", origin="a till"
        )
        if process:
            self.drain()
        return receipt

    def drain(self) -> None:
        for _ in self.work.drain():
            pass

    def run(self, choice: Choice | None = None, **options: Any) -> list[Step]:
        """Redrive and bring the views up to date."""
        steps = [*self.redrive.run(choice or Choice(), **options)]
        self.work.project()
        return steps


def sale(order: str, amount: float | str, **envelope: Any) -> Mapping[str, Any]:
    data = {"order": order, "amount": amount}
    return {"eventType": "sale", "eventId": order, "eventTime": "2026-11-23T02:00:00Z", "data": data, **envelope}


def results(steps: Sequence[Step]) -> list[Redriven]:
    return [each for step in steps for each in step.letters]


def verdicts(steps: Sequence[Step]) -> dict[str | None, str]:
    """What became of each letter, by the id of its event."""
    return {each.letter.event_id: each.verdict.value for each in results(steps)}


def letters_of(stores: Stores) -> list[DeadLetter]:
    """All letters, in the order of their ids."""
    found: list[DeadLetter] = []
    while page := stores.dead_letters.browse(after=found[-1].id if found else None, limit=50):
        found += page
    return found


def attempts(stores: Stores) -> dict[str | None, int]:
    """How often each letter says that it was tried, by the id of its event."""
    return {letter.event_id: letter.attempts for letter in letters_of(stores)}


def entries_of(stores: Stores) -> Iterator[LedgerEntry]:
    after = None
    while page := stores.ledger.list(after=after, limit=50):
        yield from page
        after = page[-1].receipt


def state(stores: Stores) -> Any:
    """Everything that is a function of the raw log: instants of insertion and attempts are not."""
    view = compiled(STRICT).catalog.views["revenue"].signature
    curated = stores.curated.query("sale", since=EARLIEST, until=LATEST, after=None, limit=10_000)
    rows = stores.views.rows(view, since=EARLIEST, until=LATEST, after=None, limit=10_000)
    return {
        "curated": [msgspec.structs.replace(record, curated_at=0, raw=b"") for record in curated],
        "ledger": [*entries_of(stores)],
        "letters": [msgspec.structs.replace(letter, attempts=1) for letter in letters_of(stores)],
        "views": [(row.key, row.states) for row in rows],
    }


def anew(stores: Stores, fresh: Stores, limit: int) -> Any:
    """The state that a catalog makes of the raw log alone."""
    shop = Shop(fresh, limit)
    for receipt in stores.raw.list(since=EARLIEST, until=LATEST, after=None, limit=10_000):
        fresh.raw.append(stores.raw.read(receipt))
        fresh.queue.send(receipt)
        shop.drain()
    return state(fresh)
