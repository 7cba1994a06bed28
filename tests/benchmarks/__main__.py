"""Runs every benchmark, prints the table, and exits 1 naming each bound that is missed.

``python -m tests.benchmarks aws`` runs those of the AWS side only; the other parts are core, history and queries.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import attrs
from rich.console import Console
from rich.table import Table

from . import backfill, embedded, in_memory, query, serving
from .workload import lines

EVENTS, ROUNDS = 60_000, 11
BURST = 20_000


@attrs.frozen
class Bound:
    """What was measured, the bound it has to keep (if any), and the aim beyond it."""

    name: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None
    aim: float | None = None

    @property
    def kept(self) -> bool:
        return (self.at_most is None or self.measured <= self.at_most) and (
            self.at_least is None or self.measured >= self.at_least
        )

    @property
    def bound(self) -> str:
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}"


def core() -> Iterator[Bound]:
    """Those of the core and of the embedded store."""
    ratios = in_memory.compare(lines(EVENTS), ROUNDS)
    durable = embedded.compare(EVENTS, ROUNDS)
    scale, megabytes = embedded.at_scale(100_000, 1_000_000, 3)
    yield Bound("full path in memory ÷ msgspec decode", median(ratios["decode"]), at_most=6, aim=4.5)
    yield Bound("the same on pydantic ÷ full path in memory", median(ratios["pydantic"]), at_least=1.7, aim=2.2)
    yield Bound("embedded store ÷ in memory, per event", median(durable), at_most=4)
    yield Bound("1,000,000 events: peak memory, MB", max(megabytes), at_most=200)
    yield Bound("1,000,000 events ÷ 100,000, time per event", median(scale), at_most=1.15)


def history() -> Iterator[Bound]:
    """Those of backfills and jobs."""
    yield Bound("archive into views ÷ DuckDB, CPU", median(backfill.compare(200_000, 5).ratios), at_most=2.5)
    yield Bound("archive into views: 2 workers × 1, time", median(backfill.speedup(400_000, 5)), at_least=1.7)
    megabytes, microseconds = backfill.at_scale(100_000, 2_000_000)
    yield Bound("archive of 2,000,000 events: peak memory, MB", megabytes[2_000_000])
    yield Bound("… ÷ that of 100,000", megabytes[2_000_000] / megabytes[100_000], at_most=1.25)
    yield Bound("… CPU per event, µs", microseconds[2_000_000])
    few, many = backfill.planning(100_000), backfill.planning(1_000_000)
    yield Bound(
        "plan of 1,000,000 receipts ÷ 100,000, time per receipt", many.microseconds / few.microseconds, at_most=1.25
    )
    yield Bound("… peak of allocated memory, MB", many.megabytes, at_most=5)


def aws() -> Iterator[Bound]:
    """Those of the functions and adapters on AWS."""
    from .aws import latencies, puts, transformation  # not sooner: the core is measured without the SDK in memory

    cpu = transformation.compare(ROUNDS)
    yield Bound("transformation ÷ Powertools + pydantic + boto3, CPU", cpu["÷ plain"], at_most=0.5)
    yield Bound("… + idempotency of messages", cpu["÷ idempotent messages"], at_most=0.35)
    yield Bound("… + idempotency of events", cpu["÷ idempotent events"])
    yield Bound("transformation: CPU per event, µs", cpu["Millrace"])
    for name, cost in puts.compare(ROUNDS).items():
        yield Bound(f"conditional put, {name}: CPU, µs", cost.cpu)
    if sys.platform == "linux":  # AWS's runtime client is for no other
        yield from _cold_start()
    way = latencies.request_to_write(per_second=200, seconds=20)
    yield Bound("request to write, 200 events/s: p50, ms", way.p50)
    yield Bound("request to write, 200 events/s: p95, ms", way.p95, at_most=500)
    yield Bound("request to write, 200 events/s: p99, ms", way.p99)
    for size in (100, 10):
        burst, per_second = latencies.drain(events=BURST, size=size)
        name = f"{BURST:,} events, {size} a message"
        yield Bound(f"{name}: p50, ms", burst.p50)
        yield Bound(f"{name}: p95, ms", burst.p95)
        yield Bound(f"{name}: p99, ms", burst.p99)
        yield Bound(f"{name}: all, ms", burst.most)
        yield Bound(f"{name}: events/s", per_second)


def _cold_start() -> Iterator[Bound]:
    from .aws import cold_start

    cold = cold_start.compare(ROUNDS)
    yield Bound("cold start of ingestion ÷ boto3, client of S3", cold.to_s3, at_most=1.6, aim=1.25)
    yield Bound("cold start of ingestion ÷ boto3, client of SQS", cold.to_sqs, at_most=1.6, aim=1.25)
    yield Bound("cold start of ingestion, ms", cold.seconds["Millrace"] * 1000)
    yield Bound("package, MB zipped", cold.zipped / 1e6, at_most=10)


def queries() -> Iterator[Bound]:
    """Those of queries on the embedded store."""
    with TemporaryDirectory() as folder:
        times = query.over_events(Path(folder), 1_000_000)
        receipts = query.over_receipts(Path(folder), 200_000)
    yield Bound("query of 1,000,000 events: the slowest of nine, s", times.again, at_most=2)
    yield Bound("… the first by a field, which makes its index, s", times.first)
    yield Bound("… a view, s", times.view, at_most=2)
    yield Bound("view over 200,000 receipts, s", receipts, at_most=2)


def server() -> Iterator[Bound]:
    """Those of ``millrace serve`` and of the console."""
    many = serving.compare(100)
    yield Bound("POST /ingest, 100 events each ÷ bare ASGI, events/s", many.ratio, at_least=0.25)
    yield Bound("… events/s", many.served)
    yield Bound("… at half that load, request to curated: p50, ms", many.p50)
    yield Bound("… p99, ms", many.p99, at_most=100)
    one = serving.compare(1)
    yield Bound("POST /ingest, single events ÷ bare ASGI, events/s", one.ratio, at_least=0.15)
    yield Bound("… events/s", one.served)
    yield Bound("… at half that load, request to curated: p50, ms", one.p50)
    yield Bound("… p99, ms", one.p99, at_most=100)
    yield Bound("the console's page and all it loads, KB", serving.page_bytes() / 1000, at_most=300)


PARTS: dict[str, Callable[[], Iterator[Bound]]] = {
    "core": core,
    "history": history,
    "queries": queries,
    "server": server,
    "aws": aws,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{' or '.join(PARTS)}; all where none is named")
    chosen = parser.parse_args().parts or [*PARTS]
    if unknown := [part for part in chosen if part not in PARTS]:
        parser.error(f"there is no part {' or '.join(unknown)}; there are {' and '.join(PARTS)}")
    bounds = [bound for part in chosen for bound in PARTS[part]()]
    table = Table("benchmark", "measured", "bound", "aim", "kept")
    for bound in bounds:
        aim = "" if bound.aim is None else f"{bound.aim:g}"
        kept = ("yes" if bound.kept else "NO") if bound.bound else ""
        table.add_row(bound.name, f"{bound.measured:,.2f}", bound.bound, aim, kept)
    Console().print(table)
    missed = [bound for bound in bounds if not bound.kept]
    for bound in missed:
        print(f"Missed: {bound.name} is {bound.measured:.2f}, the bound is {bound.bound}.", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
