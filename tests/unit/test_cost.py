"""What a load costs: checked by hand, by how it grows, and against the template."""

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.costs import deployed, estimate, prices, quotas
from millrace.entrypoints.costs.load import Load, Milliseconds
from tests.deploy.stacks import Node, of_type, translated
from tests.e2e.cli import fails, succeeds

LOADS = st.builds(
    Load,
    events_per_second=st.floats(0.01, 1e5),
    events_per_request=st.floats(1, 10_000),
    bytes_per_event=st.floats(50, 200_000),
    identity_share=st.floats(0, 1),
    views=st.integers(0, 20),
    rows=st.integers(0, 500),
    queries_per_second=st.floats(0, 100),
    peak=st.floats(1, 10),
)


@pytest.fixture(scope="module")
def template() -> dict[str, Node]:
    return translated()


def dollars(load: Load, what: str) -> float:
    return sum(estimate.per_million(line, load) for line in estimate.lines(load, Milliseconds()) if line.what == what)


# ------------------------------------------------------------------------------------------------------------ by hand


def test_a_million_events_alone_in_their_requests_are_a_million_of_everything() -> None:
    load = Load(events_per_second=1, bytes_per_event=500)
    assert dollars(load, "requests") == pytest.approx(3.50)
    assert dollars(load, "PUT of raw objects") == pytest.approx(5.00)
    assert dollars(load, "send, receive, delete") == pytest.approx(1.20)
    assert dollars(load, "writes of curated") == pytest.approx(0.625)
    assert dollars(load, "writes of ledger") == pytest.approx(0.625)
    assert dollars(load, "GB-seconds of ingestion-lambda") == pytest.approx(0.04 * 0.5 * 0.0000133334 * 1e6)


def test_a_hundred_events_in_a_request_share_all_but_their_own_writes() -> None:
    load = Load(events_per_second=100, events_per_request=100)
    assert dollars(load, "PUT of raw objects") == pytest.approx(0.05)
    assert dollars(load, "writes of ledger") == pytest.approx(0.00625)
    assert dollars(load, "writes of curated") == pytest.approx(0.625)
    # A message of 100 × 500 bytes in base64 is two requests to SQS, when it is sent and when it is received.
    assert dollars(load, "send, receive, delete") == pytest.approx((2 + 2 + 1) * 0.004)


@pytest.mark.parametrize(("size", "writes"), [(100, 1), (724, 1), (725, 2), (5000, 6)])
def test_an_item_takes_a_write_for_each_kibibyte(size: int, writes: int) -> None:
    assert Load(events_per_second=1, bytes_per_event=size).item_writes == writes


def test_events_without_a_time_take_a_second_write() -> None:
    load = Load(events_per_second=10, identity_share=0.5)
    assert dollars(load, "writes of identities") == pytest.approx(0.3125)


def test_a_message_that_is_too_large_goes_by_reference() -> None:
    assert Load(events_per_second=1, events_per_request=1000, bytes_per_event=1000).message_requests == 1
    assert Load(events_per_second=1, events_per_request=700, bytes_per_event=1000).message_requests == 15


# -------------------------------------------------------------------------------------------------------- how it grows


@given(LOADS)
def test_everything_costs_something_and_twice_the_load_at_most_twice_as_much(load: Load) -> None:
    once, twice = (sum(line.dollars for line in estimate.lines(each, Milliseconds())) for each in (load, load.times(2)))
    assert 0 < once < twice <= 2 * once * 1.000001


@given(LOADS)
def test_larger_requests_never_cost_more_per_event(load: Load) -> None:
    larger = attrs.evolve(load, events_per_request=load.events_per_request * 2)
    if load.message_requests == larger.message_requests == 1:
        assert total(larger) <= total(load) * 1.000001


def total(load: Load) -> float:
    return sum(line.dollars for line in estimate.lines(load, Milliseconds()))


@given(LOADS)
def test_a_quota_is_reached_where_it_is_said_to_be(load: Load) -> None:
    found = quotas.quotas(load, Milliseconds())
    for quota in found:
        if quota.reached_at is None:
            continue
        factor = quota.reached_at / load.events_per_second
        shares = {
            place: {each.name: each.share for each in quotas._quotas(load.times(factor * place), Milliseconds())}
            for place in (0.99, 1.01)
        }
        assert shares[0.99][quota.name] <= 1 < shares[1.01][quota.name] * 1.0001
    reached = [quota.reached_at for quota in found if quota.reached_at is not None]
    assert reached == sorted(reached)


def test_the_first_limit_of_single_events_is_the_stage_and_of_large_requests_the_key() -> None:
    took = Milliseconds()
    assert quotas.quotas(Load(events_per_second=100), took)[0].name == "ingest rate of the API's stage"
    first = quotas.quotas(Load(events_per_second=100, events_per_request=100), took)[0]
    assert (first.name, round(first.reached_at or 0)) == ("writes of one key of CuratedEvents", 1000)
    sharded = quotas.quotas(Load(events_per_second=100, events_per_request=100, shards=8), took)
    assert {quota.name: quota.reached_at for quota in sharded}[first.name] == pytest.approx(8000, rel=1e-6)


def test_a_peak_reaches_a_quota_so_much_earlier() -> None:
    calm, busy = (quotas.quotas(Load(events_per_second=100, peak=peak), Milliseconds())[0] for peak in (1, 4))
    assert (calm.reached_at or 0) == pytest.approx(4 * (busy.reached_at or 0))


# ------------------------------------------------------------------------------------------------- against the template


def test_what_is_deployed_is_what_the_template_says(template: dict[str, Node]) -> None:
    functions = {
        properties["FunctionName"].removesuffix("-lambda"): properties
        for properties in of_type(template, "AWS::Lambda::Function").values()
    }
    assert {name: functions[name]["MemorySize"] for name in deployed.MEMORY} == deployed.MEMORY
    assert all(functions[name]["Architectures"] == ["arm64"] for name in deployed.MEMORY)
    assert {name: functions[name]["ReservedConcurrentExecutions"] for name in deployed.RESERVED} == deployed.RESERVED
    mappings = of_type(template, "AWS::Lambda::EventSourceMapping")
    queue, stream = (
        next(one for one in mappings.values() if ("ScalingConfig" in one) == (kind == "queue"))
        for kind in ("queue", "stream")
    )
    assert queue["ScalingConfig"]["MaximumConcurrency"] == deployed.QUEUE_CONCURRENCY
    assert queue["BatchSize"] == deployed.MESSAGES_AT_ONCE
    assert stream["BatchSize"] == deployed.CHANGES_AT_ONCE
    assert stream["MaximumBatchingWindowInSeconds"] == deployed.WINDOW_SECONDS
    [stage] = of_type(template, "AWS::ApiGateway::Stage").values()
    rates = {one["ResourcePath"]: one["ThrottlingRateLimit"] for one in stage["MethodSettings"]}
    assert rates["/ingest"] == deployed.INGEST_RATE


def test_the_alarms_that_are_paid_for_are_those_of_the_template(template: dict[str, Node]) -> None:
    watched = [
        sum("MetricStat" in metric for metric in alarm.get("Metrics", ())) or 1
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
    ]
    assert sum(watched) == deployed.ALARM_METRICS
    assert len(of_type(template, "AWS::CloudWatch::CompositeAlarm")) == deployed.COMPOSITE_ALARMS


def test_every_price_is_used_and_dated() -> None:
    source = Path(estimate.__file__).read_text("utf-8")
    assert [name for name in prices.DOLLARS if f'"{name}"' not in source] == []
    assert prices.AS_OF.count("-") == 2


# -------------------------------------------------------------------------------------------------------- the command


def told(*arguments: str) -> Any:
    return json.loads(succeeds("cost", *arguments, "--json").stdout)


def test_the_sum_of_the_lines_is_the_total_and_the_date_is_told() -> None:
    document = told("--events-per-second", "250", "--events-per-request", "20")
    assert sum(line["dollars_per_month"] for line in document["lines"]) == pytest.approx(
        document["dollars_per_month"], rel=1e-4
    )
    assert document["prices"] == {"region": prices.REGION, "as_of": prices.AS_OF, "source": prices.SOURCE}
    assert document["quotas"][0]["raise"]


def test_people_are_told_the_first_limit_and_to_look_the_prices_up() -> None:
    result = succeeds("cost", "--events-per-second", "100")
    assert "The first limit is the ingest rate of the API's stage, at 500 events/s" in result.stdout
    assert prices.AS_OF in result.stderr


def test_a_load_beyond_a_limit_is_told_with_what_to_raise() -> None:
    result = succeeds("cost", "--events-per-second", "900")
    assert "The load exceeds the ingest rate of the API's stage: 900 requests/s where 500 are allowed" in result.stderr


def test_measured_durations_take_the_place_of_those_assumed() -> None:
    def seconds(*arguments: str) -> float:
        lines = told("--events-per-second", "10", "--events-per-request", "10", *arguments)["lines"]
        return next(float(line["per_month"]) for line in lines if line["what"] == "GB-seconds of transformation-lambda")

    month = 30 * 86_400
    assert seconds("--took", "transformation-lambda=100") == pytest.approx(month * 0.1 * 1769 / 1024, rel=1e-6)
    assert seconds("--took", "transformation=200") == pytest.approx(2 * seconds("--took", "transformation=100"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--events-per-second", "0"),
        ("--events-per-request", "0.5"),
        ("--hottest-share", "1.5"),
        ("--took", "ingestion"),
        ("--took", "elsewhere=5"),
        ("--took", "query=0"),
        ("--shards", "0"),
    ],
    ids=["no-events", "less-than-one", "more-than-all", "no-number", "no-function", "no-time", "no-shard"],
)
def test_what_cannot_be_gets_one_sentence(arguments: tuple[str, ...]) -> None:
    assert "--" in fails(2, "cost", *arguments)
