"""ingestion-lambda: POST /ingest and /ingest/{source}."""

from typing import Any

# What every call needs is imported while the function starts, with a whole processor at its disposal, though it is
# used by wiring and routes only.
from ...adapters.aws import queue, raw  # noqa: F401
from ..http import ingest  # noqa: F401
from ..http.application import INGESTION
from .api import answer
from .arrivals import API, require
from .function import Invocation, function


@function("ingestion", "raw_bucket", "queue_url", services=("ingest",), clients=("s3", "sqs"))
def handler(event: Any, invocation: Invocation) -> Any:
    """Answer an API event; 202 once the bytes are in the raw log and their receipt in the queue."""
    require(event, "ingestion-lambda", API)
    return answer(event, invocation, INGESTION, done="receipt.accepted")
