"""``millrace archive``: old curated events out of the store, into files."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from .exits import Fault, warn
from .options import Site, as_json, on_a_site
from .output import print_facts, print_json

if TYPE_CHECKING:
    from ...core.catalog import Catalog
    from ...core.services.archive import Archive
    from ..platform import Platform

_LONGEST_SLEEP = 30.0


@click.command
@click.option(
    "--older-than",
    "days",
    required=True,
    type=click.IntRange(min=1, max=36_500),
    metavar="DAYS",
    help="Archive events whose time is so many days ago or more; whole days in UTC.",
)
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Only say what would be archived.")
@as_json
@on_a_site
def archive(*, days: int, types: Sequence[str], dry_run: bool, form: str | None, site: Site) -> None:
    """Move old curated events from the store into the archive.

    The archive is gzipped NDJSON by day and type, which the tables of the stack's data lake read; events --archived
    shows it, and rebuild reads it. A file is read back before anything is deleted. Views stay as they are. The command
    can be interrupted: the same command goes on where it was.

    From then on, an event older than the boundary, of any type, is a dead letter (before-archive-boundary) unless it
    is known already. The boundary never moves back.

    On one machine nobody else may write to the store meanwhile. On a stack, the command first waits until all that is
    being inserted when the boundary moves is in the store, some half an hour; only one may run at a time.

    \b
    Examples:
      millrace archive --older-than 90 --dry-run
      millrace archive --older-than 90
      millrace archive --older-than 400 --type page_view --json
    """
    from ...core.services.archived import DAY
    from ...core.times import format_time

    started = time.perf_counter()
    with site.open(write=not dry_run) as platform:
        service, names = archive_of(platform), types_of(platform.catalog, types)
        before = service.boundary_of(days * DAY)
        if dry_run:
            found = service.preview(names, before)
        else:
            before = service.announce(before).before
            _wait(service)
            found = service.run(names)
        totals = {"records": 0, "events": 0, "bytes": 0}
        by_type: dict[str, int] = {}
        for batch in found:
            for name in totals:
                totals[name] += getattr(batch, name)
            by_type[batch.type] = by_type.get(batch.type, 0) + batch.events
            site.log.debug("events.archived", event_type=batch.type, records=batch.records, bytes=batch.bytes)
    report: dict[str, Any] = {
        "boundary": format_time(before),
        "dry_run": dry_run,
        **totals,
        "types": by_type,
        "seconds": round(time.perf_counter() - started, 3),
    }
    if form:
        print_json(report)
        return
    print_facts({"boundary": report["boundary"], **{name: f"{count:,}" for name, count in by_type.items()}})
    said = "would be archived" if dry_run else "were archived"
    click.echo(f"{totals['events']:,} events {said}." if totals["events"] else "There is nothing to archive.")


def archive_of(platform: "Platform") -> "Archive":
    """The archive of a platform, with the margin that its store asks for."""
    from ...core.services.archive import STACK_MARGIN, Archive

    return Archive(platform.stores, platform.clock, platform.project, margin=STACK_MARGIN if platform.attended else 0)


def types_of(catalog: "Catalog", wanted: Sequence[str], beside: Sequence[str] = ()) -> list[str]:
    """The types to work on: all of the catalog and ``beside`` it, or those wanted among them."""
    known = sorted({*catalog.types, *beside})
    for name in wanted:
        if name not in known:
            raise Fault(f"There is no event type {name!r}; the catalog has {', '.join(sorted(catalog.declared))}.")
    return [*dict.fromkeys(wanted)] or known


def _wait(service: "Archive", sleep: Callable[[float], None] = time.sleep) -> None:
    wait = service.wait() / 1_000_000
    if wait > 0:
        warn(f"Waiting {wait / 60:.0f} minutes, until what is being inserted now is in the store")
    while wait > 0:
        sleep(min(wait, _LONGEST_SLEEP))
        wait = service.wait() / 1_000_000
