"""The API's queries: the same rows as the commands, in pages that neither lose nor repeat one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from millrace.core.errors import StoreError
from millrace.core.identity import record_key
from millrace.entrypoints.http import pages
from millrace.entrypoints.http.messages import Response
from millrace.entrypoints.http.parameters import read_cursor, write_cursor
from millrace.entrypoints.http.problems import Problem
from millrace.entrypoints.http.views import Place
from millrace.entrypoints.platform import Platform
from millrace.entrypoints.rows import event_row, shown

from .test_http_requests import START, ask, platform, problem

HOUR = 3600


@pytest.fixture(scope="module")
def site() -> Platform:
    """90 purchases, two a minute, one of three in dollars; refunds in several groups."""
    it = platform()
    purchases = [
        {
            "eventType": "purchase",
            "eventId": f"p-{number}",
            "eventTime": START // 1_000_000 + 60 * (number // 2),
            "data": {
                "order_id": f"o-{number}",
                "customer_id": f"c-{number % 7}",
                "amount": number + 1,
                "currency": "USD" if number % 3 == 0 else "EUR",
            },
        }
        for number in range(180)
    ]
    refunds = [
        {
            "eventType": "refund",
            "eventId": f"r-{number}",
            "eventTime": START // 1_000_000 + 24 * HOUR * (number % 3),
            "data": {
                "order_id": "o",
                "customer_id": "c",
                "amount": 1,
                "currency": ("EUR", "USD", "GBP")[number % 3 - number % 2],
                "reason": ("damaged", "late", "unwanted")[number // 3 % 3],
            },
        }
        for number in range(40)
    ]
    assert ask(it, "POST", "/ingest", purchases + refunds).status == 202
    list(it.work.drain())
    return it


def get(site: Platform, path: str, headers: Mapping[str, str] | None = None, **query: str | Sequence[str]) -> Response:
    several = {name: [text] if isinstance(text, str) else [*text] for name, text in query.items()}
    return ask(site, "GET", path, b"", headers, several)


def rows(response: Response) -> list[dict[str, Any]]:
    assert response.status == 200, response.body
    found: list[dict[str, Any]] = json.loads(response.body)
    return found


def all_pages(site: Platform, path: str, **query: str | Sequence[str]) -> tuple[list[dict[str, Any]], int]:
    """The rows of every page by following the links, and how many pages there were."""
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = dict(query)
    for number in range(1, 1000):
        response = get(site, path, **asked)
        found += rows(response)
        if "link" not in response.headers:
            return found, number
        link = response.headers["link"]
        assert link.startswith("<?")
        assert link.endswith('>; rel="next"')
        asked = parse_qs(link[2:].partition(">")[0], strict_parsing=True, keep_blank_values=True)
    raise AssertionError("the pages do not end")


def test_events_are_the_rows_of_the_command_in_order_of_time(site: Platform) -> None:
    found = rows(get(site, "/events/purchase", limit="1000"))
    records = site.stores.curated.query("purchase", since=0, until=2**60, after=None, limit=1000)
    assert found == json.loads(json.dumps([shown(event_row(record)) for record in records]))
    assert len(found) == 180
    assert found[0]["eventTime"] == "2026-11-23T02:00:00Z"


@pytest.mark.parametrize(("limit", "count"), [("1", 180), ("7", 26), ("60", 3), ("180", 1), ("1000", 1)])
def test_pages_of_events_lose_and_repeat_none(site: Platform, limit: str, count: int) -> None:
    found, pages_ = all_pages(site, "/events/purchase", limit=limit)
    assert found == rows(get(site, "/events/purchase", limit="1000"))
    assert pages_ == count


@pytest.mark.parametrize("limit", ["1", "7", "1000"])
def test_events_are_chosen_by_their_fields_on_every_page(site: Platform, limit: str) -> None:
    everything = rows(get(site, "/events/purchase", limit="1000"))
    for where in (
        ["currency=EUR"],
        ["currency=EUR", "customer_id=c-1"],
        ["eventId=p-20"],
        ["colour="],
        ["order_id=a=b"],
    ):
        wanted = [text.split("=", 1) for text in where]
        found, _ = all_pages(site, "/events/purchase", limit=limit, where=where)
        assert found == [row for row in everything if all(row.get(name) == text for name, text in wanted)], where


@pytest.mark.parametrize("text", ["currency", "=EUR", ""])
def test_a_condition_is_a_field_and_a_value(site: Platform, text: str) -> None:
    assert get(site, "/events/purchase", where=text).status == 400
    assert get(site, "/views/refunds", where="a=b").status == 400


def test_without_a_limit_a_page_has_a_hundred(site: Platform) -> None:
    response = get(site, "/events/purchase")
    assert len(rows(response)) == 100
    assert "limit=100" in response.headers["link"]


@pytest.mark.parametrize("limit", ["2", "1000"])
def test_a_span_has_its_first_instant_and_not_its_last(site: Platform, limit: str) -> None:
    found, _ = all_pages(
        site, "/events/purchase", since="2026-11-23T02:10:00Z", until="2026-11-23T02:12:00Z", limit=limit
    )
    assert [event["eventId"] for event in sorted(found, key=lambda event: event["eventId"])] == [
        "p-20", "p-21", "p-22", "p-23",
    ]  # fmt: skip


def test_times_ago_and_dates_are_understood(site: Platform) -> None:
    assert rows(get(site, "/events/purchase", until="1h")) == []
    assert len(rows(get(site, "/events/purchase", since="2026-11-23", limit="1000"))) == 180
    link = get(site, "/events/purchase", since="2h", limit="1").headers["link"]
    assert "since=2026-11-23T00%3A00%3A00Z" in link  # so that the next page starts from the same instant


def test_lines_are_given_to_who_accepts_them(site: Platform) -> None:
    response = get(site, "/events/purchase", {"accept": "application/x-ndjson"}, limit="3")
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in response.body.splitlines()] == rows(get(site, "/events/purchase", limit="3"))


def test_a_page_ends_before_an_answer_would_be_too_large(site: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(get(site, "/events/purchase", limit="1000"))
    monkeypatch.setattr(pages, "MOST_BYTES", 2000)
    found, count = all_pages(site, "/events/purchase", limit="1000")
    assert found == whole
    assert count > 10


def test_a_type_that_nobody_knows_is_not_found_and_one_without_events_is_empty(site: Platform) -> None:
    assert "purchase" in problem(get(site, "/events/nonsense"))["detail"]
    assert rows(get(site, "/events/signup")) == []
    assert rows(get(site, "/events/purch%61se", limit="1"))


def test_a_view_has_the_rows_of_the_command(site: Platform) -> None:
    found = rows(get(site, "/views/revenue", since="2026-11-23T02:00:00Z", until="2026-11-23T03:00:00Z"))
    assert [(row["window"], row["group"]) for row in found] == [
        ("2026-11-23T02:00:00Z", {"currency": "EUR"}),
        ("2026-11-23T02:00:00Z", {"currency": "USD"}),
    ]
    assert [row["orders"] for row in found] == [80, 40]
    assert found[1]["revenue"] == str(sum(number + 1 for number in range(0, 120, 3)))


@pytest.mark.parametrize("by", [None, "", "none", "currency", "reason", "reason,currency", "currency, reason"])
@pytest.mark.parametrize("limit", ["1", "2", "3", "1000"])
def test_pages_of_a_view_lose_and_repeat_no_row_however_it_is_merged(
    site: Platform, by: str | None, limit: str
) -> None:
    query: dict[str, Any] = {} if by is None else {"by": by}
    found, count = all_pages(site, "/views/refunds", limit=limit, **query)
    assert found == rows(get(site, "/views/refunds", limit="1000", **query))
    assert sum(row["refunds"] for row in found) == 40
    assert count == -(-len(found) // int(limit))
    names = {"currency", "reason"} if by is None else {name.strip() for name in by.split(",")} - {"", "none"}
    assert all(row["group"].keys() == names for row in found)


def test_fields_to_merge_by_may_be_given_one_by_one(site: Platform) -> None:
    assert rows(get(site, "/views/refunds", by=["reason", "currency"])) == rows(
        get(site, "/views/refunds", by="reason,currency")
    )


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("/events/purchase", {"limit": "0"}, "parameter"),
    ("/events/purchase", {"limit": "1001"}, "parameter"),
    ("/events/purchase", {"limit": "ten"}, "parameter"),
    ("/events/purchase", {"limit": "²"}, "parameter"),
    ("/events/purchase", {"limit": ["1", "2"]}, "parameter"),
    ("/events/purchase", {"since": "yesterday"}, "parameter"),
    ("/events/purchase", {"since": "2026-11-23", "until": "2026-11-23"}, "parameter"),
    ("/events/purchase", {"by": "currency"}, "parameter"),
    ("/events/purchase", {"colour": "red"}, "parameter"),
    ("/events/purchase", {"cursor": ""}, "cursor"),
    ("/events/purchase", {"cursor": "!"}, "cursor"),
    ("/events/purchase", {"cursor": write_cursor(7)}, "cursor"),
    ("/events/purchase", {"cursor": write_cursor("x")}, "cursor"),
    ("/events/purchase", {"cursor": write_cursor(["1", "2"])}, "cursor"),
    ("/views/refunds", {"cursor": write_cursor("1")}, "cursor"),
    ("/views/refunds", {"cursor": write_cursor([2**62, ""])}, "cursor"),
    ("/views/refunds", {"by": "colour"}, "parameter"),
    ("/views/visitors", {"by": "path"}, "parameter"),
]


@pytest.mark.parametrize(("path", "query", "code"), BAD)
def test_a_parameter_that_is_wrong_is_a_problem(site: Platform, path: str, query: dict[str, Any], code: str) -> None:
    response = get(site, path, **query)
    assert response.status == 400
    assert problem(response)["type"] == f"urn:millrace:problem:{code}"


def test_an_unknown_view_is_a_problem_that_names_the_known_ones(site: Platform) -> None:
    assert "revenue" in problem(get(site, "/views/nonsense"))["detail"]


@given(cursor=st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: write_cursor(raw.hex())))
def test_any_cursor_is_answered(site: Platform, cursor: str) -> None:
    for path in ("/events/purchase", "/views/refunds"):
        assert get(site, path, cursor=cursor).status in (200, 400)


@given(place=st.integers(-(10**38) + 1, 10**38 - 1))
def test_any_key_is_a_place_among_events(site: Platform, place: int) -> None:
    found = rows(get(site, "/events/purchase", cursor=write_cursor(str(place)), limit="1000"))
    records = site.stores.curated.query("purchase", since=0, until=2**60, after=None, limit=1000)
    assert [row["eventId"] for row in found] == [record.id for record in records if record_key(record) > place]


@given(window=st.integers(-(2**53), 2**53), group=st.text())
def test_a_cursor_gives_back_the_place_it_was_made_of(window: int, group: str) -> None:
    place = Place(window, group)
    assert read_cursor(write_cursor(place), Place) == place


@given(cursor=st.text())
def test_a_text_that_is_no_cursor_is_a_problem_and_nothing_else(cursor: str) -> None:
    try:
        place = read_cursor(cursor, str)
    except Problem:
        return
    assert isinstance(place, str)


def test_the_catalog_and_its_schemas_are_told(site: Platform) -> None:
    told = json.loads(get(site, "/catalog").body)
    assert {declared["name"] for declared in told["types"]} == {"purchase", "refund", "page_view", "signup"}
    assert {"revenue", "refunds"} <= {view["name"] for view in told["views"]}
    response = get(site, "/catalog/purchase")
    assert response.headers["content-type"] == "application/schema+json"
    Draft202012Validator.check_schema(json.loads(response.body))
    assert problem(get(site, "/catalog/nonsense"))["status"] == 404


def test_health_names_every_dependency_and_its_state(site: Platform) -> None:
    good = get(site, "/health")
    assert json.loads(good.body) == {
        "status": "ok",
        "catalog": "retail",
        "dependencies": {"curated": "ok", "views": "ok"},
    }

    class Down:
        def query(self, *_: Any, **__: Any) -> None:
            raise StoreError("secret table")

    down: Any = Down()
    broken = attrs.evolve(site, stores=attrs.evolve(site.stores, curated=down))
    bad = get(broken, "/health")
    assert (bad.status, json.loads(bad.body)["dependencies"]["curated"]) == (503, "failing")
    assert b"secret" not in bad.body
    assert bad.facts["curated_cause"] == "secret table"


def test_head_is_get_without_the_body(site: Platform) -> None:
    full, head = get(site, "/catalog"), ask(site, "HEAD", "/catalog")
    assert (head.status, head.headers, head.body) == (full.status, full.headers, b"")
