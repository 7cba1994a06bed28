"""What browsers and readers see of the API: cross-origin requests, and its description."""

import json
from typing import Any

import pytest

from millrace.entrypoints.http.application import ROUTES

from .test_http_requests import PURCHASE, ask, platform

PREFLIGHT = {"origin": "https://a.example", "access-control-request-method": "POST"}


@pytest.mark.parametrize("origins", [["https://a.example"], ["https://a.example/", "https://b.example"], ["*"]])
def test_a_configured_origin_may_call_and_read(origins: list[str]) -> None:
    asked = ask(platform(), "OPTIONS", "/ingest", b"", PREFLIGHT, origins=origins)
    assert (asked.status, asked.body) == (204, b"")
    assert asked.headers["access-control-allow-origin"] in ("https://a.example", "*")
    assert asked.headers["access-control-allow-methods"] == "OPTIONS, POST"
    assert "Idempotency-Key" in asked.headers["access-control-allow-headers"]
    for path in ("/catalog", "/nothing"):
        answer = ask(platform(), "GET", path, b"", {"origin": "https://a.example"}, origins=origins)
        assert answer.headers["access-control-allow-origin"] in ("https://a.example", "*")
        assert "Link" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origins", [[], ["https://b.example"], [""]])
def test_another_origin_is_told_nothing(origins: list[str]) -> None:
    for method, headers in (("OPTIONS", PREFLIGHT), ("POST", {"origin": "https://a.example"})):
        answer = ask(platform(), method, "/ingest", PURCHASE, headers, origins=origins)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_caches_keep_answers_to_different_origins_apart() -> None:
    answer = ask(platform(), "GET", "/catalog", origins=["https://a.example"])
    assert "Origin" in answer.headers["vary"]
    page = ask(platform(), "GET", "/events/purchase", origins=["https://a.example"])
    assert {"Accept", "Origin"} == {name.strip() for name in page.headers["vary"].split(",")}


# ------------------------------------------------------------------------------------------- the description of the API


def test_the_description_has_every_route_and_every_reference_leads_somewhere() -> None:
    found = json.loads(ask(platform(), "GET", "/openapi.json").body)
    assert found["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, item in found["paths"].items() for method in item}
    assert {(route.method, route.path) for route in ROUTES} == {pair for pair in described if pair[0] != "PARAMETERS"}
    names = {
        operation["operationId"]
        for item in found["paths"].values()
        for name, operation in item.items()
        if name != "parameters"
    }
    assert len(names) == len(ROUTES)
    for reference in _references(found):
        place: Any = found
        for token in reference.removeprefix("#/").split("/"):
            place = place[token]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for item in value.values() for found in _references(item)]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []
