"""``millrace events``: curated events in time order."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ..rows import ENVELOPE, event_row
from .exits import Fault, warn
from .options import Site, Span, as_csv, as_json, as_ndjson, in_a_span, on_a_site
from .output import cell, print_csv, print_objects, print_table

if TYPE_CHECKING:
    from ...core.records import Curated
    from ..platform import Platform

SHOWN_TO_PEOPLE = 100
_PAGE = 1000


@click.command
@click.argument("type", metavar="TYPE")
@in_a_span
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Only events with this value in a field, of the envelope or curated; may be given several times.",
)
@click.option("--limit", type=click.IntRange(min=0), help="At most so many; 0: all.  [default: 100 in a table]")
@as_csv
@as_json
@as_ndjson
@on_a_site
def events(
    *, type: str, conditions: Sequence[str], limit: int | None, form: str | None, span: Span, site: Site
) -> None:
    """Show the curated events of a TYPE in time order.

    JSON and CSV have eventId, eventType, eventTime, source, subject (where there is one), schemaVersion, curatedAt,
    receipt and the curated fields; Decimals are strings. A curated field with one of these names is shown as
    fields.NAME.

    \b
    Examples:
      millrace events purchase --since 2026-11-23 --where currency=EUR
      millrace events page_view --since 2h --ndjson | jq .path
      millrace events refund --csv > refunds.csv
    """
    wanted = [_condition(text) for text in conditions]
    with site.open() as platform:
        _require_known(platform, type)
        rows = _matching(platform, type, span, wanted)
        cut = limit is None and form is None
        if cut:
            limit = SHOWN_TO_PEOPLE
        shown = islice(rows, limit or None)
        if form == "csv":
            # Read twice rather than held in memory: the header names every field that some event has.
            columns = _columns(islice(_matching(platform, type, span, wanted, tell=False), limit or None))
            print_csv(columns, shown)
        elif form is not None:
            print_objects(shown, form)
        else:
            _print_table(list(shown))
            if cut and next(rows, None) is not None:
                warn(f"These are the first {limit}; --limit 0 shows all")


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = [name for name in _columns(rows) if name not in ("eventType", "schemaVersion", "curatedAt", "receipt")]
    if not any("subject" in row for row in rows):
        columns.remove("subject")
    if rows:
        print_table(columns, rows)
    else:
        warn("There are no such events")


def _require_known(platform: "Platform", event_type: str) -> None:
    from ...core.identity import EARLIEST, LATEST

    known = platform.catalog.types
    if event_type in known:
        return
    if not platform.stores.curated.query(event_type, since=EARLIEST, until=LATEST + 1, after=None, limit=1):
        raise Fault(f"There is no event type {event_type!r}; the catalog has {', '.join(sorted(known))}.")


def _matching(
    platform: "Platform", event_type: str, span: Span, wanted: Sequence[tuple[str, str]], *, tell: bool = True
) -> Iterator[dict[str, Any]]:
    unseen = {name for name, _ in wanted}
    scanned = 0
    for record in _records(platform, event_type, span):
        row = event_row(record)
        scanned += 1
        unseen -= row.keys()
        if all(name in row and _equals(row[name], text) for name, text in wanted):
            yield row
    if tell and unseen and scanned:
        warn(f"None of these {scanned:,} events has a field {min(unseen)!r}")


def _records(platform: "Platform", event_type: str, span: Span) -> Iterator["Curated"]:
    from ...core.identity import record_key

    curated, after = platform.stores.curated, None
    while page := curated.query(event_type, since=span.since, until=span.until, after=after, limit=_PAGE):
        yield from page
        after = record_key(page[-1])


def _columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The envelope's keys, then every field that one of the rows has, in the order they are first seen."""
    return [*dict.fromkeys(ENVELOPE) | {name: None for row in rows for name in row}]


def _condition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--where takes FIELD=VALUE, not {text!r}.")
    return name, value


def _equals(value: Any, text: str) -> bool:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        try:
            return value == Decimal(text)
        except InvalidOperation:
            return False
    return cell(value) == text or (value is None and text == "null")
