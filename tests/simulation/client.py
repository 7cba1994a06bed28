"""A client: sends a request to the real ingest, and checks the answer against the rules."""

from millrace.core.ports import Stores
from millrace.core.services.ingest import Ingest, NothingAccepted

from .laws import require
from .rules import claims
from .traffic import Request


def send(ingest: Ingest, request: Request, stores: Stores, accepted: dict[str, Request]) -> None:
    """Send once. What is answered 2xx is put into ``accepted``; ``stores`` are the true ones, without faults."""
    if request.chunk:
        receipt = ingest.chunk(request.content, source="file", content_type=request.content_type, origin="a file")
        accepted[receipt] = request
        return
    try:
        answer = ingest.request(
            request.body,
            source="caller",
            content_type=request.content_type,
            content_encoding="gzip" if request.gzipped else "identity",
            idempotency_key=request.key,
            headers=request.headers,
        )
    except NothingAccepted:
        return
    accepted[answer.receipt] = request
    said = [*claims(stores.raw.read(answer.receipt))]
    events = [(claim.index, claim.id, claim.type) for claim in said if claim.refused != "malformed"]
    require(1, [(event.index, event.id, event.type) for event in answer.events], events, "events in the answer")
    refused = [claim.index for claim in said if claim.refused == "malformed"]
    require(1, [rejected.index for rejected in answer.rejected], refused, "documents rejected in the answer")
