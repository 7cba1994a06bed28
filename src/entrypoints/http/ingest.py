"""POST /ingest and /ingest/{source}: bytes in, a receipt out."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from .messages import JSON, Request, Response, json_response
from .problems import bad_request, not_found
from .site import Site

_KEY = re.compile(r"[!-~]{1,255}")


def ingest(site: Site, request: Request, segments: Sequence[str]) -> Response:
    """202 with the receipt, once the bytes are durable and queued. ``segments``: the foreign source, if any."""
    foreign = segments[0] if segments else None
    if foreign is not None and foreign not in site.catalog.sources:
        known = ", ".join(sorted(site.catalog.sources)) or "none"
        raise not_found(f"There is no such source; the catalog has {known}.")
    headers = request.headers
    accepted = site.ingest.request(
        request.body,
        source=request.caller,
        content_type=headers.get("content-type", JSON),
        content_encoding=headers.get("content-encoding", "identity"),
        foreign=foreign,
        idempotency_key=idempotency_key(request),
        headers=headers,
    )
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
