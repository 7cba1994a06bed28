"""GET /events/{type}: curated events in time order."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ...core.identity import EARLIEST, LATEST, TIE, record_key
from ..rows import event_row
from .messages import Request, Response
from .pages import page_response
from .parameters import Page, page_of, read_cursor
from .problems import bad_request, not_found
from .site import Site


def events(site: Site, request: Request, segments: Sequence[str]) -> Response:
    """200 with a page of the events of a type, as the command ``events`` shows and chooses them."""
    [event_type] = segments
    page = page_of(request, site.clock.now())
    after = None if page.cursor is None else _after(page.cursor)
    found = page_response(request, page, _rows(site, event_type, page, after))
    if not found.facts["rows"]:
        _require_known(site, event_type)
    return found


def _after(cursor: str) -> int:
    # As a text, since keys have up to 38 digits.
    text = read_cursor(cursor, str)
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 38):
        raise bad_request("cursor", "cursor is none of a list of events.")
    return min(max(int(text), EARLIEST * TIE), (LATEST + 1) * TIE)


def _rows(site: Site, event_type: str, page: Page, after: int | None) -> Iterator[tuple[str, dict[str, Any]]]:
    query = partial(site.stores.curated.query, event_type, since=page.since, until=page.until, where=page.where)
    wanted = page.limit + 1
    while wanted > 0:
        found = query(after=after, limit=wanted)
        if not found:
            return
        for record in found:
            after = record_key(record)
            yield str(after), event_row(record)
        wanted -= len(found)


def _require_known(site: Site, event_type: str) -> None:
    if event_type in site.catalog.types:
        return
    if not site.stores.curated.query(event_type, since=EARLIEST, until=LATEST + 1, after=None, limit=1):
        raise not_found(f"There is no such event type; the catalog has {', '.join(sorted(site.catalog.declared))}.")
