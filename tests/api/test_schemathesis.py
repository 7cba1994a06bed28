"""Requests that schemathesis makes from the description: whatever is sent, the answer is one that is described."""

import gzip
import json
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from millrace.entrypoints.http.application import ROUTES, Route

from .servers import Server

# An event that does not fit is accepted, and becomes a dead letter. And what fits may still be no request: with ce-
# headers the body is data, without them it is not; which of them go together no schema can say.
EXCLUDED = [negative_data_rejection, positive_data_acceptance]
BOUNDED = settings(
    max_examples=30, derandomize=True, deadline=None, database=None, suppress_health_check=[*HealthCheck]
)
MOST = 100
"""Cases at the edges of each operation: there are thousands of combinations of headers."""


@schemathesis.serializer("application/x-ndjson")
def lines(_: Any, value: Any) -> bytes:
    """The body as it is, where it is text; what is none is JSON on a line."""
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="surrogatepass")


@pytest.fixture(scope="session")
def description(server: Server) -> Any:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


def statuses(cases: Iterable[Any]) -> set[int]:
    """Which statuses requests get, once each answer was found to be described."""
    with requests.Session() as session:
        return {
            case.call_and_validate(session=session, excluded_checks=EXCLUDED, **_compressed(case)).status_code
            for case in cases
        }


def _compressed(case: Any) -> dict[str, Any]:
    """What to send in the place of the body, where a header says that it is gzip."""
    if (case.headers or {}).get("Content-Encoding") != "gzip":
        return {}
    sent = case.as_transport_kwargs(base_url="http://localhost")
    body = json.dumps(sent["json"]).encode() if "json" in sent else sent.get("data") or b""
    return {"json": None, "data": gzip.compress(body.encode() if isinstance(body, str) else body)}


@pytest.mark.parametrize(
    ("route", "mode"),
    # Nothing in a request without parameters can be wrong.
    [(r, m) for r in ROUTES for m in GenerationMode if m.is_positive or r.method == "POST" or "{" in r.path],
    ids=lambda each: each.value if isinstance(each, GenerationMode) else f"{each.method} {each.path}",
)
def test_whatever_is_sent_the_answer_is_described(description: Any, route: Route, mode: GenerationMode) -> None:
    operation = description[route.path][route.method]
    found: set[int] = set()

    @BOUNDED
    @given(operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        if mode.is_positive and case.query:
            case.query.pop("cursor", None)  # the description says: not to be made up
        found.update(statuses([case]))

    check()
    assert found & ({200, 202} if mode is GenerationMode.POSITIVE else {400, 404, 415})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_at_the_edges_of_what_is_described_the_answer_is_described(description: Any, route: Route) -> None:
    operation = description[route.path][route.method]
    cases = [
        *description.iter_coverage_cases(
            operation, generation_modes=[*GenerationMode], generation_config=description.config.generation
        )
    ]
    found = statuses(cases[:: -(-len(cases) // MOST)])
    assert found & {200, 202}
    assert found & {400, 404, 405, 415}


@pytest.mark.parametrize("status", ["200", "404"])
def test_an_answer_that_is_not_described_does_not_go_unseen(server: Server, status: str) -> None:
    document = httpx.get(f"{server.url}/openapi.json").json()
    [route] = [route for route in ROUTES if route.path == "/catalog/{type}"]
    del document["paths"][route.path]["get"]["responses"][status]
    description = schemathesis.openapi.from_dict(document)
    description.config.update(base_url=server.url)
    with pytest.raises(FailureGroup, match="Undocumented status code"):
        test_whatever_is_sent_the_answer_is_described(description, route, GenerationMode.POSITIVE)
