"""Log lines: read, filtered, merged, followed."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.core.errors import TransientError
from millrace.entrypoints.ops.logs import (
    ERRORS,
    LONGEST_PATTERN,
    OVERLAP,
    Line,
    chosen,
    follow,
    lines,
    patterns_of,
)

from .lines import (
    AT,
    DEFERRED,
    EXITED,
    FAILED,
    METRICS,
    OTHER,
    PROCESSED,
    RAISED,
    RECEIPT,
    REPORTED,
    REQUEST,
    STARTED,
    TIMED_OUT,
    line,
    told,
)
from .measuring import Scripted, forget, log
from .standing import Stand
from .test_health import interrupted_after

FUNCTIONS = ["ingestion-lambda", "query-lambda"]


@pytest.fixture(autouse=True)
def _nothing_logged(request: pytest.FixtureRequest) -> None:
    if "cloud" in request.fixturenames:
        forget(request.getfixturevalue("cloud"))


# -------------------------------------------------------------------------------------------------------- one line


@pytest.mark.parametrize(
    ("text", "request_id", "correlation", "level"),
    [
        (PROCESSED, REQUEST, RECEIPT, "info"),
        (DEFERRED, REQUEST, RECEIPT, "warning"),
        (FAILED, REQUEST, RECEIPT, "error"),
        (told("request.answered", correlation_id="unknown"), REQUEST, None, "info"),
        (RAISED, None, None, "error"),
        (TIMED_OUT, OTHER, None, "error"),
        (EXITED, OTHER, None, "error"),
        (STARTED, REQUEST, None, ""),
        (REPORTED, REQUEST, None, ""),
        ("{not JSON", None, None, ""),
        ("[1]", None, None, ""),
    ],
    ids=lambda value: None if value is None else re.sub(r"[^a-z]+", "-", str(value).lower())[:24],
)
def test_a_line_tells_its_ids_and_its_level(
    text: str, request_id: str | None, correlation: str | None, level: str
) -> None:
    found = line(text)
    assert (found.request, found.correlation, found.level) == (request_id, correlation, level)
    assert found.is_error == (level == "error")


def test_the_report_of_an_invocation_tells_its_trace() -> None:
    assert line(REPORTED).trace == "1-5759e988-bd862e3fe1be46a994272793"
    assert line(told("x", text=REPORTED)).trace is None


def test_lines_of_lambda_itself_are_told_from_those_of_functions() -> None:
    assert [line(text).is_platform for text in (STARTED, REPORTED, PROCESSED, RAISED)] == [True, True, False, False]


def test_a_row_has_the_keys_of_the_line_as_they_are() -> None:
    assert line(PROCESSED).row() == {
        "at": "2026-11-25T04:00:00Z",
        "function": "transformation-lambda",
        "level": "info",
        "event": "receipt.processed",
        "function_request_id": REQUEST,
        "cold_start": False,
        "receipt_id": RECEIPT,
        "correlation_id": RECEIPT,
        "curated": 2,
    }
    assert line(RAISED).row()["text"].startswith("[ERROR] FunctionError")


# ------------------------------------------------------------------------------------------------------- many lines


def events(*numbers: int, prefix: str = "e") -> list[dict[str, Any]]:
    return [{"timestamp": number, "eventId": f"{prefix}{number}", "message": f"{number}"} for number in numbers]


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=2, max_size=2))
def test_lines_of_several_functions_come_in_the_order_of_time_and_none_is_missing(logged: list[list[int]]) -> None:
    pages = [
        [{**event, "eventId": f"{who}-{number}"} for number, event in enumerate(events(*sorted(each)))]
        for who, each in enumerate(logged)
    ]
    account = Scripted({("logs", "filter_log_events"): pages})
    found = [*lines(account.stack(), FUNCTIONS, 0, 10_000)]
    assert [each.at for each in found] == sorted(number * 1000 for each in logged for number in each)


def test_a_line_that_fits_two_patterns_comes_once_and_those_for_metrics_never() -> None:
    page = [*events(1, 2, 2, 3), {"timestamp": 2, "eventId": "m", "message": METRICS}]
    account = Scripted({("logs", "filter_log_events"): [page[:2], page[1:]]})
    found = [*lines(account.stack(), FUNCTIONS[:1], 0, 10_000, ERRORS)]
    assert [each.text for each in found] == ["1", "2", "3"]
    assert [each["filterPattern"] for each in account.asked] == [*ERRORS]


def test_a_span_ends_before_its_last_millisecond() -> None:
    account = Scripted({("logs", "filter_log_events"): [[]]})
    assert [*lines(account.stack(), FUNCTIONS[:1], 5_000, 9_000)] == []
    assert (account.asked[0]["startTime"], account.asked[0]["endTime"]) == (5, 8)
    assert "filterPattern" not in account.asked[0]


@given(st.lists(st.uuids().map(str), min_size=1, max_size=80, unique=True))
def test_patterns_name_every_id_once_and_are_as_long_as_they_may_be(ids: list[str]) -> None:
    patterns = patterns_of(ids)
    assert [each for pattern in patterns for each in re.findall(r'"([^"]+)"', pattern)] == ids
    assert all(len(pattern) <= LONGEST_PATTERN for pattern in patterns)
    for pattern in patterns:
        # An optional term alone would fit every line.
        assert pattern.startswith("?") == (pattern.count('"') > 2)


class Ticking:
    """A clock that moves by ten seconds each time it is read."""

    def __init__(self) -> None:
        self.micros = AT

    def now(self) -> int:
        self.micros += 10_000_000
        return self.micros


def test_following_shows_each_line_once_even_one_that_is_found_late() -> None:
    first, late, last = line("first", 1), line("late", 0), line("last", 2)
    answers: list[list[Line] | None] = [[first], [first], None, [late, first, last], [last]]
    spans: list[tuple[int, int]] = []
    noted: list[str] = []
    slept: list[float] = []

    def fetch(since: int, until: int) -> list[Line]:
        spans.append((since, until))
        found = answers[len(spans) - 1]
        if found is None:
            raise TransientError("throttled")
        return found

    stack = Scripted({}).stack(Ticking())
    found = follow(stack, fetch, AT, sleep=slept.append, note=noted.append)
    assert [each.text for each in islice(found, 3)] == ["first", "late", "last"]
    assert noted == ["throttled"]
    assert len(slept) == 3
    assert all(since >= min(AT, until - OVERLAP) for since, until in spans)


def test_following_looks_back_no_further_than_a_line_may_be_late() -> None:
    spans: list[tuple[int, int]] = []

    def fetch(since: int, until: int) -> Iterator[Line]:
        spans.append((since, until))
        if len(spans) == 20:
            yield line("end", 1)

    stack = Scripted({}).stack(Ticking())
    assert [*islice(follow(stack, fetch, AT, sleep=lambda _: None, note=pytest.fail), 1)]
    assert spans[0][0] == AT
    assert spans[-1][0] == spans[-2][1] - OVERLAP


# -------------------------------------------------------------------------------------------------------- the commands


def test_lines_are_shown_in_the_order_of_time_without_metrics_and_lambdas_own(cloud: Stand) -> None:
    log(cloud, "transformation", STARTED, PROCESSED, METRICS, REPORTED)
    log(cloud, "ingestion", told("request.accepted", correlation_id=RECEIPT), seconds_ago=90)
    shown = cloud.ops("logs").stdout.splitlines()
    assert [text.split("  ")[1:4] for text in shown] == [
        ["ingestion-lambda", "info", "request.accepted"],
        ["transformation-lambda", "info", "receipt.processed"],
    ]
    assert f"receipt_id={RECEIPT}" in shown[1]
    everything = cloud.told("logs", "transformation", "--platform")
    assert [row.get("event", row.get("text", "")[:5]) for row in everything] == ["START", "receipt.processed", "REPOR"]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["--request-id", REQUEST], ["START", "receipt.processed", "receipt.failed"]),
        (["--request-id", OTHER], ["2026-"]),
        (["--receipt", RECEIPT], ["receipt.processed", "receipt.failed"]),
        (["--correlation-id", RECEIPT, "--errors"], ["receipt.failed"]),
        (["--receipt", RECEIPT, "--request-id", OTHER], []),
        (["--errors"], ["receipt.failed", "2026-"]),
    ],
    ids=["request", "other-request", "receipt", "correlation-errors", "both", "errors"],
)
def test_lines_can_be_narrowed_down(cloud: Stand, options: list[str], shown: list[str]) -> None:
    log(cloud, "transformation", STARTED, PROCESSED, FAILED, TIMED_OUT)
    rows = cloud.told("logs", *options)
    assert [row.get("event", row.get("text", "")[:5]) for row in rows] == shown


@pytest.mark.parametrize("id", ['a"b', "a b", "", "ä", "x\ny"], ids=["quote", "blank", "empty", "umlaut", "newline"])
def test_an_id_that_cannot_be_in_a_filter_is_refused(cloud: Stand, id: str) -> None:
    assert "is no id" in cloud.ops("logs", "--receipt", id, code=2).stderr


def test_where_nothing_was_logged_a_note_says_so(cloud: Stand) -> None:
    result = cloud.ops("logs", "query")
    assert result.stdout == ""
    assert "There are no such lines from 20" in result.stderr


def test_what_a_terminal_would_obey_is_escaped(cloud: Stand) -> None:
    log(cloud, "query", "\x1b[31mred")
    assert "\\u001b[31mred" in cloud.ops("logs", "query").stdout


def test_following_shows_what_comes_until_it_is_interrupted(cloud: Stand) -> None:
    log(cloud, "query", PROCESSED)
    with patch("time.sleep", interrupted_after(2)):
        text = cloud.ops("logs", "query", "--follow").stdout
    assert text.count("receipt.processed") == 1
    with patch("time.sleep", interrupted_after(1)):
        objects = cloud.ops("logs", "query", "--follow", "--ndjson").stdout.splitlines()
    assert [json.loads(each)["event"] for each in objects] == ["receipt.processed"]


@pytest.mark.parametrize("option", [["--json"], ["--until", "1m"]], ids=["json", "until"])
def test_following_goes_with_nothing_that_has_an_end(cloud: Stand, option: list[str]) -> None:
    assert "--follow has no end" in cloud.ops("logs", "--follow", *option, code=2).stderr


def test_lines_of_every_page_are_shown(cloud: Stand) -> None:
    for block in range(3):
        log(cloud, "query", *[f"line {number}" for number in range(4000)], seconds_ago=600 - block * 100)
    stack = cloud.stack
    now = stack.clock.now()
    assert sum(1 for _ in chosen(stack, ["query-lambda"], now - 3600_000_000, now)) == 12_000
