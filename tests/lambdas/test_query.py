from typing import Any

import pytest

from millrace.core.errors import TransientError
from millrace.entrypoints.lambdas import query, validation
from millrace.entrypoints.lambdas.measures import ALLOWED, Measure

from .arriving import API_REQUEST, Context, api_event, s3_event, sqs_event, sqs_record
from .site import Site, received
from .test_ingestion import PURCHASE, Down


def get(path: str, **query_: list[str]) -> tuple[int, dict[str, str], Any]:
    event = api_event("GET", path, None, query=dict(query_))
    return received(query.handler(event, Context()))


def test_events_and_views_are_answered_from_the_stores(site: Site) -> None:
    site.platform.ingest.request(PURCHASE, source="s")
    list(site.platform.work.drain())
    status, _, [event] = get("/events/purchase")
    assert (status, event["eventId"], event["amount"]) == (200, "p-1", "12.5")
    status, _, [row] = get("/views/revenue")
    assert (status, row["window"], row["revenue"]) == (200, "2026-11-23T01:00:00Z", "12.5")


def test_queries_that_are_answered_with_rows_are_timed_and_others_are_not(site: Site) -> None:
    assert get("/views/revenue")[0] == get("/events/purchase")[0] == 200
    first, second = site.output().metrics
    for line in (first, second):
        assert line["service"] == "query"
        assert (line["Slow"], len(line["QueryTime"])) == ([0], 1)
        assert 0 <= line["QueryTime"][0] < ALLOWED[Measure.QUERY_TIME]
    for path in ("/health", "/catalog", "/events/unheard-of", "/views/none"):
        get(path)
    assert [line for line in site.output().metrics if "QueryTime" in line or "Slow" in line] == []


def test_parameters_with_several_values_arrive(site: Site) -> None:
    status, _, body = get("/views/refunds", by=["currency", "reason"])
    assert (status, body) == (200, [])


def test_a_refused_request_is_a_warning_with_the_code_of_its_problem(site: Site) -> None:
    status, headers, body = get("/events/secret-type")
    assert status == 404
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-correlation-id"] == API_REQUEST
    assert body["type"] == "urn:millrace:problem:not-found"
    output = site.output()
    line = output.log("request.refused")
    assert (line["level"], line["problem"], line["status"], line["method"]) == ("warning", "not-found", 404, "GET")
    assert "secret" not in output.text


def test_health_is_503_while_a_table_is_down_and_says_which(site: Site) -> None:
    assert get("/health")[0] == 200
    site.use(views=Down(TransientError("throttled by table x")))
    status, _, body = get("/health")
    assert (status, body["dependencies"]) == (503, {"curated": "ok", "views": "failing"})
    assert "throttled" not in str(body)


def test_the_query_function_serves_no_other_route(site: Site) -> None:
    event = api_event("POST", "/ingest", PURCHASE)
    assert received(query.handler(event, Context()))[0] == 404
    assert site.stores.queue.receive(1) == []


def test_the_validation_function_answers_validate_and_stores_nothing(site: Site) -> None:
    broken = PURCHASE.replace(b"12.50", b"-1")
    event = api_event(path="/validate", body=b"[" + PURCHASE + b"," + broken + b"]")
    status, _, [first, second] = received(validation.handler(event, Context()))
    assert status == 200
    assert first == {"index": 0, "valid": True, "violations": []}
    assert (second["index"], second["valid"]) == (1, False)
    assert second["violations"][0]["pointer"] == "/data/amount"
    assert site.stores.raw.list(since=0, until=2**60, after=None, limit=1) == []
    line = site.output().log("request.answered")
    assert (line["events"], line["invalid"]) == (2, 1)


@pytest.mark.parametrize("event", [s3_event(), sqs_event(sqs_record("r")), {}, {"step": "plan"}])
def test_a_wrong_event_is_an_error_that_names_it(site: Site, event: Any) -> None:
    with pytest.raises(Exception, match="query-lambda takes an API Gateway REST event; a"):
        query.handler(event, Context())
