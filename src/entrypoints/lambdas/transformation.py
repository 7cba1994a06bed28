"""transformation-lambda: receipts from the queue, and the step load of a job, into the curated store."""

from typing import Any

from ...adapters.aws import store  # noqa: F401 (as in ingestion: while the function starts)
from ...core.services import process  # noqa: F401
from .arrivals import SQS, STEP, require
from .function import Invocation, function
from .receipts import process_batch


@function(
    "transformation",
    "raw_bucket",
    "analysis_bucket",
    "curated_table",
    "identities_table",
    "views_table",
    "ledger_table",
    "dlq_url",
    services=("process",),
    clients=("dynamodb",),
)
def handler(event: Any, invocation: Invocation) -> Any:
    """Process a batch of messages and name those that failed, or load a shard."""
    if require(event, "transformation-lambda", SQS, STEP) == SQS:
        return process_batch(event, invocation)
    from ...core.jobs import Step
    from .steps import load, take_step

    return take_step(event, invocation, "transformation-lambda", {Step.LOAD: load})
