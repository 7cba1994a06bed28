"""ingestion-lambda: POST /ingest and /ingest/{source}."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

# What every call needs is imported while the function starts, with a whole processor at its disposal, though it is
# used by wiring and routes only.
from ...adapters.aws import queue, raw  # noqa: F401
from ..http.application import INGESTION, Steps
from ..http.ingest import ingest
from ..http.messages import ANONYMOUS, Request
from ..http.problems import Problem
from ..http.site import Site
from .api import answer
from .arrivals import API, require
from .function import Invocation, function


@function("ingestion", "raw_bucket", "queue_url", services=("ingest",), clients=("s3", "sqs"))
def handler(event: Any, invocation: Invocation) -> Any:
    """Answer an API event; 202 once the bytes are in the raw log and their receipt in the queue."""
    require(event, "ingestion-lambda", API)
    return answer(event, invocation, _ROUTES, done="receipt.accepted")


def _signed_or_known(site: Site, request: Request, segments: Sequence[str]) -> Steps:
    """As ``ingest``. The gateway may let everybody call a foreign source, for the sake of those whose requests are
    signed: then nobody is known to it, and the other sources are closed.
    """
    source = site.catalog.sources.get(segments[0])
    if request.caller == ANONYMOUS and (source is None or source.signature is None):
        detail = "Whoever is not known here can send to sources only whose requests are signed, and this is none."
        raise Problem(HTTPStatus.FORBIDDEN, "unsigned", detail)
    return ingest(site, request, segments)


_ROUTES: Final = [
    route._replace(find=lambda: _signed_or_known) if "{source}" in route.path else route for route in INGESTION
]
