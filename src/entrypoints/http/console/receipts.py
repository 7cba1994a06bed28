"""GET /console/receipts and /console/receipts/{id}: what was accepted last, and where the events of one went."""

import re
from collections.abc import Sequence
from typing import Any, Final

from ....core.errors import PermanentError, StoreError, UnknownReceipt
from ....core.records import LedgerEntry, RawObject
from ....core.times import format_time
from ..messages import Request, Response
from ..problems import bad_request, not_found
from ..site import Site
from .latest import latest, millisecond_of
from .letters import document_of
from .listing import Asked, asked, listed
from .ways import ways

BODY: Final = 16 * 1024
"""Bytes of a receipt that are shown."""
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


def receipts(site: Site, request: Request, _: Sequence[str]) -> Response:
    """200 with a page of receipts, the latest first, each with its ledger entry: null where it has none yet."""
    ask = asked(request)
    if ask.after is not None and not _ID.fullmatch(ask.after):
        raise bad_request("cursor", "cursor is none of a list of receipts.")
    found = latest(site.stores.raw, site.clock.now(), ask.after, ask.limit)
    entries = site.stores.ledger.entries(found)
    rows = [
        {
            "receipt": each,
            "receivedAt": format_time(millisecond_of(each) * 1000),
            "ledger": _ledger(entries.get(each)),
        }
        for each in found
    ]
    return listed(ask, rows, found[-1] if len(found) == ask.limit else None)


def receipt(site: Site, request: Request, segments: Sequence[str]) -> Response:
    """200 with a receipt, the beginning of its bytes, and a page of its events, each with what became of it."""
    [identity] = segments
    ask = asked(request)
    try:
        if not _ID.fullmatch(identity):
            raise UnknownReceipt(identity)
        raw = site.stores.raw.read(identity)
    except UnknownReceipt:
        raise not_found("The raw log has no such receipt.") from None
    entry = site.stores.ledger.entries([identity]).get(identity)
    shown = {**_receipt(raw), "ledger": _ledger(entry), "why": None, "count": None, "events": []}
    after: str | None = None
    try:
        events, count = ways(site, raw, entry, _start(ask), ask.limit)
    except StoreError:
        raise
    except PermanentError as error:  # it needs a source that the catalog does not have
        shown["why"] = str(error)
    else:
        shown |= {"count": count, "events": events}
        if events and events[-1]["index"] + 1 < count:
            after = str(events[-1]["index"] + 1)
    return listed(ask, shown, after)


def _start(ask: Asked) -> int:
    if ask.after is None:
        return 0
    if not (ask.after.isascii() and ask.after.isdigit() and len(ask.after) < 10):
        raise bad_request("cursor", "cursor is none of a receipt's events.")
    return int(ask.after)


def _receipt(raw: RawObject) -> dict[str, Any]:
    receipt = raw.receipt
    return {
        "receipt": receipt.id,
        "receivedAt": format_time(receipt.received_at),
        "contentType": receipt.content_type,
        "origin": receipt.origin,
        "source": receipt.source,
        "foreign": receipt.foreign,
        "idempotencyKey": receipt.idempotency_key,
        "headers": dict(receipt.headers),
        "catalog": receipt.catalog,
        **document_of(raw.body, BODY),
    }


def _ledger(entry: LedgerEntry | None) -> dict[str, int] | None:
    if entry is None:
        return None
    names = ("events", "curated", "duplicate", "filtered", "dead_lettered")
    return {name: getattr(entry, name) for name in names}
