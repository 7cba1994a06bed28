"""The API from request to response: what is accepted, refused and validated, and how errors are told."""

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace import Catalog
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalogs import cloudtrail
from millrace.core.catalogs.retail import catalog as retail
from millrace.core.decoding.bodies import MAX_EVENT
from millrace.core.errors import TransientError
from millrace.core.services.ingest import MAX_BODY, MAX_CONTENT, MAX_EVENTS
from millrace.entrypoints.http.application import Application
from millrace.entrypoints.http.messages import Request, Response
from millrace.entrypoints.platform import Platform

START = 1_795_399_200_000_000
PURCHASE = {
    "eventType": "purchase",
    "eventId": "p-1",
    "data": {"order_id": "o-1", "customer_id": "c-1", "amount": "12.50", "currency": "EUR"},
}


class Clock:
    def now(self) -> int:
        return START


def platform(catalog: Catalog = retail) -> Platform:
    return Platform.assemble(catalog, memory_stores(), Clock(), RandomReceiptIds())


def ask(
    site: Platform,
    method: str,
    path: str,
    body: Any = b"",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, Sequence[str]] | None = None,
    **settings: Any,
) -> Response:
    """The response to a request; a body that is no bytes is sent as JSON."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(method=method, path=path, body=sent, headers=headers or {}, query=query or {}, caller="shop")
    return Application(site, **settings).respond(request)


def problem(response: Response) -> dict[str, Any]:
    """The problem a response is."""
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(response.body)
    assert found["status"] == response.status
    assert found["title"]
    assert found["detail"].endswith((".", "}"))
    assert "Traceback" not in found["detail"]
    return found


def stored(site: Platform) -> Sequence[str]:
    return site.stores.raw.list(since=0, until=2**60, after=None, limit=100)


LINES = {"content-type": "application/x-ndjson"}
FORMS: dict[str, tuple[bytes, dict[str, str], int]] = {
    "one object": (json.dumps(PURCHASE).encode(), {"content-type": "application/json; charset=utf-8"}, 1),
    "no content type": (json.dumps(PURCHASE).encode(), {}, 1),
    "an array": (json.dumps([PURCHASE, PURCHASE]).encode(), {}, 2),
    "lines": (json.dumps(PURCHASE).encode() + b"\n\n" + json.dumps(PURCHASE).encode(), LINES, 2),
    "structured": (
        b'{"specversion":"1.0","id":"1","source":"/s","type":"purchase","data":{}}',
        {"content-type": "application/cloudevents+json"},
        1,
    ),
    "batched": (
        b'[{"specversion":"1.0","id":"1","source":"/s","type":"purchase","data":{}}]',
        {"content-type": "application/cloudevents-batch+json"},
        1,
    ),
    "binary": (
        b'{"order_id":"o"}',
        {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "purchase"},
        1,
    ),
    "gzip": (gzip.compress(json.dumps(PURCHASE).encode()), {"content-encoding": "gzip"}, 1),
    "an empty array": (b"[]", {}, 0),
    "no lines": (b"\n", LINES, 0),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_request_is_accepted(form: str) -> None:
    body, headers, events = FORMS[form]
    site = platform()
    response = ask(site, "POST", "/ingest", body, headers)
    answer = json.loads(response.body)
    assert (response.status, answer["accepted"], len(answer["events"])) == (202, events, events)
    assert stored(site) == [answer["receipt"]]
    assert response.headers["x-correlation-id"] == answer["receipt"]


def test_an_element_that_is_no_event_is_rejected_in_the_answer_and_kept() -> None:
    site = platform()
    answer = json.loads(ask(site, "POST", "/ingest", [PURCHASE, {"no": "event"}, 7]).body)
    assert [event["index"] for event in answer["events"]] == [0]
    assert [(element["index"], element["violations"][0]["code"]) for element in answer["rejected"]] == [
        (1, "required"),
        (2, "type"),
    ]
    [entry] = site.work.drain()
    assert (entry.curated, entry.dead_letters) == (1, {"malformed": 2})


LONG = json.dumps({**PURCHASE, "data": {"order_id": "x" * MAX_EVENT}}).encode()
REFUSED: dict[str, tuple[str, str, bytes, dict[str, str], int, str]] = {
    "no JSON": ("POST", "/ingest", b"{", {}, 400, "malformed"),
    "no UTF-8": ("POST", "/ingest", b'{"eventType":"\xff"}', {}, 400, "malformed"),
    "nothing": ("POST", "/ingest", b"", {}, 400, "malformed"),
    "too deep": ("POST", "/ingest", b"[" + b"[" * 70 + b"]" * 71, {}, 400, "malformed"),
    "damaged gzip": ("POST", "/ingest", b"no gzip", {"content-encoding": "gzip"}, 400, "gzip"),
    "no event": ("POST", "/ingest", b'{"a":1}', {}, 422, "no-event"),
    "an envelope that is wrong": ("POST", "/ingest", b'{"eventType":7}', {}, 422, "no-event"),
    "only elements that are none": ("POST", "/ingest", b'[1,"2",null]', {}, 422, "no-event"),
    "a large body": ("POST", "/ingest", b" " * (MAX_BODY + 1), {}, 413, "too-large"),
    "a large content": (
        "POST", "/ingest", gzip.compress(b" " * (MAX_CONTENT + 1)), {"content-encoding": "gzip"}, 413, "too-large",
    ),
    "many events": ("POST", "/ingest", b"[" + b"{}," * MAX_EVENTS + b"{}]", {}, 413, "too-large"),
    "a large event": ("POST", "/ingest", LONG, {}, 413, "too-large"),
    "XML": ("POST", "/ingest", b"<a/>", {"content-type": "application/xml"}, 415, "content-type"),
    "Brotli": ("POST", "/ingest", b"{}", {"content-encoding": "br"}, 415, "encoding"),
    "an empty key": ("POST", "/ingest", b"{}", {"idempotency-key": ""}, 400, "idempotency-key"),
    "a long key": ("POST", "/ingest", b"{}", {"idempotency-key": "k" * 256}, 400, "idempotency-key"),
    "an odd key": ("POST", "/ingest", b"{}", {"idempotency-key": "ké"}, 400, "idempotency-key"),
    "an unknown source": ("POST", "/ingest/github", b"{}", {}, 404, "not-found"),
    "no source": ("POST", "/ingest/", b"{}", {}, 404, "not-found"),
    "an unknown path": ("GET", "/nothing", b"", {}, 404, "not-found"),
    "the root": ("GET", "/", b"", {}, 404, "not-found"),
    "another method": ("PUT", "/ingest", b"{}", {}, 405, "method"),
    "a query that is posted": ("POST", "/events/purchase", b"", {}, 405, "method"),
    "validating XML": ("POST", "/validate", b"<a/>", {"content-type": "text/xml"}, 415, "content-type"),
    "validating too much": ("POST", "/validate", b"[" + b"{}," * MAX_EVENTS + b"{}]", {}, 413, "too-large"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_a_problem_with_its_status_and_nothing_is_stored(case: str) -> None:
    method, path, body, headers, status, code = REFUSED[case]
    site = platform()
    response = ask(site, method, path, body, headers)
    found = problem(response)
    assert (response.status, found["type"]) == (status, f"urn:millrace:problem:{code}")
    assert response.facts["problem"] == code
    assert stored(site) == []
    assert site.stores.queue.receive(1) == []


def test_a_problem_says_of_each_element_what_is_wrong_up_to_a_hundred() -> None:
    found = problem(ask(platform(), "POST", "/ingest", [{"eventType": 7}] * 200))
    assert len(found["rejected"]) == 100
    assert found["rejected"][7] == {
        "index": 7,
        "violations": [{"pointer": "/eventType", "code": "type", "message": "is not a string"}],
    }


def test_at_the_limits_a_request_is_accepted() -> None:
    body = b"[" + b",".join([b'{"eventType":"purchase"}'] * MAX_EVENTS) + b"]"
    assert ask(platform(), "POST", "/ingest", body).status == 202
    assert ask(platform(), "POST", "/ingest", b'{"eventType":"a"}'.ljust(MAX_EVENT)).status == 202


def test_a_refused_method_names_those_that_are_taken() -> None:
    assert ask(platform(), "DELETE", "/catalog").headers["allow"] == "GET, HEAD, OPTIONS"
    assert ask(platform(), "GET", "/ingest").headers["allow"] == "OPTIONS, POST"


def test_a_refused_encoding_names_the_one_that_is_taken() -> None:
    assert ask(platform(), "POST", "/ingest", b"{}", {"content-encoding": "br"}).headers["accept-encoding"] == "gzip"


def test_the_same_idempotency_key_gives_the_same_ids() -> None:
    site = platform()
    body = {key: value for key, value in PURCHASE.items() if key != "eventId"}
    answers = [json.loads(ask(site, "POST", "/ingest", body, {"idempotency-key": "k-1"}).body) for _ in range(2)]
    assert [answer["events"][0]["id"] for answer in answers] == ["k-1#0", "k-1#0"]
    other = json.loads(ask(site, "POST", "/ingest", body).body)
    assert other["events"][0]["id"] != "k-1#0"


def test_documents_of_a_source_are_mapped_by_the_catalog() -> None:
    site = platform(cloudtrail.catalog)
    record = {"eventID": "e-1", "eventTime": "2026-11-23T01:00:00Z", "eventName": "GetObject"}
    answer = json.loads(ask(site, "POST", "/ingest/cloudtrail", {"Records": [record, record]}).body)
    assert [(event["id"], event["type"]) for event in answer["events"]] == [("e-1", "cloudtrail")] * 2


def test_validate_gives_a_verdict_for_each_event_and_stores_nothing() -> None:
    site = platform()
    wrong = {**PURCHASE, "data": {**PURCHASE["data"], "amount": "-1", "currency": "DEM"}}  # type: ignore[dict-item]
    bot = {"eventType": "page_view", "data": {"visitor_id": "v", "url": "/", "bot": True}}
    response = ask(site, "POST", "/validate", [PURCHASE, wrong, bot, {"eventType": "nonsense"}, 7])
    verdicts = json.loads(response.body)
    assert response.status == 200
    assert [(verdict["index"], verdict["valid"]) for verdict in verdicts] == [
        (0, True), (1, False), (2, True), (3, False), (4, False),
    ]  # fmt: skip
    assert {violation["pointer"] for violation in verdicts[1]["violations"]} == {"/data/amount", "/data/currency"}
    assert stored(site) == []


@pytest.mark.parametrize("body", [b"{", b"", b"\xff"])
def test_validate_tells_of_a_body_that_is_no_json(body: bytes) -> None:
    [verdict] = json.loads(ask(platform(), "POST", "/validate", body).body)
    assert not verdict["valid"]
    assert verdict["violations"]


def test_validate_agrees_with_what_processing_makes_of_the_events() -> None:
    site, events = platform(), [PURCHASE, {**PURCHASE, "eventId": "p-2", "data": {}}, {"eventType": "x"}]
    verdicts = json.loads(ask(site, "POST", "/validate", events).body)
    ask(site, "POST", "/ingest", events)
    [entry] = site.work.drain()
    assert sum(not verdict["valid"] for verdict in verdicts) == entry.dead_lettered


def test_where_a_store_is_down_the_problem_asks_to_try_again_and_tells_nothing_else() -> None:
    class Down:
        def send(self, *_: Any) -> None:
            raise TransientError("secret host 10.0.0.1")

    down: Any = Down()
    stores = attrs.evolve(memory_stores(), queue=down)
    site = Platform.assemble(retail, stores, Clock(), RandomReceiptIds())
    response = ask(site, "POST", "/ingest", PURCHASE)
    assert (response.status, response.headers["retry-after"]) == (503, "5")
    assert "secret" not in str(problem(response))
    assert response.facts["cause"] == "secret host 10.0.0.1"


@given(
    body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "application/x-ndjson", "text/json", ""])
)
def test_any_body_is_answered_and_what_was_accepted_is_what_was_sent(body: bytes, kind: str) -> None:
    site = platform()
    response = ask(site, "POST", "/ingest", body, {"content-type": kind})
    if response.status == 202:
        assert site.stores.raw.read(json.loads(response.body)["receipt"]).body == body
    else:
        assert response.status in (400, 422)
        assert problem(response)
    assert ask(site, "POST", "/validate", body, {"content-type": kind}).status == 200


@given(body=st.binary(max_size=200))
def test_any_gzip_is_answered(body: bytes) -> None:
    assert ask(platform(), "POST", "/ingest", body, {"content-encoding": "gzip"}).status in (202, 400, 422)


@given(method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"]), path=st.text(max_size=30))
def test_any_path_is_answered(method: str, path: str) -> None:
    assert ask(platform(), method, f"/{path}").status in (200, 202, 204, 400, 404, 405)
