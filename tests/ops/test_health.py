"""Health: each part, rate and time as grave as its alarm; executions that failed; the day's report; watching."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import islice
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.stepfunctions.models import stepfunctions_backends

from millrace.core.errors import TransientError
from millrace.entrypoints.ops import health
from millrace.entrypoints.ops.components import MANY_DEAD_LETTERS
from millrace.entrypoints.ops.flow import EVERY_RATE, EVERY_VALUE, Rate
from millrace.entrypoints.ops.objectives import Series
from tests.aws.opened import REGION
from tests.deploy.stacks import of_type, translated

from .completing import ACCOUNT
from .measuring import Scripted, api, denied, forget, of_function, own, put
from .standing import Stand


@pytest.fixture(autouse=True)
def _nothing_measured(request: pytest.FixtureRequest) -> None:
    if "cloud" in request.fixturenames:
        forget(request.getfixturevalue("cloud"))


def rows(reports: Any, title: str) -> list[dict[str, Any]]:
    [found] = [report for report in reports if report["title"].startswith(title)]
    return list(found["rows"])


def component(reports: Any, kind: str, name: str) -> dict[str, Any]:
    [found] = [row for row in rows(reports, "Components") if (row["component"], row["name"]) == (kind, name)]
    return found


def wrong(reports: Any) -> list[str]:
    return [sentence for report in reports for sentence in report["wrong"]]


# -------------------------------------------------------------------------------------------------------- parts


def test_a_stack_that_does_nothing_is_well(cloud: Stand) -> None:
    reports = cloud.told("health")
    assert wrong(reports) == []
    assert {row["verdict"] for row in rows(reports, "Components")} == {"ok"}
    assert [row["component"] for row in rows(reports, "Components")] == [
        "api",
        *["function"] * 5,
        *["queue"] * 3,
        *["table"] * 4,
        *["source"] * 2,
        "machine",
    ]
    assert {row["share"] for row in rows(reports, "Rates")} == {"no traffic"}


@contextmanager
def messages(cloud: Stand, output: str, count: int) -> Iterator[None]:
    for number in range(count):
        cloud.client("sqs").send_message(QueueUrl=cloud[output], MessageBody=str(number))
    try:
        yield
    finally:
        cloud.client("sqs").purge_queue(QueueUrl=cloud[output])


def test_a_dead_letter_is_worth_knowing_and_many_are_wrong(cloud: Stand) -> None:
    with messages(cloud, "DlqUrl", MANY_DEAD_LETTERS):
        found = component(cloud.told("health"), "queue", "processing-dlq")
        assert (found["verdict"], found["state"]) == ("P3 dead-letters", "waiting")
        cloud.client("sqs").send_message(QueueUrl=cloud["DlqUrl"], MessageBody="one more")
        reports = cloud.told("health", code=1)
    assert component(reports, "queue", "processing-dlq")["verdict"] == "P1 dead-letters-many"
    [sentence] = wrong(reports)
    assert sentence == (
        "P1 dead-letters-many: 101 messages in processing-dlq. Run: millrace dead-letters summary --store aws:millrace"
    )


def test_a_change_that_was_not_delivered_is_wrong(cloud: Stand) -> None:
    with messages(cloud, "ChangesDlqUrl", 1):
        reports = cloud.told("health", code=1)
    assert component(reports, "queue", "changes-dlq")["verdict"] == "P1 changes-undelivered"


def test_a_message_in_the_queue_is_well_as_long_as_it_is_young(cloud: Stand) -> None:
    age = Series(
        namespace="AWS/SQS",
        metric="ApproximateAgeOfOldestMessage",
        dimensions=(("QueueName", "processing-queue{suffix}"),),
    )
    with messages(cloud, "QueueUrl", 1):
        put(cloud, age, 300)
        assert component(cloud.told("health"), "queue", "processing-queue")["detail"] == "1 visible, 0 in flight"
        put(cloud, age, 301)
        assert "oldest message in the queue is 301 s" in cloud.ops("health", code=1).stderr


def test_an_event_source_mapping_that_is_off_or_gone_is_wrong(cloud: Stand) -> None:
    functions = cloud.client("lambda")
    [mapping] = [
        each
        for each in functions.list_event_source_mappings()["EventSourceMappings"]
        if ":sqs:" in each["EventSourceArn"]
    ]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    reports = cloud.told("health", code=1)
    assert component(reports, "source", "processing-queue")["state"] == "Disabled"
    assert "does not read processing-queue" in wrong(reports)[0]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    with patch("millrace.entrypoints.ops.components.ALIAS", "blue"):
        found = component(cloud.told("health", code=1), "source", "processing-queue")
    assert (found["state"], found["verdict"]) == ("missing", "wrong")


def test_a_function_that_is_switched_off_is_wrong(cloud: Stand) -> None:
    functions = cloud.client("lambda")
    functions.put_function_concurrency(FunctionName="query-lambda", ReservedConcurrentExecutions=0)
    reports = cloud.told("health", code=1)
    functions.put_function_concurrency(FunctionName="query-lambda", ReservedConcurrentExecutions=50)
    assert component(reports, "function", "query-lambda")["detail"] == "version 2, 0 at once"
    assert wrong(reports) == ["The function query-lambda is switched off: its reserved concurrency is 0"]


def test_a_part_that_is_gone_is_wrong_and_all_others_are_shown(cloud: Stand) -> None:
    alias = cloud.client("lambda").get_alias(FunctionName="query-lambda", Name="prod")
    cloud.client("lambda").delete_alias(FunctionName="query-lambda", Name="prod")
    reports = cloud.told("health", code=1)
    cloud.client("lambda").create_alias(
        FunctionName="query-lambda", Name="prod", FunctionVersion=alias["FunctionVersion"]
    )
    assert component(reports, "function", "query-lambda")["state"] == "unknown"
    assert [row["verdict"] for row in rows(reports, "Components")].count("wrong") == 1
    assert wrong(reports)[0].startswith("query-lambda: lambda get-function-configuration")


# ----------------------------------------------------------------------------------------------------- rates and times


@given(st.sampled_from([rate for rate in EVERY_RATE if rate.condition]), st.integers(0, 500), st.integers(0, 500))
def test_a_rate_is_wrong_exactly_above_its_limit_and_with_enough_behind_it(rate: Rate, bad: int, good: int) -> None:
    verdict = rate.verdict(Fraction(bad), Fraction(bad + good), "millrace")
    assert bool(verdict.wrong) == (bad + good >= rate.least and bad * 100 > rate.limit * (bad + good))


def test_limits_are_those_of_the_alarms() -> None:
    template = translated()
    named = {properties["AlarmName"]: properties for properties in of_type(template, "AWS::CloudWatch::Alarm").values()}
    for rate in (each for each in EVERY_RATE if each.condition):
        alarm = named[f"millrace/{rate.condition}" + (f"/{rate.part}" if rate.part else "")]
        [watched] = [each["Expression"] for each in alarm["Metrics"] if each["Id"] == "watched"]
        assert alarm["Threshold"] == rate.limit
        assert f" >= {rate.least}, 100 * " in watched
    assert named["millrace/dead-letters-many"]["Threshold"] == MANY_DEAD_LETTERS
    parts = {"view lag": "/folded", "changes waiting": "/waiting"}
    for value in (each for each in EVERY_VALUE if each.condition):
        alarm = named[f"millrace/{value.condition}{parts.get(value.name, '')}"]
        assert alarm["Threshold"] == value.limit
        if value.samples:
            assert " >= 20, p95, 0)" in alarm["Metrics"][0]["Expression"]


def test_errors_of_the_api_and_of_a_function_are_as_grave_as_their_alarms(cloud: Stand) -> None:
    put(cloud, api("Count"), 100)
    put(cloud, api("5XXError"), 5)
    put(cloud, of_function("query", "Invocations"), 10)
    put(cloud, of_function("query", "Errors"), 1)
    assert wrong(cloud.told("health")) == []
    put(cloud, api("5XXError"), 1)
    put(cloud, of_function("query", "Errors"), 1)
    assert wrong(cloud.told("health", code=1)) == [
        "P0 api-errors: requests answered with 5xx: 6 of 100 (6 %)",
        "P0 function-errors: invocations of query that failed: 2 of 10 (20 %). "
        "Run: millrace ops errors query --store aws:millrace",
    ]


def test_what_happened_an_hour_ago_is_in_the_daily_report_only(cloud: Stand) -> None:
    put(cloud, api("Count"), 100, minutes_ago=60)
    put(cloud, api("5XXError"), 6, minutes_ago=60)
    assert wrong(cloud.told("health")) == []
    assert "P0 api-errors" in wrong(cloud.told("health", "--daily", code=1))[0]


def test_a_slow_p95_counts_only_with_enough_receipts(cloud: Stand) -> None:
    times = own("transformation", "ReceivedToCurated")
    put(cloud, times, *[1001.0] * 19)
    reports = cloud.told("health")
    [found] = [row for row in rows(reports, "Events") if row["value"] == "worst p95 from request to curated"]
    assert (found["is"], found["verdict"]) == (1001, "ok")
    put(cloud, times, 1001.0)
    assert "P2 curation-slow" in wrong(cloud.told("health", code=1))[0]


def test_views_that_lag_and_receipts_that_fail_are_wrong(cloud: Stand) -> None:
    put(cloud, own("analytics", "ViewLag"), 60_001)
    put(cloud, own("transformation", "Failed"), 2)
    labels = [sentence.partition(":")[0] for sentence in wrong(cloud.told("health", code=1))]
    assert labels == ["P2 receipts-failing", "P2 view-lag"]


def test_events_that_are_accepted_and_not_processed_are_wrong_after_a_while(cloud: Stand) -> None:
    put(cloud, own("ingestion", "Accepted"), 40, minutes_ago=1)
    assert wrong(cloud.told("health")) == []
    put(cloud, own("ingestion", "Accepted"), 2, minutes_ago=12)
    [sentence] = wrong(cloud.told("health", code=1))
    assert sentence == "P2 queue-waiting: 2 events were accepted, and none was processed"
    put(cloud, own("transformation", "Duplicate"), 1)
    assert wrong(cloud.told("health")) == []


# ------------------------------------------------------------------------------------------------- executions, alarms


@contextmanager
def executions(cloud: Stand, *ended: tuple[str, str, float]) -> Iterator[None]:
    """Executions by name, status and the hours since they ended; each had run for an hour."""
    machine = next(iter(stepfunctions_backends[ACCOUNT][REGION].state_machines))
    for name, status, hours in ended:
        cloud.client("stepfunctions").start_execution(stateMachineArn=cloud["StateMachineArn"], name=name)
        moment = (datetime.now(UTC) - timedelta(hours=hours)).replace(tzinfo=None)
        made = machine.executions[-1]
        made.status, made.stop_date, made.start_date = status, moment, moment - timedelta(hours=1)
    try:
        yield
    finally:
        machine.executions.clear()


def test_an_execution_that_failed_is_wrong_while_it_is_recent(cloud: Stand) -> None:
    with executions(cloud, ("old", "FAILED", 30), ("today", "TIMED_OUT", 5), ("well", "SUCCEEDED", 0.1)):
        reports = cloud.told("health")
        assert [row["execution"] for row in rows(reports, "Executions")] == ["today"]
        assert "An execution failed in the last 24 hours" in cloud.ops("health", "--daily", code=1).stderr
    with executions(cloud, ("now", "FAILED", 0.1), ("too", "FAILED", 0.2)):
        assert wrong(cloud.told("health", code=1)) == [
            "2 executions failed in the last 15 minutes. Run: millrace ops executions failures --store aws:millrace"
        ]


def test_listing_executions_ends_where_none_can_have_failed_lately() -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)

    def listed() -> Iterator[dict[str, Any]]:
        for days in (1, 10, 17):
            began = now - timedelta(days=days)
            yield {"name": f"{days}", "status": "FAILED", "startDate": began, "stopDate": now - timedelta(hours=days)}
        pytest.fail("went on listing")

    pages: Any = [listed(), []]
    account = Scripted({("stepfunctions", "list_executions"): pages})
    since = int((now - timedelta(hours=24)).timestamp()) * 1_000_000
    assert [each.name for each in health.failed_executions(account.stack(), since)] == ["1", "10"]


def test_alarms_in_alarm_are_part_of_the_health(cloud: Stand) -> None:
    for name in ("millrace/P2", "millrace/sweep-missing", "millrace/dead-letters"):
        cloud.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by the test")
    reports = cloud.told("health", code=1)
    assert [row["alarm"] for row in rows(reports, "Alarms")] == ["millrace/sweep-missing", "millrace/dead-letters"]
    assert ["sweep-missing" in sentence for sentence in wrong(reports)] == [True]


# ------------------------------------------------------------------------------------------------- the day, watching


def test_the_daily_report_has_the_dead_letters_by_reason_and_the_objectives(cloud: Stand) -> None:
    dimensions = (("service", "transformation"), ("environment", "{environment}"))
    for reason, count in (("invalid", 2), ("conflict", 3), ("long-ago", 9)):
        series = Series(namespace="Millrace", metric="DeadLettered", dimensions=(*dimensions, ("reason", reason)))
        put(cloud, series, count, minutes_ago=3000 if reason == "long-ago" else 600)
    reports = cloud.told("health", "--daily")
    assert rows(reports, "Dead letters") == [
        {"reason": "conflict", "events": 3},
        {"reason": "invalid", "events": 2},
    ]
    assert len(rows(reports, "Objectives")) == 6


def test_watching_looks_again_after_each_pause_and_outlasts_what_fails_for_the_moment() -> None:
    looks: Iterator[int | None] = iter([0, None, 1])
    paused: list[float] = []
    noted: list[str] = []

    def look() -> int:
        found = next(looks)
        if found is None:
            raise TransientError("throttled")
        return found

    codes = health.watch(look, 7, sleep=paused.append, note=noted.append)
    assert [*islice(codes, 2)] == [0, 1]
    assert (paused, noted) == ([7, 7], ["throttled"])


def interrupted_after(times: int) -> Callable[[float], None]:
    """A pause that is interrupted the so-manyeth time."""
    left = iter(range(times - 1))

    def sleep(_: float) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return sleep


def test_watching_ends_when_it_is_interrupted_with_the_code_of_the_last_look(cloud: Stand) -> None:
    with patch("time.sleep", interrupted_after(2)):
        result = cloud.ops("health", "--watch")
    assert result.stdout.count("Components") == 2
    put(cloud, own("transformation", "Failed"), 1)
    with patch("time.sleep", interrupted_after(1)):
        assert cloud.ops("health", "--watch", "--every", 5, code=1).stdout.count("\nAs of 20") == 1


def test_without_the_right_to_look_at_a_part_the_others_are_shown(cloud: Stand) -> None:
    with denied("GetFunctionConcurrency"):
        result = cloud.ops("health", code=1)
    assert result.stderr.count("is not authorized to perform: GetFunctionConcurrency") == 5
    assert "table      Ledger" in result.stdout


def test_health_is_readable_in_a_table(cloud: Stand) -> None:
    out = cloud.ops("health").stdout
    assert "queue      processing-dlq" in out
    assert "\nAlarms in ALARM\nNothing.\n" in out
