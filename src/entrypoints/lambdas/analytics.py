"""analytics-lambda: changes into views, the step reconcile of a job, and the scheduled sweep."""

from typing import Any

from ...adapters.aws import store  # noqa: F401 (as in ingestion: while the function starts)
from ...core.services import project  # noqa: F401
from .arrivals import SCHEDULE, STEP, STREAM, require
from .changes import fold_batch
from .function import Invocation, function

SWEEP = "sweep"


@function(
    "analytics",
    "raw_bucket",
    "analysis_bucket",
    "curated_table",
    "views_table",
    "ledger_table",
    "queue_url",
    services=("project",),
    clients=("dynamodb",),
)
def handler(event: Any, invocation: Invocation) -> Any:
    """Fold a batch of the stream, prove a job, or look for receipts that were lost."""
    kind = require(event, "analytics-lambda", STREAM, STEP, SCHEDULE)
    if kind == STREAM:
        return fold_batch(event, invocation)
    if kind == SCHEDULE or event["step"] == SWEEP:
        from .sweeping import sweep

        return sweep(event, invocation)
    from ...core.jobs import Step
    from .steps import reconcile, take_step

    return take_step(event, invocation, "analytics-lambda", {Step.RECONCILE: reconcile})
