"""``millrace restore``: archived events back into the store."""

from collections.abc import Sequence

import click

from .archive import archive_of, types_of
from .exits import warn
from .options import Site, Span, as_json, in_a_span, on_a_site
from .output import print_facts, print_json


@click.command
@in_a_span
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type; may be given several times.")
@as_json
@on_a_site
def restore(*, types: Sequence[str], form: str | None, span: Span, site: Site) -> None:
    """Bring archived events back into the curated store, as they were.

    --since and --until choose by event time. What is in the store already stays as it is. Views have counted these
    events, and do not change. The archive keeps its files, and the next millrace archive takes the events out again, as
    they are by then: so a changed catalog is applied to archived events (millrace backfill --replace).

    \b
    Examples:
      millrace restore --since 2026-01-01 --until 2026-02-01
      millrace restore --type purchase --json
    """
    from ...core.services.archived import Archived

    records, events, gone = 0, dict[str, int](), 0
    with site.open(write=True) as platform:
        names = types_of(platform.catalog, types, Archived(platform.stores).types())
        found = archive_of(platform).restore(platform.pipeline.decoder, names, since=span.since, until=span.until)
        for batch in found:
            records, gone = records + batch.records, gone + batch.without_receipt
            events[batch.type] = events.get(batch.type, 0) + batch.events
            site.log.debug("events.restored", event_type=batch.type, records=batch.records)
    if gone:
        warn(f"Of {gone:,} records the raw log has no bytes; deliveries of theirs cannot be told to be duplicates")
    total = sum(events.values())
    if form:
        print_json({"records": records, "events": total, "types": events, "without_receipt": gone})
        return
    print_facts({name: f"{count:,}" for name, count in events.items()})
    click.echo(f"{total:,} events are in the store." if total else "There are no such archived events.")
