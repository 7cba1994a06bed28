"""Traces, and journeys that join them with log lines."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.system import SystemClock
from millrace.entrypoints.ops.ids import is_quotable, made_at
from millrace.entrypoints.ops.journeys import span_of
from millrace.entrypoints.ops.traces import AT_ONCE, LONGEST, Summary, fetch, parts_of, pieces, recent

from .measuring import Scripted, forget
from .standing import Stand
from .tracing import filtering, forget_traces
from .ways import API_REQUEST, INGESTED, OTHER, TRANSFORMED, Way, receipt, seconds_ago, trace_id

MINUTE = 60_000_000


@pytest.fixture(autouse=True)
def _nothing_traced(request: pytest.FixtureRequest) -> None:
    if "cloud" in request.fixturenames:
        forget(request.getfixturevalue("cloud"))
        forget_traces()


# ------------------------------------------------------------------------------------------------------------- ids


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**62 - 1))
def test_ids_of_receipts_and_traces_tell_when_they_were_made(seconds: int, number: int) -> None:
    assert made_at(trace_id(seconds, number)) == seconds * 1_000_000
    assert made_at(receipt(seconds, number & 0xFFFFFF)) == seconds * 1_000_000


@pytest.mark.parametrize("id", [API_REQUEST, INGESTED, "1-2-3", "", "x"])
def test_other_ids_do_not(id: str) -> None:
    assert made_at(id) is None


@given(st.text(max_size=20))
def test_an_id_that_can_be_quoted_has_nothing_that_ends_a_quotation(text: str) -> None:
    assert not (is_quotable(text) and set(text) & set("\"'\\ \n{}()"))


def test_an_id_is_looked_for_from_when_it_was_made() -> None:
    at = seconds_ago(3 * 86_400)
    made, now = int(at * 1000) * 1000, SystemClock().now()
    since, until = span_of(receipt(at), now - MINUTE, now)
    assert (since, until) == (made - MINUTE, made + 86_400_000_000)
    assert span_of(INGESTED, 5, 9) == (5, 9)
    assert span_of(receipt(seconds_ago(60)), 5, now)[1] == now


# ------------------------------------------------------------------------------------------------------------ traces


@given(st.integers(0, 10**15), st.integers(0, 5 * LONGEST))
def test_a_span_is_asked_for_in_pieces_that_x_ray_takes_and_that_cover_it(since: int, length: int) -> None:
    found = [*pieces(since, since + length)]
    assert all(0 < end - start <= LONGEST for start, end in found)
    assert [*(end for _, end in found)][:-1] == [start for start, _ in found][1:]
    assert sum(end - start for start, end in found) == length


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9)), min_size=1, max_size=8))
def test_every_part_of_a_trace_is_shown_once_and_after_what_it_is_part_of(picked: list[tuple[int, int]]) -> None:
    segments: list[dict[str, Any]] = [
        {"id": f"{number}", "name": f"{number}", "start_time": start, **({"parent_id": f"{up}"} if up < number else {})}
        for number, (up, start) in enumerate(picked)
    ]
    names = [part.name for part in parts_of(segments)]
    assert sorted(names) == sorted(each["name"] for each in segments)
    for segment in segments:
        if "parent_id" in segment:
            assert names.index(segment["parent_id"]) < names.index(segment["name"])


def test_more_traces_than_one_call_takes_are_fetched_in_several() -> None:
    answers = [[], [{"Id": "late", "Segments": [document(2)]}], [{"Id": "early", "Segments": [document(1)]}]]
    account = Scripted({("xray", "batch_get_traces"): answers})
    ids = [trace_id(1, number) for number in range(2 * AT_ONCE + 1)]
    assert [trace.id for trace in fetch(account.stack(), ids)] == ["early", "late"]
    assert [len(each["TraceIds"]) for each in account.asked] == [AT_ONCE, AT_ONCE, 1]


def document(start: float) -> dict[str, Any]:
    return {"Id": "s", "Document": json.dumps({"id": "s", "name": "n", "start_time": start, "in_progress": True})}


@given(st.lists(st.tuples(st.sampled_from(["ok", "fault", "error"]), st.integers(0, 99), st.integers(0, 9))))
def test_traces_with_faults_come_first_the_latest_before_then_the_slowest(picked: list[tuple[str, int, int]]) -> None:
    found = [Summary(f"{number}", at * 1_000_000, seconds, state) for number, (state, at, seconds) in enumerate(picked)]
    rows = recent(found, 1000).rows
    failed = [row for row in rows if row["state"] != "ok"]
    assert [*rows[: len(failed)]] == failed
    assert [row["at"] for row in failed] == sorted((row["at"] for row in failed), reverse=True)
    slow = [row["milliseconds"] for row in rows[len(failed) :]]
    assert slow == sorted(slow, reverse=True)
    assert bool(recent(found, 1).wrong) == bool(failed)


def test_recent_traces_of_the_stack_are_shown(cloud: Stand) -> None:
    way = Way(cloud)
    with filtering() as asked:
        [first, second] = cloud.told("trace")["rows"]
    assert (first["trace"], first["milliseconds"], second["milliseconds"]) == (
        way.transform,
        200,
        100,
    )
    assert (second["request"], second["status"]) == ("POST https://x/prod/ingest", 202)
    assert asked == [" OR ".join(f'service("{function}")' for function in cloud.stack.functions)]


def test_a_recent_trace_with_a_fault_is_wrong(cloud: Stand) -> None:
    Way(cloud, fault=True)
    with filtering():
        result = cloud.ops("trace", "--limit", 1, code=1)
    assert result.stderr == "millrace: 1 of 2 traces have a fault or an error.\n"
    assert "fault" in result.stdout


def test_a_long_span_is_asked_for_piece_by_piece(cloud: Stand) -> None:
    Way(cloud)
    with filtering() as asked:
        assert len(cloud.told("trace", "--since", "13h")["rows"]) == 2
    assert len(asked) == 3


def test_without_traces_nothing_is_wrong(cloud: Stand) -> None:
    with filtering():
        assert cloud.ops("trace").stdout == "Nothing.\n"


# --------------------------------------------------------------------------------------------------------- journeys


@pytest.mark.parametrize("start", ["receipt", "api", "ingestion", "ingest-trace"])
def test_a_request_is_joined_with_its_traces_and_all_its_lines(cloud: Stand, start: str) -> None:
    way = Way(cloud)
    id = {"receipt": way.receipt, "api": API_REQUEST, "ingestion": INGESTED, "ingest-trace": way.ingest}[start]
    with filtering():
        parts, lines = cloud.told("trace", id)
    assert [*dict.fromkeys(row["trace"] for row in parts["rows"])] == [way.ingest, way.transform]
    assert [row["part"] for row in parts["rows"]] == [
        "ServerlessDataAPI/prod",
        "  Lambda",
        "    ingestion-lambda",
        "      ingestion-lambda",
        "        ## ingestion",
        "          S3 PutObject",
        "transformation-lambda",
    ]
    assert [row["offset_ms"] for row in parts["rows"]] == [0, 10, 20, 30, 30, 40, 0]
    assert [(row["function"], row["what"].split()[0]) for row in lines["rows"]] == [
        ("ingestion-lambda", "START"),
        ("ingestion-lambda", "request.accepted"),
        ("ingestion-lambda", "REPORT"),
        ("transformation-lambda", "receipt.processed"),
        ("transformation-lambda", "REPORT"),
    ]
    assert all(way.other not in row["what"] for row in lines["rows"])


def test_an_invocation_that_processed_a_batch_is_joined_with_all_of_it(cloud: Stand) -> None:
    way = Way(cloud)
    with filtering():
        parts, lines = cloud.told("trace", TRANSFORMED)
    said = " ".join(row["what"] for row in lines["rows"])
    assert way.receipt in said
    assert way.other in said
    assert way.transform in {row["trace"] for row in parts["rows"]}


def test_a_request_that_was_not_traced_has_its_lines_and_a_note(cloud: Stand) -> None:
    way = Way(cloud, traced=False)
    with filtering() as asked:
        result = cloud.ops("trace", way.receipt)
    assert "X-Ray has no trace of it" in result.stderr
    assert result.stdout.count("request.accepted") == 1
    assert asked == [f'annotation.correlation_id = "{way.receipt}"']


def test_a_fault_and_a_line_that_tells_of_an_error_are_wrong(cloud: Stand) -> None:
    way = Way(cloud, fault=True)
    with filtering():
        result = cloud.ops("trace", way.receipt, code=1)
    assert result.stderr.splitlines() == [
        f"millrace: The trace {way.transform} has a fault or an error.",
        "millrace: 1 of its log lines tells of an error.",
    ]


def test_an_old_receipt_is_found_without_saying_since_when(cloud: Stand) -> None:
    way = Way(cloud, traced=False, ago=40 * 3600)
    with filtering():
        _, lines = cloud.told("trace", way.receipt)
        assert len(lines["rows"]) == 5
        assert "--since looks further back" in cloud.ops("trace", API_REQUEST, code=1).stderr
        _, lines = cloud.told("trace", API_REQUEST, "--since", "2d")
    assert len(lines["rows"]) == 5


def test_an_id_that_nobody_knows_is_said_to_be_unknown(cloud: Stand) -> None:
    with filtering():
        assert f"Nothing is known of {OTHER} between 20" in cloud.ops("trace", OTHER, code=1).stderr
        assert "is no id" in cloud.ops("trace", 'x" OR service("', code=2).stderr
