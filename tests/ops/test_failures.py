"""Errors of functions: the same ones together, each counted once, and what went wrong in each form of line."""

import pytest

from millrace.entrypoints.ops.failures import failure_of, grouped

from .lines import (
    DEFERRED,
    EXITED,
    FAILED,
    METRICS,
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
from .measuring import forget, log
from .standing import Stand


@pytest.fixture(autouse=True)
def _nothing_logged(request: pytest.FixtureRequest) -> None:
    if "cloud" in request.fixturenames:
        forget(request.getfixturevalue("cloud"))


def test_errors_that_differ_in_ids_and_numbers_are_the_same() -> None:
    first = told("receipt.failed", "error", error="StoreError", cause=f"receipt {RECEIPT} has 17 bytes")
    second = told("receipt.failed", "error", error="StoreError", cause=f"receipt {REQUEST} has 4711 bytes")
    other = told("receipt.failed", "error", error="StoreError", cause="x.py:3 f")
    elsewhere = told("receipt.failed", "error", error="StoreError", cause="x.py:4 f")
    report = grouped((line(text, number) for number, text in enumerate([first, other, second, elsewhere])), "Errors")
    assert [row["count"] for row in report.rows] == [2, 1, 1]
    assert report.rows[0]["message"] == f"receipt {REQUEST} has 4711 bytes"
    assert report.wrong == ["transformation-lambda told of 4 errors"]


def test_an_error_that_is_told_by_the_function_and_by_the_runtime_is_one() -> None:
    function = told("invocation.failed", "error", error="FunctionError", cause="KeyError at x.py:3 f")
    report = grouped([line(function, 1), line(RAISED, 2), line(function, 3), line(RAISED, 4)], "Errors")
    [row] = report.rows
    assert (row["count"], row["error"], row["request_id"]) == (2, "FunctionError", REQUEST)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (FAILED, "KeyError", "pipeline.py:12 read"),
        (told("change.refused", "error", error="not a curated event"), "not a curated event", "change.refused"),
        (RAISED, "FunctionError", "KeyError at x.py:3 f"),
        ("[ERROR] Runtime.ImportModuleError: Unable to import module 'a'", "Runtime.ImportModuleError", None),
        (TIMED_OUT, "Timeout", "Task timed out after 28.03 seconds"),
        (EXITED, "Exit", "Runtime exited with error: signal: killed"),
    ],
    ids=["failed", "refused", "raised", "import", "timed-out", "exited"],
)
def test_what_went_wrong_is_read_from_each_form(text: str, error: str, message: str | None) -> None:
    failure = failure_of(line(text))
    assert (failure.error, failure.message) == (error, message or "Unable to import module 'a'")


def test_a_function_without_errors_is_well(cloud: Stand) -> None:
    log(cloud, "transformation", PROCESSED, DEFERRED, METRICS, STARTED, REPORTED)
    assert cloud.ops("errors", "transformation").stdout == "Nothing.\n"
    assert cloud.told("errors")["rows"] == []


def test_errors_are_grouped_and_wrong(cloud: Stand) -> None:
    log(cloud, "transformation", PROCESSED, FAILED, FAILED, RAISED, TIMED_OUT, METRICS)
    log(cloud, "query", EXITED, seconds_ago=30)
    found = cloud.told("errors", code=1)
    assert [(row["count"], row["function"], row["error"]) for row in found["rows"]] == [
        (2, "transformation-lambda", "KeyError"),
        (1, "transformation-lambda", "FunctionError"),
        (1, "transformation-lambda", "Timeout"),
        (1, "query-lambda", "Exit"),
    ]
    assert found["rows"][0]["correlation_id"] == RECEIPT
    assert len(cloud.told("errors", "query", code=1)["rows"]) == 1
    assert len(cloud.told("errors", "query-lambda", "query", code=1)["rows"]) == 1


def test_errors_before_since_are_left_out(cloud: Stand) -> None:
    log(cloud, "transformation", FAILED, seconds_ago=2 * 3600)
    assert cloud.told("errors")["rows"] == []
    assert cloud.told("errors", "--since", "3h", code=1)["rows"][0]["count"] == 1
    assert cloud.told("errors", "--since", "5h", "--until", "3h")["rows"] == []


def test_a_function_that_is_none_is_named(cloud: Stand) -> None:
    assert "There is no function 'nothing'; there are ingestion" in cloud.ops("errors", "nothing", code=2).stderr
