"""What browsers see of the API: cross-origin requests."""

import pytest

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
