"""query-lambda: GET events, views, the catalog, health and the description of the API."""

from typing import Any

from ...adapters.aws import store  # noqa: F401 (as in ingestion: while the function starts)
from ..http import events, views  # noqa: F401
from ..http.application import QUERIES
from .api import answer
from .arrivals import API, require
from .function import Invocation, function


@function("query", "curated_table", "views_table", services=("stores",), clients=("dynamodb",))
def handler(event: Any, invocation: Invocation) -> Any:
    """Answer an API event."""
    require(event, "query-lambda", API)
    return answer(event, invocation, QUERIES, done="request.answered")
