"""POST /validate: what would become of events, nothing stored."""

from collections.abc import Sequence

from ...core.records import RawObject, Receipt
from ...core.services.ingest import content_of, documents_of, require_json
from .ingest import idempotency_key
from .messages import JSON, Request, Response, json_response
from .site import Site


def validate(site: Site, request: Request, _: Sequence[str]) -> Response:
    """200 with, for each document of the body, whether it is valid and all that is wrong with it."""
    headers = request.headers
    receipt = Receipt(
        id="",
        received_at=site.clock.now(),
        content_type=headers.get("content-type", JSON),
        source=request.caller,
        idempotency_key=idempotency_key(request),
        headers=site.pipeline.decoder.headers(headers, None),
    )
    raw = RawObject(receipt, content_of(request.body, headers.get("content-encoding", "identity")))
    require_json(raw)
    documents_of(raw, site.pipeline.decoder)
    batch = site.pipeline.run(raw, receipt.received_at)
    wrong = {letter.index: letter.violations for letter in batch.letters}
    verdicts = [
        {"index": index, "valid": index not in wrong, "violations": wrong.get(index, ())}
        for index in range(batch.events)
    ]
    return json_response(verdicts, facts={"events": batch.events, "invalid": len(wrong)})
