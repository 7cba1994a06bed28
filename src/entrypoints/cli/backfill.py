"""``millrace backfill``: old data into the store, or processed again, or folded into views alone."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from ..files import Advance, Chunk, Input, Trouble, read
from .diff_output import Report
from .exits import FAILED, OK, WRONG_USAGE, warn
from .jobs import counts, for_a_job, run_job, spec_of, told_end
from .options import Site, Span, as_json, in_a_span, on_a_site
from .output import print_json
from .run import DEFAULT_SOURCE, Totals, bytes_bar, print_summary

if TYPE_CHECKING:
    from ...core.records import RawObject
    from ..backfill.taking import Foreign
    from ..platform import Platform


@click.command
@click.argument("source", metavar="SOURCE")
@in_a_span
@for_a_job
@click.option(
    "--source",
    "named",
    metavar="NAME",
    help="Of files: a source of the catalog that maps foreign documents, or else the source of events that name none.  "
    "[default: file]",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would become of every event; exit 1 on lost or changed.")
@click.option("--replace", is_flag=True, help="Of the own store: write what the catalog makes of events now over them.")
@click.option("--lose", is_flag=True, help="With --replace: let go of stored events that are rejected now.")
@click.option("--yes", is_flag=True, help="With --replace: do not ask.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, metavar="N", help="Processes that fold, with --store memory:."
)
@as_json
@on_a_site
def backfill(
    *,
    source: str,
    types: tuple[str, ...],
    shard_size: int | None,
    allowed_rejections: Decimal | None,
    name: str | None,
    named: str | None,
    dry_run: bool,
    replace: bool,
    lose: bool,
    yes: bool,
    workers: int,
    form: str | None,
    span: Span,
    site: Site,
) -> int:
    """Process old data: the store's own raw log again, another store's, files, or an archive on S3.

    SOURCE is the URL of a store, a file or directory, or s3://BUCKET/PREFIX. What is processed again changes nothing
    that is there already, and an interrupted backfill goes on where it was when the same command is given again.

    \b
    The own store    its receipts are processed again by a job; see millrace jobs
    Another store    receipts that are not here yet are added under their ids
    Files, objects   .json, .ndjson, .jsonl, each also with .gz, as millrace run takes them
    --store memory:  files are folded into the views alone, which are printed

    --since and --until choose receipts by when they were received, and chunks of files by the times of their events.
    What holds an event of a chosen --type is taken as a whole.

    \b
    Examples:
      millrace backfill file:./.millrace --since 30d
      millrace backfill file:./.millrace --dry-run
      millrace backfill s3://audit/AWSLogs/ --source cloudtrail --catalog millrace.core.catalogs.cloudtrail:catalog
      millrace backfill archive/ --store memory: --workers 4 --json
    """
    from ..backfill.sources import is_store

    own = is_store(source) and _same(source, site.store)
    if replace and not own:
        raise click.UsageError("--replace is about the store's own receipts: name the store itself.")
    if replace and dry_run:
        raise click.UsageError("--replace and --dry-run do not go together; --replace shows the diff first.")
    alone = site.store == "memory:" and not is_store(source)
    if workers > 1 and not (alone and not dry_run):
        raise click.UsageError(
            "--workers fold files into views alone: use --store memory:. A store has one process that writes."
        )
    if name is not None and not own:
        raise click.UsageError("--name is for a job over the store's own receipts.")
    if dry_run:
        return _dry_run(site, source, own, types, span, named, form)
    if replace:
        return _replace(site, types, span, lose=lose, yes=yes, form=form)
    if own:
        return _job(site, spec_of(span, types, shard_size, allowed_rejections), name, form)
    if alone:
        return _fold(site, source, types, span, named, workers, form)
    return _take(site, source, types, span, named, form)


def _same(source: str, store: str) -> bool:
    if source.startswith("file:") and store.startswith("file:"):
        return os.path.realpath(source[5:]) == os.path.realpath(store[5:])
    return source == store


def _job(site: Site, spec: Any, name: str | None, form: str | None) -> int:
    with site.open(write=True) as platform:
        started = time.perf_counter()
        status = run_job(platform, site, spec, name)
        summary = platform.jobs.summary(status.job)
    totals = Totals()
    if summary is not None:
        found = counts(summary)
        totals.reasons.update(found.pop("dead_letters"))
        totals.counts.update(found)
        if not summary.receipts:
            warn("There is nothing to do: no receipt was received then, or none holds such an event")
    report = {"job": status.job, "state": status.state.value, **totals.summary(time.perf_counter() - started)}
    if form:
        print_json(report)
    else:
        print_summary(report)
    return told_end(status)


def _take(site: Site, source: str, types: tuple[str, ...], span: Span, named: str | None, form: str | None) -> int:
    from ..backfill.sources import Marks, is_store, open_inputs
    from ..backfill.taking import Wanted, take_files, take_receipts
    from ..bootstrap import open_stores

    totals, troubles, started = Totals(), list[str](), time.perf_counter()
    with site.open(write=True) as platform:
        if is_store(source):
            with open_stores(source, platform.catalog) as other:
                for entry in take_receipts(platform, other.raw, types, span.since, span.until):
                    totals.add(entry)
        else:
            how, wanted = _how(platform.catalog.sources, named), Wanted(types, *span)
            marks = Marks(platform.stores.job_files, how.source, how.foreign or "", repr(wanted))
            with open_inputs(source) as inputs, _bar(inputs, site) as (counted, advance):
                for item in take_files(platform, counted, how, wanted, marks, advance):
                    if isinstance(item, Trouble):
                        troubles.append(item.message)
                    else:
                        totals.add(item)
    for message in troubles:
        warn(message)
    if not totals.counts["receipts"] and not troubles:
        warn(f"There is nothing to do: {source} holds nothing that was asked for and is not here already")
    summary = totals.summary(time.perf_counter() - started)
    if form:
        print_json(summary)
    else:
        print_summary(summary)
    if not troubles:
        return OK
    return FAILED if totals.counts["receipts"] else WRONG_USAGE


def _fold(
    site: Site, source: str, types: tuple[str, ...], span: Span, named: str | None, workers: int, form: str | None
) -> int:
    from ...core.pipeline.pipeline import Pipeline
    from ...core.views.projection import results
    from ..backfill.folding import fold_archive
    from ..backfill.sources import open_inputs
    from ..backfill.taking import Wanted
    from ..rows import view_row

    catalog, started = site.load(), time.perf_counter()
    how, wanted = _how(catalog.sources, named), Wanted(types, *span)
    pipeline, troubles = Pipeline(catalog), list[str]()
    with open_inputs(source) as inputs, _bar(inputs, site) as (counted, advance):
        chunks = (
            chunk
            for chunk in _chunks(counted, advance, troubles)
            if wanted.all or wanted.held_by(how.raw(chunk), pipeline)
        )
        folded = fold_archive(catalog, chunks, how, workers)
    for message in troubles:
        warn(message)
    if not folded.counts["events"]:
        warn(f"There is nothing to do: {source} holds no events that were asked for")
    totals = Totals()
    totals.counts.update(folded.counts)
    totals.reasons.update(folded.dead_letters)
    summary = totals.summary(time.perf_counter() - started)
    if form:
        views = {
            view.name: [view_row(row) for row in results(view, folded.views.rows(view))]
            for view in catalog.views.values()
        }
        print_json({**summary, "views": views})
    else:
        print_summary(summary)
    return FAILED if troubles else OK


def _dry_run(
    site: Site, source: str, own: bool, types: tuple[str, ...], span: Span, named: str | None, form: str | None
) -> int:
    from ...core.services.diff import Diff

    report, troubles = Report(), list[str]()
    with site.open() as platform, _raws(platform, site, source, own, types, span, named, troubles) as raws:
        for diff in Diff(platform.pipeline, platform.stores).events(raws):
            report.add(diff)
    for message in troubles:
        warn(message)
    if not report.totals.events:
        warn(f"There is nothing to compare: {source} holds no events that were asked for")
    if form:
        print_json(report.as_dict())
    else:
        report.print()
    return FAILED if report.totals.breaks or troubles else OK


def _replace(site: Site, types: tuple[str, ...], span: Span, *, lose: bool, yes: bool, form: str | None) -> int:
    from ...core.services.diff import Diff
    from ...core.services.replace import Replace, Replaced

    with site.open(write=True) as platform:
        report, done = Report(), Replaced()
        for diff in Diff(platform.pipeline, platform.stores).events(_own(platform, types, span)):
            report.add(diff)
        if not form:
            report.print()
        if not report.totals.breaks:
            warn("There is nothing to replace")
        elif not yes:
            _confirm(report, lose=lose)
        service = Replace(Diff(platform.pipeline, platform.stores), platform.process, platform.stores, lose=lose)
        if report.totals.breaks:
            for raw in _own(platform, types, span):
                done.merge(service.receipt(raw))
            platform.work.project()
        views = sorted(view.name for view in platform.catalog.views.values() if view.over in done.types)
    if form:
        names = ("receipts", "replaced", "inserted", "lost", "kept", "waiting")
        print_json({**{name: getattr(done, name) for name in names}, "rebuild": views, "diff": report.as_dict()})
    else:
        click.echo(f"{done.replaced:,} events were replaced, {done.lost:,} left the store, {done.kept:,} were kept.")
    if views:
        warn(f"Views follow when they are rebuilt: millrace rebuild {' '.join(views)}")
    return OK


def _confirm(report: Report, *, lose: bool) -> None:
    totals = report.totals.categories
    lost = f", and {totals['lost']:,} would be lost" if lose and totals["lost"] else ""
    click.confirm(f"Replace {totals['changed']:,} stored events{lost}?", abort=True, err=True)


@contextmanager
def _raws(
    platform: "Platform",
    site: Site,
    source: str,
    own: bool,
    types: tuple[str, ...],
    span: Span,
    named: str | None,
    troubles: list[str],
) -> Iterator[Iterator["RawObject"]]:
    """The receipts of a source, or what its files' chunks would be as receipts."""
    from ...adapters.system import RandomReceiptIds
    from ..backfill.sources import is_store, open_inputs
    from ..backfill.taking import Wanted, receipts_of
    from ..bootstrap import open_stores

    if own:
        yield _own(platform, types, span)
    elif is_store(source):
        with open_stores(source, platform.catalog) as other:
            yield receipts_of(other.raw, platform.pipeline, Wanted(types), *span)
    else:
        how, wanted, ids = _how(platform.catalog.sources, named), Wanted(types, *span), RandomReceiptIds()
        now = platform.clock.now()
        with open_inputs(source) as inputs, _bar(inputs, site) as (counted, advance):
            found = (how.raw(chunk, ids.new(now), now) for chunk in _chunks(counted, advance, troubles))
            yield (raw for raw in found if wanted.held_by(raw, platform.pipeline))


def _own(platform: "Platform", types: tuple[str, ...], span: Span) -> Iterator["RawObject"]:
    from ..backfill.taking import Wanted, receipts_of

    return receipts_of(platform.stores.raw, platform.pipeline, Wanted(types), *span)


def _how(sources: Any, named: str | None) -> "Foreign":
    from ..backfill.taking import Foreign

    return Foreign(named or DEFAULT_SOURCE, named if named in sources else None)


def _chunks(inputs: Iterable[Input], advance: Advance, troubles: list[str]) -> Iterator[Chunk]:
    for found in inputs:
        for item in read(found, advance):
            if isinstance(item, Trouble):
                troubles.append(item.message)
            else:
                yield item


@contextmanager
def _bar(inputs: Iterator[Input], site: Site) -> Iterator[tuple[Iterable[Input], Advance]]:
    """A bar over the bytes; of how many there are, where they are files and no endless listing."""
    first = next(inputs, None)
    if first is None:
        yield (), lambda _: None
        return
    if first.opened is None:
        sized = [first, *inputs]
        rest: Iterable[Input] = sized
    else:
        sized, rest = [], chain([first], inputs)
    with bytes_bar(sized, site.log) as advance:
        yield rest, advance
