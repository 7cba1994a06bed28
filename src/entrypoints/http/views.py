"""GET /views/{view}: the rows of a view, by window and group."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ...core.canonical import canonical_text
from ...core.identity import EARLIEST, LATEST
from ...core.services.generations import Generations
from ...core.views.projection import results
from ...core.views.view import View
from ..rows import view_row
from .messages import Request, Response
from .pages import page_response
from .parameters import Page, page_of, read_cursor
from .problems import bad_request, not_found
from .site import Site


class Place(NamedTuple):
    """A row as it is shown: its window, and its group's values as canonical JSON."""

    window: int
    group: str


def view(site: Site, request: Request, segments: Sequence[str]) -> Response:
    """200 with a page of the rows of a view, as the command ``view`` shows them."""
    [name] = segments
    declared = site.catalog.views.get(name)
    if declared is None:
        known = ", ".join(sorted(site.catalog.views)) or "none"
        raise not_found(f"There is no such view; the catalog has {known}.")
    page = page_of(request, site.clock.now(), grouped=True)
    by = declared.by if page.by is None else _fields(declared, page.by)
    after = None if page.cursor is None else _after(page.cursor)
    return page_response(request, page, _shown(site, declared, by, page, after))


def _fields(declared: View, names: Sequence[str]) -> tuple[str, ...]:
    """The fields to merge to; "none" is no field, so that each window is one row."""
    if tuple(names) == ("none",) and "none" not in declared.by:
        return ()
    for name in names:
        if name not in declared.by:
            grouped = f"is grouped by {', '.join(declared.by)}" if declared.by else "has no groups"
            raise bad_request("parameter", f"The view {grouped}; it cannot be merged by {name[:100]!r}.")
    return tuple(names)


def _after(cursor: str) -> Place:
    place = read_cursor(cursor, Place)
    if not EARLIEST <= place.window <= LATEST:
        raise bad_request("cursor", "cursor is none of a view.")
    return place


def _shown(
    site: Site, declared: View, by: tuple[str, ...], page: Page, after: Place | None
) -> Iterator[tuple[Place, dict[str, Any]]]:
    # A window is merged as a whole, so a page that ends within one reads it again to go on.
    since = page.since if after is None else max(page.since, after.window)
    generations = Generations(site.stores.views)
    rows = generations.rows(declared, since=since, until=page.until)
    for _, members in groupby(rows, key=lambda row: row.key.window):
        for result in results(declared, members, by):
            place = Place(result.window, canonical_text(list(result.group.values())))
            if after is None or place > after:
                yield place, view_row(result)
