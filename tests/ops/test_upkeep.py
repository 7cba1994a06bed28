"""Claims about ``millrace ops runtimes``, ``retention``, ``cost`` and ``performance``."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.aws.account import Refused
from millrace.core.errors import StoreError
from millrace.entrypoints.ops import performance, retention, runtimes, spending
from millrace.entrypoints.ops.performance import Invocation, percentile
from millrace.entrypoints.ops.stack import Stack

from .standing import Stand


def test_every_command_says_in_a_sentence_that_there_is_no_stack(nothing: Callable[..., Result]) -> None:
    for command in ("runtimes", "retention", "cost", "performance"):
        result = nothing(command)
        assert result.exit_code == 2
        assert "there is no stack millrace" in result.stderr


# ------------------------------------------------------------------------------------------------------------ runtimes
@pytest.mark.parametrize(
    ("runtime", "days", "complaint"),
    [
        ("python3.13", 181, None),
        ("python3.13", 180, "180 days are left"),
        ("python3.13", 0, "0 days are left"),
        ("python3.13", -1, "no security updates since"),
        ("python2.7", 0, "nothing is known"),
        ("", 0, "an image"),
    ],
)
def test_a_runtime_is_wrong_half_a_year_before_its_end(runtime: str, days: int, complaint: str | None) -> None:
    today = runtimes.SUPPORTED_UNTIL["python3.13"] - timedelta(days=days)
    report = runtimes.judged([{"FunctionName": "f", "Runtime": runtime, "Version": "3"}], today)
    assert len(report.rows) == 1
    assert bool(report.wrong) == (complaint is not None)
    assert complaint is None or complaint in report.wrong[0]


def test_the_runtimes_of_the_stack_are_those_of_the_template_and_supported(cloud: Stand) -> None:
    found = cloud.told("runtimes")
    assert {row["runtime"] for row in found["rows"]} == {"python3.13"}
    assert [row["function"] for row in found["rows"]] == cloud.stack.functions
    assert {row["version"] for row in found["rows"]} == {"2"}, "what is live, not what was deployed last"
    assert found["wrong"] == []
    assert date(2026, 1, 1) < runtimes.CHECKED


# ----------------------------------------------------------------------------------------------------------- retention
def test_the_template_gives_every_log_group_a_retention(cloud: Stand) -> None:
    found = cloud.told("retention")
    assert {row["log_group"] for row in found["rows"]} >= {
        cloud.stack.log_group(name) for name in cloud.stack.functions
    }
    assert {row["days"] for row in found["rows"]} == {30}


def test_a_log_group_without_a_retention_is_wrong_until_it_is_given_one(cloud: Stand) -> None:
    group, other = cloud.stack.log_group("query-lambda"), "/aws/lambda/query-lambda-staging"
    logs = cloud.client("logs")
    logs.delete_retention_policy(logGroupName=group)
    logs.create_log_group(logGroupName=other)
    found = cloud.told("retention", code=1)
    assert [sentence.split()[0] for sentence in found["wrong"]] == [group], "another environment's is not this one's"
    shown = cloud.told("retention", "--set", 14, "--dry-run")
    assert (shown["made"], [change["after"] for change in shown["changes"]]) == (False, [14])
    cloud.told("retention", code=1)
    assert cloud.told("retention", "--set", 14, "--yes")["made"]
    days = {row["log_group"]: row["days"] for row in cloud.told("retention")["rows"]}
    assert days.pop(group) == 14
    assert set(days.values()) == {30}, "those that had one keep it"
    assert cloud.told("retention", "--set", 14, "--yes") == {"made": False, "changes": []}
    logs.put_retention_policy(logGroupName=group, retentionInDays=30)
    logs.delete_log_group(logGroupName=other)


def test_a_retention_that_there_is_not_is_refused(cloud: Stand) -> None:
    assert "1, 3, 5" in cloud.ops("retention", "--set", 2, "--yes", code=2).stderr


# ------------------------------------------------------------------------------------------------------------ spending
class Billing:
    """Answers as Cost Explorer does (API reference, GetCostAndUsage), which moto lacks; in pages of one day."""

    region = "eu-west-1"

    def __init__(self, *days: Mapping[str, str]) -> None:
        self.days, self.asked = days, list[Mapping[str, Any]]()

    def ask(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        assert (service, operation) == ("ce", "get_cost_and_usage")
        self.asked.append(parameters)
        if not self.days:
            raise Refused("ce get-cost-and-usage: Data is not available.", "DataUnavailableException")
        page = int(parameters.get("NextPageToken", "0"))
        groups = [
            {"Keys": [name], "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}
            for name, amount in self.days[page].items()
        ]
        following = {"NextPageToken": str(page + 1)} if page + 1 < len(self.days) else {}
        return {"ResultsByTime": [{"Groups": groups}], **following}


def billed(cloud: Stand, billing: Any) -> Stack:
    return attrs.evolve(cloud.stack, account=billing)


def test_spending_adds_up_all_days_of_all_pages_the_dearest_service_first(cloud: Stand) -> None:
    billing = Billing({"Amazon DynamoDB": "1.10", "AWS Lambda": "0.4"}, {"AWS Lambda": "2.005"}, {"Amazon S3": "0"})
    report = spending.spending(billed(cloud, billing), 3, whole_account=False)
    assert [(row["service"], row["amount"]) for row in report.rows] == [
        ("AWS Lambda", Decimal("2.40")),
        ("Amazon DynamoDB", Decimal("1.10")),
        ("Amazon S3", Decimal("0.00")),
    ]
    assert report.rows[1]["a_month"] == Decimal("11.00")
    assert "3.5" in report.title
    assert billing.asked[0]["Filter"]["Tags"]["Values"] == ["millrace"]
    period = billing.asked[0]["TimePeriod"]
    assert date.fromisoformat(period["End"]) - date.fromisoformat(period["Start"]) == timedelta(days=3)
    whole = Billing({})
    spending.spending(billed(cloud, whole), 1, whole_account=True)
    assert "Filter" not in whole.asked[0]


def test_spending_without_cost_explorer_says_what_to_switch_on(cloud: Stand) -> None:
    with pytest.raises(StoreError, match="switched on in the billing console"):
        spending.spending(billed(cloud, Billing()), 1, whole_account=True)


# --------------------------------------------------------------------------------------------------------- performance
def line(duration: float, used: int, *, memory: int = 1024, cold: float | None = None) -> str:
    """As Lambda writes it (developer guide, "Understanding Lambda function logs")."""
    first = f"\tInit Duration: {cold:.2f} ms" if cold is not None else ""
    return (
        f"REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: {duration:.2f} ms\t"
        f"Billed Duration: {int(duration) + 1} ms\tMemory Size: {memory} MB\tMax Memory Used: {used} MB{first}\t\n"
        "XRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSegmentId: 07f5xmpl2d1f6f85\tSampled: true\t\n"
    )


def found(count: int, duration: float, used: int, memory: int = 1024) -> list[Invocation]:
    each = Invocation.of(line(duration, used, memory=memory))
    assert each is not None
    return [each] * count


SETTINGS = {"MemorySize": 1024, "Timeout": 28}


def test_a_report_is_read_and_no_other_line() -> None:
    assert Invocation.of(line(12.5, 80, cold=229.34)) == Invocation(12.5, 1024, 80, 229.34)
    assert Invocation.of(line(12.5, 80)) == Invocation(12.5, 1024, 80)
    assert Invocation.of("START RequestId: 8f507cfc Version: $LATEST") is None
    assert Invocation.of('{"event": "receipt.processed"}') is None


@pytest.mark.parametrize(
    ("used", "duration", "wrong", "proposal"),
    [
        (870, 10, False, ""),
        (871, 10, True, "raise the memory to 1280 MB"),
        (1024, 10, True, "raise the memory to 1280 MB"),
        (410, 10, False, ""),
        (409, 10, False, ""),
        (100, 10, False, "try 256 MB: 75% fewer GB-seconds"),
        (10, 10, False, "try 128 MB"),
        (500, 22_400, False, ""),
        (500, 22_401, True, ""),
    ],
    ids=str,
)
def test_what_is_tight_is_wrong_and_what_is_roomy_is_proposed(
    used: int, duration: float, wrong: bool, proposal: str
) -> None:
    row, sentences = performance.judged("f", SETTINGS, found(20, duration, used))
    assert bool(sentences) == wrong
    assert row["proposal"].startswith(proposal)
    assert bool(row["proposal"]) == bool(proposal)


def test_of_few_invocations_and_of_those_with_other_memory_nothing_is_proposed() -> None:
    for invocations in (found(19, 10, 1000), found(50, 10, 1000, memory=2048), []):
        row, sentences = performance.judged("f", SETTINGS, invocations)
        assert row["proposal"].startswith("too few")
        assert sentences == []


def test_memory_that_gives_a_whole_processor_is_not_proposed_away() -> None:
    row, _ = performance.judged("f", {"MemorySize": 1769, "Timeout": 300}, found(50, 10, 120, memory=1769))
    assert row["proposal"] == ""


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.floats(0.001, 1))
def test_a_percentile_is_the_least_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    ascending = sorted(values)
    chosen = percentile(ascending, share)
    assert chosen is not None
    assert sum(value <= chosen for value in ascending) >= share * len(ascending) - 1e-9
    assert sum(value < chosen for value in ascending) < share * len(ascending) + 1e-9


def test_performance_reads_the_reports_of_each_function(cloud: Stand) -> None:
    logs, group = cloud.client("logs"), cloud.stack.log_group("ingestion-lambda")
    logs.create_log_stream(logGroupName=group, logStreamName="reports")
    now = cloud.stack.clock.now() // 1000
    texts = [line(20 + number, 500, memory=512, cold=230.0 if number == 3 else None) for number in range(30)]
    events = [{"timestamp": now - 1000 + number, "message": text} for number, text in enumerate(texts)]
    events.append({"timestamp": now, "message": "START RequestId: 8f507cfc Version: 2"})
    logs.put_log_events(logGroupName=group, logStreamName="reports", logEvents=events)
    rows = cloud.told("performance", "ingestion", code=1)["rows"]
    assert [(row["function"], row["invocations"], row["used"], row["cold_ms"]) for row in rows] == [
        ("ingestion-lambda", 30, 500, 230.0)
    ]
    assert (rows[0]["p50_ms"], rows[0]["p99_ms"]) == (34.0, 49.0)
    assert len(cloud.told("performance", code=1)["rows"]) == len(cloud.stack.functions)
    assert cloud.told("performance", "query")["rows"][0]["invocations"] == 0
    logs.delete_log_stream(logGroupName=group, logStreamName="reports")


def test_retentions_that_may_be_set_are_those_of_the_api() -> None:
    assert sorted(set(retention.DAYS)) == list(retention.DAYS)
