"""validation-lambda: POST /validate, and the steps plan, validate and gate of a job."""

from typing import Any

from ..http import validate as route  # noqa: F401 (as in ingestion: while the function starts)
from ..http.application import VALIDATION
from .api import answer
from .arrivals import API, STEP, require
from .function import Invocation, function


@function("validation", "raw_bucket", "analysis_bucket", services=("pipeline",))
def handler(event: Any, invocation: Invocation) -> Any:
    """Answer an API event, or take a step of a job."""
    if require(event, "validation-lambda", API, STEP) == API:
        return answer(event, invocation, VALIDATION, done="request.answered")
    from ...core.jobs import Step
    from .steps import gate, plan, take_step, validate

    known = {Step.PLAN: plan, Step.VALIDATE: validate, Step.GATE: gate}
    return take_step(event, invocation, "validation-lambda", known)
