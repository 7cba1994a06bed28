"""Keys, and who is let in: by key, by signature, or from this machine only."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.server.keys import Keys

from .process import purchase, serving, until

SECRETS = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=8, max_size=40)
FIRST, SECOND = "correct-horse-1", "battery-staple-2"


@given(st.lists(SECRETS, min_size=1, max_size=4, unique=True), SECRETS)
def test_each_key_is_known_by_its_name_and_nothing_else_is(secrets: list[str], other: str) -> None:
    keys = Keys(", ".join(f"client{n}={secret}" for n, secret in enumerate(secrets)))
    for number, secret in enumerate(secrets):
        assert keys.caller({"x-api-key": secret}) == f"api-key/client{number}"
        assert keys.caller({"authorization": f"Bearer {secret}"}) == f"api-key/client{number}"
        if secret[:-1] not in secrets:
            assert keys.caller({"x-api-key": secret[:-1]}) is None
    if other not in secrets:
        assert keys.caller({"x-api-key": other}) is None
    assert keys.caller({}) is None
    assert keys.caller({"authorization": f"Basic {secrets[0]}"}) is None


def test_a_key_without_a_name_has_one_that_tells_nothing_of_it() -> None:
    caller = Keys(FIRST).caller({"x-api-key": FIRST})
    assert caller is not None
    assert not any(part in caller for part in FIRST.split("-")[:2])
    assert Keys("YWJjZGVmZ2g=").caller({"x-api-key": "YWJjZGVmZ2g="}) is not None


@pytest.mark.parametrize("text", ["short", "a=short", f"{FIRST},{FIRST}", f"a={FIRST} b={FIRST}"])
def test_keys_that_are_none_are_refused_without_quoting_them(text: str) -> None:
    with pytest.raises(ValueError, match="MILLRACE_API_KEYS") as raised:
        Keys(text)
    assert FIRST not in str(raised.value)
    assert not Keys("  ")


def test_a_server_with_keys_answers_who_has_one(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", MILLRACE_API_KEYS=f"shop={FIRST},{SECOND}") as server:
        server.url = f"http://127.0.0.1:{server.port}"
        event = {"eventType": "signup", "eventId": "s", "customer_id": "c", "plan": "free"}
        refused = server.call("POST", "/ingest", event)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        for path in ("/events/signup", "/views/revenue", "/catalog", "/console/letters", "/console/live"):
            assert server.call("GET", path).status_code == 401
            assert server.call("GET", path, headers={"x-api-key": "wrong-wrong"}).status_code == 401
        for path in ("/health", "/openapi.json", "/"):
            assert server.call("GET", path).status_code == 200
        for headers in ({"x-api-key": FIRST}, {"authorization": f"Bearer {SECOND}"}):
            assert server.call("POST", "/ingest", event, headers=headers).status_code == 202
        rows = until(lambda: server.get("/events/signup", headers={"x-api-key": FIRST}))
        assert "api-key/shop" in {row["source"] for row in rows}
        assert FIRST not in server.log.read_text()


def test_a_signed_source_needs_no_key(tmp_path: Path) -> None:
    catalog = "millrace.core.catalogs.webhooks:catalog"
    secrets = {"MILLRACE_API_KEYS": FIRST, "GITHUB_WEBHOOK_SECRETS": "webhook-secret"}
    with serving(tmp_path, "--catalog", catalog, **secrets) as server:
        body = json.dumps({"zen": "Keep it simple."}).encode()
        sent = {"content-type": "application/json", "x-github-event": "push", "x-github-delivery": "d-1"}
        answer = server.call("POST", "/ingest/github", body, headers=sent)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:millrace:problem:signature")
        assert server.call("POST", "/ingest", purchase("1")).json()["type"] == "urn:millrace:problem:key"


def test_without_keys_other_pages_cannot_reach_the_server(tmp_path: Path) -> None:
    with serving(tmp_path, "--origin", "https://shop.example") as server:
        for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "[::2]"):
            for path in ("/catalog", "/", "/console/live"):
                assert server.call("GET", path, headers={"host": host}).status_code == 403
        for host in ("localhost", f"localhost:{server.port}", "127.0.0.1", "[::1]:80"):
            assert server.call("GET", "/catalog", headers={"host": host}).status_code == 200
        asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
        answer = server.call("OPTIONS", "/ingest", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        answer = server.call("OPTIONS", "/ingest", headers={**asked, "origin": "https://evil.example"})
        assert "access-control-allow-origin" not in answer.headers
