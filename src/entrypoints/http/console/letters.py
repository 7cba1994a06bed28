"""GET /console/causes, /console/letters and /console/letters/{id}: dead letters, by cause and one by one."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ....core.errors import PermanentError, StoreError
from ....core.records import DeadLetter
from ...letters import Causes, letter_row
from ...origins import Origin, origins
from ..messages import Request, Response, json_response
from ..problems import not_found
from ..site import Site
from .listing import asked, listed

LOOKED_AT: Final = 10_000
"""Letters that one request looks at; the link goes on behind them."""
PAGE: Final = 1000
DOCUMENT: Final = 256 * 1024
"""Bytes of an event that are shown: all of one that is no larger than events may be."""


def causes(site: Site, request: Request, _: Sequence[str]) -> Response:
    """200 with the causes of the next letters, as ``dead-letters summary`` groups them; pages are to be added up."""
    ask = asked(request)
    found = Causes()
    count, last = 0, None
    for letter in browsed(site, ask.after, LOOKED_AT + 1):
        if count == LOOKED_AT:
            return listed(ask, found.rows(), last)
        found.add(letter)
        count, last = count + 1, letter.id
    return listed(ask, found.rows(), None)


def letters(site: Site, request: Request, _: Sequence[str]) -> Response:
    """200 with a page of letters, of one ``fingerprint`` if it is given, in order of their ids."""
    ask = asked(request, ["fingerprint"])
    wanted = ask.rest.get("fingerprint")
    rows: list[dict[str, Any]] = []
    last = None
    for count, letter in enumerate(browsed(site, ask.after, LOOKED_AT + 1)):
        if len(rows) == ask.limit or count == LOOKED_AT:
            return listed(ask, rows, last)
        if wanted in (None, letter.fingerprint):
            rows.append(letter_row(letter, None))
        last = letter.id
    return listed(ask, rows, None)


def letter(site: Site, _: Request, segments: Sequence[str]) -> Response:
    """200 with a letter, its first occurrences, and its event as it was received: ``document``, null where the raw
    log does not have it, and cut where ``size`` says that there is more.
    """
    found = site.stores.dead_letters.get(segments[0])
    if found is None:
        raise not_found("There is no such dead letter; it may have been redriven.")
    first = _origin(site, found)
    occurrences = [{"receipt": receipt, "index": index} for receipt, index in found.occurrences]
    row = {
        **letter_row(found, first),
        "occurrences": occurrences,
        **document_of(None if first is None else first.document),
    }
    return json_response(row, headers={"cache-control": "no-store"})


def browsed(site: Site, after: str | None, most: int) -> Iterator[DeadLetter]:
    """Up to so many letters in order of id."""
    while most > 0 and (page := site.stores.dead_letters.browse(after=after, limit=min(PAGE, most))):
        yield from page
        after, most = page[-1].id, most - len(page)


def document_of(document: bytes | None, most: int = DOCUMENT) -> dict[str, Any]:
    """Bytes as JSON shows them: their text, escaped where it is no UTF-8, up to so many of them, and how many."""
    if document is None:
        return {"document": None, "size": None}
    return {"document": document[:most].decode("utf-8", "backslashreplace"), "size": len(document)}


def _origin(site: Site, letter: DeadLetter) -> Origin | None:
    try:
        return origins(site, [(letter.receipt, letter.index)]).get((letter.receipt, letter.index))
    except StoreError:
        raise
    except PermanentError:
        return None  # of a source that the catalog has no more
