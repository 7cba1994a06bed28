"""Backfill that compares first: the dry run, and replacing what is stored by what the catalog makes of it now."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ...core.diffs import Category
from .backfill_files import chunks_of, counted_bytes, how_read
from .diff_output import Report, told_of_archived
from .exits import FAILED, OK, warn
from .options import Site, Span
from .output import print_json

if TYPE_CHECKING:
    from ...core.records import RawObject
    from ..platform import Platform


def dry_run(
    site: Site, source: str, own: bool, types: tuple[str, ...], span: Span, named: str | None, form: str | None
) -> int:
    """Say what would become of every event of the source; the exit code tells whether one is lost or changed."""
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


def replace(site: Site, types: tuple[str, ...], span: Span, *, lose: bool, yes: bool, form: str | None) -> int:
    """Show the diff of the own receipts, ask, and apply it."""
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
        views = sorted(view.name for view in service.outdated(platform.catalog.views.values()))
    if form:
        names = ("receipts", "replaced", "inserted", "lost", "kept", "archived", "waiting")
        print_json({**{name: getattr(done, name) for name in names}, "rebuild": views, "diff": report.as_dict()})
    else:
        click.echo(f"{done.replaced:,} events were replaced, {done.lost:,} left the store, {done.kept:,} were kept.")
        if done.archived:
            click.echo(told_of_archived(done.archived))
    if views:
        warn(f"Views follow when they are rebuilt: millrace rebuild --anew {' '.join(views)}")
    return OK


def _confirm(report: Report, *, lose: bool) -> None:
    changed, gone = (
        report.totals.categories[name] - report.totals.archived[name] for name in (Category.CHANGED, Category.LOST)
    )
    lost = f", and {gone:,} would be lost" if lose and gone else ""
    click.confirm(f"Replace {changed:,} stored events{lost}?", abort=True, err=True)


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
        how, wanted, ids = how_read(platform.catalog.sources, named), Wanted(types, *span), RandomReceiptIds()
        now = platform.clock.now()
        with open_inputs(source) as inputs, counted_bytes(inputs, site) as (counted, advance):
            found = (how.raw(chunk, ids.new(now), now) for chunk in chunks_of(counted, advance, troubles))
            yield (raw for raw in found if wanted.held_by(raw, platform.pipeline))


def _own(platform: "Platform", types: tuple[str, ...], span: Span) -> Iterator["RawObject"]:
    """The store's own receipts that hold a wanted event."""
    from ..backfill.taking import Wanted, receipts_of

    return receipts_of(platform.stores.raw, platform.pipeline, Wanted(types), *span)
