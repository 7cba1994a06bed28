"""``millrace run``: files into the store."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ...core.decoding.bodies import DAMAGED
from ..files import Advance, Chunk, Input, Trouble, find_inputs, read
from ..following import follow
from ..logs import Log
from .exits import FAILED, OK, WRONG_USAGE, warn
from .options import Site, as_json, on_a_site
from .output import print_facts, print_json

if TYPE_CHECKING:
    from ...core.records import LedgerEntry
    from ..platform import Platform

DEFAULT_SOURCE = "file"


@click.command
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--source",
    metavar="NAME",
    help="A source of the catalog that maps foreign documents, or else the source "
    "of events that name none.  [default: file]",
)
@as_json
@on_a_site
def run(*, paths: Sequence[str], source: str | None, form: str | None, site: Site) -> int:
    """Process files, directories or standard input (-).

    Reads .json (one document a file), .ndjson and .jsonl (one event a line), each also with .gz; directories
    recursively, in name order, passing over other files. Standard input is read as lines. What cannot be decoded, or
    is no valid event, becomes a dead letter and is no failure of the command; a file that cannot be read is: the rest
    is processed and the exit code is 1. The place from where on gzip content is damaged has a dead letter, too. Running
    a file again changes nothing. On a stack, the stack's functions process what this command sends; it ends when they
    have.

    \b
    Examples:
      millrace run events.ndjson.gz more/
      millrace sample | millrace run - --source shop
      millrace run logs/ --source cloudtrail --catalog millrace.core.catalogs.cloudtrail:catalog
    """
    inputs = find_inputs(paths)
    if not inputs:
        warn("There is no .json, .ndjson or .jsonl file to process")
    totals, troubles, readable = Totals(), list[str](), False
    with site.open(write=True) as platform, bytes_bar(inputs, site.log) as advance:
        started = time.perf_counter()
        sent: dict[str, Chunk] = {}
        for item in _items(inputs, advance):
            if isinstance(item, Trouble):
                troubles.append(item.message)
                continue
            readable = readable or item.content_type != DAMAGED
            receipt = _accept(platform, item, source)
            if platform.attended:
                sent[receipt] = item._replace(body=b"")  # the place is wanted for the log, the bytes are not
                continue
            for entry in platform.work.drain():
                if entry.receipt == receipt:
                    totals.add(entry)
                    _log(site.log, entry, item)
        for entry in follow(sent, platform.stores.ledger):
            totals.add(entry)
            _log(site.log, entry, sent[entry.receipt])
    seconds = time.perf_counter() - started  # closing the store makes the last of it durable, and counts
    for message in troubles:
        warn(message)
    if form:
        print_json(totals.summary(seconds))
    else:
        print_summary(totals.summary(seconds))
    if not troubles:
        return OK
    return FAILED if readable else WRONG_USAGE


class Totals:
    """What became of the events of several receipts, added up."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def add(self, entry: "LedgerEntry") -> None:
        self.counts.update(
            receipts=1,
            events=entry.events,
            curated=entry.curated,
            duplicate=entry.duplicate,
            filtered=entry.filtered,
            dead_lettered=entry.dead_lettered,
        )
        self.reasons.update(entry.dead_letters)

    def summary(self, seconds: float) -> dict[str, Any]:
        """As INTERFACES has it: events = curated + duplicate + filtered + dead_lettered."""
        names = ("receipts", "events", "curated", "duplicate", "filtered", "dead_lettered")
        return {
            **{name: self.counts[name] for name in names},
            "dead_letters": dict(sorted(self.reasons.items())),
            "seconds": round(seconds, 3),
            "events_per_second": round(self.counts["events"] / seconds) if seconds else 0,
        }


def _items(inputs: Sequence[Input], advance: Advance) -> Iterator[Chunk | Trouble]:
    for source in inputs:
        yield from read(source, advance)


def _accept(platform: "Platform", chunk: Chunk, source: str | None) -> str:
    """The receipt of a chunk, which is durable and queued from now on."""
    return platform.ingest.chunk(
        chunk.body,
        source=source or DEFAULT_SOURCE,
        content_type=chunk.content_type,
        origin=chunk.origin,
        line=chunk.line,
        foreign=source if source in platform.catalog.sources else None,
    )


def _log(log: Log, entry: "LedgerEntry", chunk: Chunk) -> None:
    log.debug(
        "receipt.processed",
        receipt_id=entry.receipt,
        origin=chunk.origin,
        line=chunk.line,
        events=entry.events,
        curated=entry.curated,
        duplicate=entry.duplicate,
        filtered=entry.filtered,
        dead_lettered=entry.dead_lettered,
    )


def print_summary(summary: dict[str, Any]) -> None:
    """A summary for people."""
    facts = {name: f"{value:,}" for name, value in summary.items() if isinstance(value, int)}
    for reason, count in summary["dead_letters"].items():
        facts[f"  {reason}"] = f"{count:,}"
    facts["seconds"] = f"{summary['seconds']:,.2f}"
    rate = facts.pop("events_per_second")
    print_facts({name.replace("_", " "): value.rjust(12) for name, value in {**facts, "events/s": rate}.items()})


@contextmanager
def bytes_bar(inputs: Sequence[Input], log: Log) -> Iterator[Advance]:
    """A bar over the bytes of all files, on standard error if that is a terminal and no log lines go there."""
    if log.verbose or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    total = sum(found.size for found in inputs) or None
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("processing", total=total)
        yield lambda count: progress.advance(task, count)
