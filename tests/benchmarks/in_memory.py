"""The full path in memory against the bare decoder and against the same work on pydantic."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from time import process_time
from typing import Any, NamedTuple

import msgspec

from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.records import ViewRow
from millrace.core.times import to_micros
from millrace.core.views.projection import results
from millrace.entrypoints.platform import Platform

from .catalog import amount_is_plausible, catalog, curate, has_items
from .workload import EventModel, PurchaseEvent, RefundEvent, chunks

HOUR = 3_600_000_000
Totals = dict[tuple[int, str], tuple[int, Decimal, Decimal]]


def bare_decode(bodies: list[bytes]) -> float:
    """Seconds of CPU that msgspec takes for one event after the other, and nothing else."""
    decode = msgspec.json.Decoder(PurchaseEvent | RefundEvent).decode
    documents = [body.splitlines() for body in bodies]
    start = process_time()
    for body in documents:
        for document in body:
            decode(document)
    return process_time() - start


def on_memory(bodies: list[bytes], clock: Callable[[], float]) -> tuple[float, Sequence[ViewRow], int]:
    """Seconds for ingest, process and project on the memory adapter; the view's rows; the curated events."""
    platform = Platform.assemble(catalog, memory_stores(), SystemClock(), RandomReceiptIds())
    start = clock()
    for body in bodies:
        platform.ingest.chunk(body, source="benchmark", content_type="application/x-ndjson", origin="benchmark")
        for _ in platform.work.drain():
            pass
    seconds = clock() - start
    view = catalog.views["revenue"]
    rows = platform.stores.views.rows(view.signature, since=0, until=10**18, after=None, limit=10**9)
    return seconds, rows, platform.stores.curated.count()


def millrace(bodies: list[bytes]) -> tuple[float, Totals, int]:
    """The full path, its totals by window and currency, and the number of distinct events."""
    seconds, rows, count = on_memory(bodies, process_time)
    totals = {
        (r.window, str(r.group["currency"])): (r.measures["orders"], r.measures["revenue"], r.measures["largest"])
        for r in results(catalog.views["revenue"], rows)
    }
    return seconds, totals, count


class Kept(NamedTuple):
    """A curated record as the rival keeps it: what lineage and conflicts need, and the fields."""

    receipt: int
    place: int
    curated_at: int
    fields: dict[str, Any]
    document: bytes


def on_pydantic(bodies: list[bytes]) -> tuple[float, Totals, int]:
    """The same work written by hand on pydantic's ``validate_json``: one loop, no ports."""
    clock = SystemClock()
    curated: dict[tuple[str, int, str, str], Kept] = {}
    raw: dict[int, bytes] = {}
    ledger: dict[int, dict[str, int]] = {}
    totals: dict[tuple[int, str], list[Any]] = defaultdict(lambda: [0, Decimal(0), Decimal(0)])
    start = process_time()
    for receipt, body in enumerate(bodies):
        raw[receipt] = body
        now = clock.now()
        outcomes = {"curated": 0, "duplicate": 0, "conflict": 0, "rule": 0}
        for index, document in enumerate(filter(None, body.split(b"\n"))):
            event = EventModel.model_validate_json(document)
            data: Any = event.data
            if not (amount_is_plausible(data) and has_items(data)):
                outcomes["rule"] += 1
                continue
            fields = curate(data)
            time = to_micros(event.eventTime)
            kept = Kept(receipt, index, now, fields, document)
            first = curated.setdefault((event.eventType, time, event.source, event.eventId), kept)
            if first is not kept:
                outcomes["duplicate" if first.document == document else "conflict"] += 1
                continue
            outcomes["curated"] += 1
            total = totals[time // HOUR * HOUR, fields["currency"]]
            total[0] += 1
            total[1] += fields["amount"]
            total[2] = max(total[2], fields["amount"])
        ledger[receipt] = outcomes
    seconds = process_time() - start
    return seconds, {key: (total[0], total[1], total[2]) for key, total in totals.items()}, len(curated)


def compare(events: list[bytes], rounds: int) -> dict[str, list[float]]:
    """Ratios of each round, the three taking turns; their results are asserted equal."""
    bodies = chunks(events)
    ratios: dict[str, list[float]] = {"decode": [], "pydantic": [], "microseconds": []}
    for _ in range(rounds):
        decode = bare_decode(bodies)
        ours, totals, count = millrace(bodies)
        theirs, rival_totals, rival_count = on_pydantic(bodies)
        assert totals == rival_totals, "the views differ"
        assert count == rival_count, "the numbers of distinct events differ"
        ratios["decode"].append(ours / decode)
        ratios["pydantic"].append(theirs / ours)
        ratios["microseconds"].append(ours / len(events) * 1e6)
    return ratios
