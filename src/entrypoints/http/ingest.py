"""POST /ingest and /ingest/{source}: bytes in, a receipt out."""

import re
from collections.abc import Generator, Sequence
from http import HTTPStatus

from ...core.records import RawObject
from .messages import JSON, Request, Response, json_response
from .problems import bad_request, not_found
from .signed import require_signature
from .site import Site

_KEY = re.compile(r"[!-~]{1,255}")


def ingest(site: Site, request: Request, segments: Sequence[str]) -> Generator[RawObject, None, Response]:
    """202 with the receipt, once it is kept. ``segments``: the foreign source, if any."""
    foreign = segments[0] if segments else None
    if foreign is not None and foreign not in site.catalog.sources:
        known = ", ".join(sorted(site.catalog.sources)) or "none"
        raise not_found(f"There is no such source; the catalog has {known}.")
    if foreign is not None:
        require_signature(site.catalog.sources[foreign], request, site.clock.now())
    headers = request.headers
    raw, accepted = site.ingest.prepare(
        request.body,
        source=request.caller,
        content_type=headers.get("content-type", JSON),
        content_encoding=headers.get("content-encoding", "identity"),
        foreign=foreign,
        idempotency_key=idempotency_key(request),
        headers=headers,
    )
    yield raw
    return json_response(
        accepted,
        HTTPStatus.ACCEPTED,
        headers={"x-correlation-id": accepted.receipt},
        facts={
            "receipt_id": accepted.receipt,
            "correlation_id": accepted.receipt,
            "accepted": accepted.accepted,
            "rejected": len(accepted.rejected),
        },
    )


def idempotency_key(request: Request) -> str | None:
    """What makes ids of events that have none: the same key, the same ids."""
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise bad_request("idempotency-key", "Idempotency-Key is not 1 to 255 printable ASCII characters.")
    return key
