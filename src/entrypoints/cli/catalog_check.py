"""``millrace catalog check`` and ``diff``: what a change of the catalog would do, before it is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..backfill.sources import is_store, open_inputs
from ..files import Trouble, read
from .diff_output import Report
from .exits import FAILED, OK, Fault, warn
from .options import Site, Span, as_json, as_ndjson, in_a_span, on_a_site
from .output import print_json, print_objects, print_table
from .run import DEFAULT_SOURCE

if TYPE_CHECKING:
    from ...core.catalog import Catalog
    from ...core.diffs import EventDiff
    from ...core.ports import Stores
    from ...core.records import RawObject

_STORED = ("lost", "changed")
_PAGE = 1000


@click.command
@click.option(
    "--against",
    metavar="SOURCE",
    help="A store (file:PATH, aws:STACK) whose history the catalog is tried on; or files, a directory, an s3:// prefix "
    "of events that it must accept.",
)
@click.option("--source", metavar="NAME", help="Of files: a source of the catalog, or that of events that name none.")
@in_a_span
@as_json
@as_ndjson
@on_a_site
def check(*, against: str | None, source: str | None, form: str | None, span: Span, site: Site) -> int:
    """Check the catalog; with --against, also what it would make of history. Writes nothing.

    Against a store, every event of its raw log is processed again in memory and compared with what is stored of it:
    new, same, changed (which fields, from what to what), lost (stored now, and would be rejected or filtered),
    duplicate, rejected or filtered as before. Exits with 1 if anything is lost or changed, so that a pipeline can stop
    a change of the catalog there. --since and --until choose receipts by when they were received. Against files, it
    exits with 1 if an event is rejected. --json and the table show some events of each category, --ndjson all that are
    lost or changed (of files: rejected).

    \b
    Examples:
      millrace catalog check --catalog ./shop.py
      millrace catalog check --catalog ./shop.py --against file:./data
      millrace catalog check --against aws:prod --since 30d --ndjson > broken.ndjson
      millrace catalog check --against tests/golden/
    """
    loaded = site.load()
    if against is None:
        _tell_that_it_fits(loaded, form)
        return OK
    report, history = Report(), is_store(against)
    with _history(against, loaded, span) if history else _files(against, loaded, source) as found:
        if form == "ndjson":
            print_objects(report.rows(found, _STORED if history else ("rejected",)), form)
        else:
            for diff in found:
                report.add(diff)
    holds = not (report.totals.breaks or (not history and report.totals.categories["rejected"]))
    if not report.totals.events:
        warn(f"There are no events in {against}")
    if form == "json":
        print_json({"holds": holds, "catalog": loaded.name, **report.as_dict()})
    elif form is None:
        report.print()
        click.echo()
        click.echo(_verdict(report, holds=holds, history=history))
    return OK if holds else FAILED


def _verdict(report: Report, *, holds: bool, history: bool) -> str:
    if holds:
        return "Nothing that is stored would be lost or changed." if history else "Every event is accepted."
    counts = report.totals.categories
    if not history:
        return f"{counts['rejected']:,} events are rejected."
    return f"{counts['lost']:,} events would be lost, {counts['changed']:,} changed."


def _tell_that_it_fits(loaded: "Catalog", form: str | None) -> None:
    from ...core.pipeline.pipeline import Pipeline

    Pipeline(loaded)  # compiles everything there is
    counts = {"types": len(loaded.declared), "views": len(loaded.views), "sources": len(loaded.sources)}
    if form:
        print_json({"holds": True, "catalog": loaded.name, **counts})
    else:
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count or kind != "sources")
        click.echo(f"The catalog {loaded.name!r} fits together: {told}.")


@contextmanager
def _history(store: str, loaded: "Catalog", span: Span) -> Iterator[Iterator["EventDiff"]]:
    """What the catalog makes of a store's raw log, beside what is stored."""
    from ...core.errors import OtherCatalog
    from ...core.pipeline.pipeline import Pipeline
    from ...core.services.diff import Diff
    from ..bootstrap import open_stores

    def compared(stores: "Stores") -> Iterator["EventDiff"]:
        diff, taken, others = Diff(Pipeline(loaded), stores), 0, []
        for raw in _receipts(stores, span):
            try:
                yield from diff.receipt(raw)
                taken += 1
            except OtherCatalog as error:
                others.append(str(error))
        if others and not taken:
            raise Fault(others[0])
        if others:
            warn(f"{len(others):,} receipts were left out: {others[0]}")

    with open_stores(store, loaded) as stores:
        yield compared(stores)


def _receipts(stores: "Stores", span: Span) -> Iterator["RawObject"]:
    after = None
    while page := stores.raw.list(since=span.since, until=span.until, after=after, limit=_PAGE):
        for receipt in page:
            raw = stores.raw.read(receipt)
            if span.since <= raw.receipt.received_at < span.until:  # lists tell the time in milliseconds
                yield raw
        after = page[-1]


@contextmanager
def _files(path: str, loaded: "Catalog", source: str | None) -> Iterator[Iterator["EventDiff"]]:
    """What the catalog makes of files, where nothing is stored."""
    from ...adapters.memory import memory_stores
    from ...adapters.system import RandomReceiptIds, SystemClock
    from ...core.pipeline.pipeline import Pipeline
    from ...core.records import RawObject, Receipt
    from ...core.services.diff import Diff

    with open_inputs(path) as inputs:
        chunks = (chunk for found in inputs for chunk in read(found))

        def raws() -> Iterator[RawObject]:
            now, ids = SystemClock().now(), RandomReceiptIds()
            for chunk in chunks:
                if isinstance(chunk, Trouble):
                    raise Fault(chunk.message, FAILED)
                receipt = Receipt(
                    id=ids.new(now),
                    received_at=now,
                    content_type=chunk.content_type,
                    origin=chunk.origin,
                    source=source or DEFAULT_SOURCE,
                    foreign=source if source in loaded.sources else None,
                    line=chunk.line,
                    chunk=True,
                )
                yield RawObject(receipt, chunk.body)

        yield Diff(Pipeline(loaded), memory_stores()).events(raws())


@click.command
@click.argument("other", metavar="OTHER")
@as_json
@as_ndjson
@on_a_site
def diff(*, other: str, form: str | None, site: Site) -> int:
    """Name what the catalog OTHER changes, and which of it breaks senders, readers or what is stored.

    OTHER is the new one, --catalog the one of now. Breaking is, among others: a type or a field that was removed, a
    field that is required now, a narrowed type or constraint, a version that was skipped or is taken no more, another
    identity, a view that needs a rebuild. Exits with 1 if anything is. What only code decides (rules, transforms,
    upcasters) this cannot tell: see millrace catalog check --against.

    \b
    Examples:
      millrace catalog diff new/shop.py --catalog shop.py
      millrace catalog diff new/shop.py --catalog shop.py --json
    """
    from ...core.catalog.compatibility import findings
    from ..catalogs import load_catalog

    found = findings(site.load(), load_catalog(other))
    rows: list[dict[str, Any]] = [
        {"breaking": each.breaking, "code": each.code, "place": each.place, "message": each.message} for each in found
    ]
    breaking = sum(each.breaking for each in found)
    if form is not None:
        print_objects(rows, form)
    elif rows:
        print_table(
            ["breaking", *list(rows[0])[1:]], [{**row, "breaking": "yes" if row["breaking"] else ""} for row in rows]
        )
        click.echo()
        click.echo(f"{breaking:,} of {len(rows):,} changes are breaking.")
    else:
        click.echo("The catalogs declare the same.")
    return FAILED if breaking else OK
