"""``millrace events``: curated events in time order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ...core.conditions import ENVELOPE, Condition
from ..rows import event_row
from .exits import Fault, warn
from .options import Site, Span, as_csv, as_json, as_ndjson, in_a_span, on_a_site
from .output import print_csv, print_objects, print_table

if TYPE_CHECKING:
    from ...core.records import Curated
    from ..platform import Platform

    _Page = Callable[[int | None], Sequence[Curated]]

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
    help="Only events with this value in a field, of the envelope or curated; may be given several times. The first "
    "time that a field of a large store is asked for, an index is made for it.",
)
@click.option("--archived", is_flag=True, help="Archived events too.")
@click.option("--limit", type=click.IntRange(min=0), help="At most so many; 0: all.  [default: 100 in a table]")
@as_csv
@as_json
@as_ndjson
@on_a_site
def events(
    *,
    type: str,
    conditions: Sequence[str],
    archived: bool,
    limit: int | None,
    form: str | None,
    span: Span,
    site: Site,
) -> None:
    """Show the curated events of a TYPE in time order.

    JSON and CSV have eventId, eventType, eventTime, source, subject (where there is one), schemaVersion, curatedAt,
    receipt and the curated fields; Decimals are strings. A curated field with one of these names is shown as
    fields.NAME.

    \b
    Examples:
      millrace events purchase --since 2026-11-23 --where currency=EUR
      millrace events purchase --where eventId=88bba317-5b6e-48b0-85e9-251c1b3a953c
      millrace events page_view --since 2h --ndjson | jq .path
      millrace events refund --csv > refunds.csv
      millrace events purchase --archived --since 2025-11-01 --until 2025-12-01
    """
    wanted = [_condition(text) for text in conditions]
    with site.open() as platform:
        _require_known(platform, type, archived=archived)
        cut = limit is None and form is None
        if cut:
            limit = SHOWN_TO_PEOPLE
        page = _pages(platform, type, span, wanted, archived=archived, size=min(limit + 1 if limit else _PAGE, _PAGE))
        rows = map(event_row, _records(page))
        shown = islice(rows, limit or None)
        if form == "csv":
            # Read twice rather than held in memory: the header names every field that some event has.
            columns = _columns(islice(map(event_row, _records(page)), limit or None))
            print_csv(columns, shown)
        elif form is not None:
            print_objects(shown, form)
        else:
            _print_table(list(shown))
            if cut and next(rows, None) is not None:
                warn(f"These are the first {limit}; --limit 0 shows all")
        if wanted and not page(None):
            _tell_of_unknown(_pages(platform, type, span, (), archived=archived), wanted)


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = [name for name in _columns(rows) if name not in ("eventType", "schemaVersion", "curatedAt", "receipt")]
    if not any("subject" in row for row in rows):
        columns.remove("subject")
    if rows:
        print_table(columns, rows)
    else:
        warn("There are no such events")


def _require_known(platform: "Platform", event_type: str, *, archived: bool) -> None:
    from ...core.identity import EARLIEST, LATEST

    if event_type in platform.catalog.types:
        return
    if not _pages(platform, event_type, Span(EARLIEST, LATEST + 1), (), archived=archived)(None):
        known = ", ".join(sorted(platform.catalog.declared))
        raise Fault(f"There is no event type {event_type!r}; the catalog has {known}.")


def _tell_of_unknown(page: "_Page", wanted: Sequence[Condition]) -> None:
    """Say which field none of the first events has: most often its name is misspelt."""
    events = page(None)
    for condition in wanted:
        if events and not any(map(condition.is_given, events)):
            some = "these" if len(events) < _PAGE else "the first"
            warn(f"None of {some} {len(events):,} events has a field {condition.name!r}")


def _pages(
    platform: "Platform",
    event_type: str,
    span: Span,
    where: Sequence[Condition],
    *,
    archived: bool,
    size: int = _PAGE,
) -> "_Page":
    """What answers with the next events beyond a sort key that fulfil the conditions."""
    since, until = span
    if not archived:
        query = partial(platform.stores.curated.query, event_type, since=since, until=until, limit=size, where=where)
        return lambda after: query(after=after)
    from ...core.conditions import sifted
    from ...core.services.archived import PART, Archived

    everything = Archived(platform.stores)

    def page(after: int | None, limit: int) -> Sequence["Curated"]:
        return everything.page(event_type, after, limit, since=since, until=until)

    return lambda after: [*sifted(page, where, after, PART)] if where else page(after, PART)


def _records(page: "_Page") -> Iterator["Curated"]:
    from ...core.identity import record_key

    after: int | None = None
    while found := page(after):
        yield from found
        after = record_key(found[-1])


def _columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The envelope's keys, then every field that one of the rows has, in the order they are first seen."""
    return [*dict.fromkeys(ENVELOPE) | {name: None for row in rows for name in row}]


def _condition(text: str) -> Condition:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--where takes FIELD=VALUE, not {text!r}.")
    return Condition(name, value)
