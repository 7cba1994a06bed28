"""``millrace backfill``: old data into the store, or processed again, or folded into views alone."""

import os
import time
from decimal import Decimal
from typing import Any

import click

from . import backfill_diff, backfill_files
from .exits import warn
from .jobs import counts, for_a_job, run_job, spec_of, told_end
from .options import Site, Span, as_json, in_a_span, on_a_site
from .output import print_json
from .run import Totals, print_summary


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
        return backfill_diff.dry_run(site, source, own, types, span, named, form)
    if replace:
        return backfill_diff.replace(site, types, span, lose=lose, yes=yes, form=form)
    if own:
        return _job(site, spec_of(span, types, shard_size, allowed_rejections), name, form)
    if alone:
        return backfill_files.fold(site, source, types, span, named, workers, form)
    return backfill_files.take(site, source, types, span, named, form)


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
