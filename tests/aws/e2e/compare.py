"""The same input through the AWS adapters under moto and through the embedded store; what both hold, line by line.

``python -m tests.aws.e2e.compare [PATH…] [--events N]`` does it with CloudTrail log files and with N sample events, and
exits with 1 where a line differs.
"""

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch
from zlib import crc32

import attrs
import msgspec
from moto import mock_aws

from millrace import Catalog
from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.dead_letters import SqsDeadLetters
from millrace.adapters.aws.store import open_aws
from millrace.adapters.aws.sweep import Sweep
from millrace.adapters.local import open_local
from millrace.core.catalogs import cloudtrail, retail
from millrace.core.identity import EARLIEST, LATEST, record_key
from millrace.core.ports import Stores
from millrace.core.records import RowKey, ViewRow
from millrace.core.times import parse_time
from millrace.core.views.projection import Result, results
from millrace.core.views.view import View
from millrace.entrypoints.files import Chunk, Trouble, find_inputs, read
from millrace.entrypoints.platform import Platform
from millrace.entrypoints.rows import event_row, shown, view_row
from millrace.entrypoints.sample import DAY, TYPES, sample_lines
from tests.contracts.builders import NOON, receipt_id

from ..opened import REGION, SURROUNDINGS
from .serial import mend_streams
from .stack import Stack, deploy

EVENTS_PER_REQUEST = 100
PAGE = 1000


@attrs.define
class _Clock:
    """One second a receipt, so that both stores see the same instants."""

    at: int = NOON

    def now(self) -> int:
        return self.at


@attrs.define
class _Ids:
    """Ids that follow from the instant alone; their last digit, which spreads receipts over prefixes, does too."""

    def new(self, received_at: int) -> str:
        return receipt_id(received_at, crc32(str(received_at).encode()) % 4096)


class Side(NamedTuple):
    """What one of the stores holds at the end, and how long it took to get there."""

    lines: list[str]
    seconds: float


def sample_chunks(events: int, *, seed: int = 7, at_once: int = EVENTS_PER_REQUEST) -> Iterator[Chunk]:
    """Sample events, with duplicates and broken ones among them, as requests of so many."""
    start = parse_time("2026-11-23T00:00:00Z")
    lines = sample_lines(Random(seed), events=events, duplicates=5, broken=4, types=TYPES, start=start, span=DAY)
    number = 1
    while block := [*islice(lines, at_once)]:
        yield Chunk(b"\n".join(block) + b"\n", "application/x-ndjson", "sample", number)
        number += len(block)


def file_chunks(paths: Sequence[str]) -> Iterator[Chunk]:
    """The documents of files and directories, as ``millrace run`` reads them."""
    for found in find_inputs(paths):
        for chunk in read(found):
            if isinstance(chunk, Trouble):
                raise ValueError(chunk.message)
            yield chunk


def compared(catalog: Catalog, chunks: Iterable[Chunk], *, source: str) -> tuple[Side, Side]:
    """What the AWS adapters and the embedded store hold after all of it."""
    inputs = [*chunks]
    with _on_aws(catalog) as stores:
        ours = _run(catalog, stores, inputs, source)
    with tempfile.TemporaryDirectory() as folder, open_local(Path(folder), write=True) as local:
        theirs = _run(catalog, local.stores, inputs, source)
    return ours, theirs


@contextmanager
def _on_aws(catalog: Catalog) -> Iterator[Stores]:
    """The stores of the template's stack, in moto's in-process mock."""
    mend_streams()
    with patch.dict(os.environ, SURROUNDINGS), mock_aws():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            stack = deploy(None)
        clients = Clients(REGION)
        with open_aws(stack.resources, clients, shards=catalog.shards, wait_seconds=0) as stores:
            yield impatient(stores, clients, stack)


def impatient(stores: Stores, clients: Clients, stack: Stack) -> Stores:
    """The stores, whose dead letters are listed without waiting: moto has all messages in one place."""
    url = stack.outputs["DlqUrl"]
    sweep = Sweep(clients, url, "the DLQ", wait_seconds=0, patience=0.0)
    return attrs.evolve(stores, dead_letters=SqsDeadLetters(clients, url, sweep=sweep))


def _run(catalog: Catalog, stores: Stores, inputs: Iterable[Chunk], source: str) -> Side:
    started = time.perf_counter()
    clock = _Clock()
    platform = Platform.assemble(catalog, stores, clock, _Ids())
    for chunk in inputs:
        clock.at += 1_000_000
        platform.ingest.chunk(
            chunk.body,
            source=source,
            content_type=chunk.content_type,
            origin=chunk.origin,
            line=chunk.line,
            foreign=source if source in catalog.sources else None,
        )
    for _ in platform.work.drain():
        pass
    seconds = time.perf_counter() - started
    return Side([*holdings(platform)], seconds)


def holdings(platform: Platform) -> Iterator[str]:
    """Every event, view row, dead letter and ledger entry, a line each."""
    stores, catalog = platform.stores, platform.catalog
    for name in sorted(catalog.types):
        after: int | None = None
        while page := stores.curated.query(name, since=EARLIEST, until=LATEST + 1, after=after, limit=PAGE):
            yield from (_line("event", shown(event_row(record))) for record in page)
            after = record_key(page[-1])
    for view in catalog.views.values():
        yield from (_line(f"view {view.name}", shown(view_row(row))) for row in _results(platform, view))
    letter: str | None = None
    while letters := stores.dead_letters.browse(after=letter, limit=PAGE):
        yield from (_line("dead letter", found) for found in letters)
        letter = letters[-1].id
    yield _line("occurrences", dict(sorted(stores.dead_letters.occurrences().items())))
    receipt: str | None = None
    while entries := stores.ledger.list(after=receipt, limit=PAGE):
        yield from (_line("ledger", entry) for entry in entries)
        receipt = entries[-1].receipt
    yield _line("account", attrs.asdict(platform.reconcile.run()))


def _results(platform: Platform, view: View) -> Iterator[Result]:
    rows: list[ViewRow] = []
    after: RowKey | None = None
    while page := platform.stores.views.rows(view.signature, since=EARLIEST, until=LATEST, after=after, limit=PAGE):
        rows += page
        after = page[-1].key
    yield from results(view, rows, view.by)


def _line(kind: str, value: object) -> str:
    return f"{kind} {msgspec.json.encode(value, order='deterministic').decode()}"


def report(name: str, ours: Side, theirs: Side) -> bool:
    """Say how the two sides compare; whether they are the same."""
    kinds: dict[str, int] = {}
    for line in theirs.lines:
        kind = line.partition(" ")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    print(f"{name}: {counts}; AWS under moto {ours.seconds:.1f} s, embedded {theirs.seconds:.1f} s")
    missing, further = {*theirs.lines} - {*ours.lines}, {*ours.lines} - {*theirs.lines}
    for line in sorted(missing)[:10]:
        print(f"  only embedded: {line[:500]}")
    for line in sorted(further)[:10]:
        print(f"  only on AWS:   {line[:500]}")
    same = ours.lines == theirs.lines
    print("  the same, line by line" if same else f"  DIFFERENT: {len(missing)} lines missing, {len(further)} further")
    return same


def main() -> int:
    """Compare as the arguments say; 0 where both sides are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", metavar="PATH", help="CloudTrail log files, or directories of them")
    parser.add_argument("--events", type=int, default=20_000, help="how many sample events; 0 for none")
    chosen = parser.parse_args()
    same = True
    if chosen.paths:
        sides = compared(cloudtrail.catalog, file_chunks(chosen.paths), source="cloudtrail")
        same &= report("CloudTrail", *sides)
    if chosen.events:
        same &= report(
            f"{chosen.events:,} sample events", *compared(retail.catalog, sample_chunks(chosen.events), source="shop")
        )
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
