"""Capacity: told with what was throttled, and changed between on demand and provisioned with auto-scaling."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.core.errors import StoreError
from millrace.entrypoints.ops.capacity import KINDS, Capacity, Scaling, capacities, goal, setting, wrong

from .standing import Stand

TABLE = "CuratedEvents"
SCALED = {"read": Scaling(5, 50, 70.0), "write": Scaling(10, 100, 70.0)}


@pytest.fixture(autouse=True)
def back(cloud: Stand) -> Iterator[None]:
    """Afterwards every table is on demand again."""
    yield
    cloud.ops("capacity", *cloud.stack.tables, "--on-demand", "--yes")


def found(cloud: Stand, table: str = TABLE) -> Capacity:
    [capacity] = [each for each in capacities(cloud.stack) if each.table == table]
    return capacity


def scaled(cloud: Stand) -> None:
    cloud.ops("capacity", "curated", "--read", "5-50", "--write", "10-100", "--yes")


def test_every_table_is_told(cloud: Stand) -> None:
    told = cloud.told("capacity")
    assert told["wrong"] == []
    assert [(row["table"], row["of"]) for row in told["rows"]] == [
        (table, kind) for table in cloud.stack.tables for kind in KINDS
    ]
    assert {row["billing"] for row in told["rows"]} == {"on demand"}


def test_a_table_becomes_provisioned_with_a_target_and_a_policy_for_reads_and_writes(cloud: Stand) -> None:
    result = cloud.ops("capacity", "curated", "--read", "5-50", "--write", "10-100", "--target", 60, "--yes")
    assert "CuratedReadCapacity=5 CuratedWriteCapacity=10" in result.stderr
    described = cloud.client("dynamodb").describe_table(TableName=TABLE)["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    throughput = described["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (50, 100)
    scaling = cloud.client("application-autoscaling")
    targets = scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
    assert {(each["ScalableDimension"], each["MinCapacity"], each["MaxCapacity"]) for each in targets} == {
        ("dynamodb:table:ReadCapacityUnits", 5, 50),
        ("dynamodb:table:WriteCapacityUnits", 10, 100),
    }
    policies = scaling.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"]
    assert {
        (
            each["ResourceId"],
            each["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"],
            each["TargetTrackingScalingPolicyConfiguration"]["TargetValue"],
        )
        for each in policies
    } == {
        ("table/CuratedEvents", "DynamoDBReadCapacityUtilization", 60),
        ("table/CuratedEvents", "DynamoDBWriteCapacityUtilization", 60),
    }


def test_back_to_on_demand_no_scaling_is_left(cloud: Stand) -> None:
    scaled(cloud)
    cloud.ops("capacity", "curated", "--on-demand", "--yes")
    assert (found(cloud).provisioned, found(cloud).scaling) == (False, {})
    assert "nothing to change" in cloud.ops("capacity", "curated", "--on-demand", "--yes").stdout


def test_other_bounds_keep_the_units_that_fit(cloud: Stand) -> None:
    scaled(cloud)
    cloud.ops("capacity", "curated", "--read", "1-20", "--write", "10-400", "--yes")
    assert found(cloud).units == {"read": 20, "write": 100}
    assert (
        "nothing to change" in cloud.ops("capacity", "curated", "--read", "1-20", "--write", "10-400", "--yes").stdout
    )


def test_units_at_the_most_are_wrong(cloud: Stand) -> None:
    scaled(cloud)
    wrong = cloud.told("capacity", "curated", code=1)["wrong"]
    assert wrong == [
        f"CuratedEvents: its {kind} units are at the most that auto-scaling may give, {most}"
        for kind, most in (("read", 50), ("write", 100))
    ]


def test_scaling_that_outlived_a_change_by_hand_is_told_and_removed(cloud: Stand) -> None:
    scaled(cloud)
    cloud.client("dynamodb").update_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST")
    assert len(cloud.told("capacity", "curated", code=1)["wrong"]) == 2
    cloud.ops("capacity", "curated", "--on-demand", "--yes")
    assert cloud.told("capacity", "curated")["wrong"] == []


def test_throttled_requests_of_the_last_hour_are_told(cloud: Stand) -> None:
    point = {
        "MetricName": "WriteThrottleEvents",
        "Dimensions": [{"Name": "TableName", "Value": "Ledger"}],
        "Timestamp": datetime.now(UTC) - timedelta(minutes=2),
        "Value": 12,
    }
    cloud.client("cloudwatch").put_metric_data(Namespace="AWS/DynamoDB", MetricData=[point])
    assert cloud.told("capacity", "ledger", code=1)["wrong"] == [
        "Ledger: 12 write requests were throttled in the last hour"
    ]


def test_a_dry_run_changes_nothing(cloud: Stand) -> None:
    result = cloud.ops("capacity", "views", "--read", "5", "--write", "5", "--dry-run")
    assert "read 5 to 5, 70 % in use" in result.stdout
    assert "BillingMode of the table" in result.stderr
    assert not found(cloud, "Views").provisioned


def test_two_who_set_the_same_do_it_once_and_two_who_differ_are_told(cloud: Stand) -> None:
    before = [found(cloud)]
    wanted = (SCALED, SCALED, {kind: Scaling(1, 9, 70.0) for kind in KINDS})
    first, second, other = (setting(cloud.stack, before, each) for each in wanted)
    first[0].apply()
    second[0].apply()
    with pytest.raises(StoreError, match="Somebody else has changed CuratedEvents"):
        other[0].apply()
    assert found(cloud).scaling == SCALED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--on-demand",), "Name each TABLE", id="no-table"),
        pytest.param(("orders", "--on-demand"), "There is no table 'orders'", id="unknown"),
        pytest.param(("curated", "--read", "5-9"), "Give both --read and --write", id="only-reads"),
        pytest.param(("curated", "--read", "9-5", "--write", "1"), "are no bounds", id="backwards"),
        pytest.param(("curated", "--read", "0-5", "--write", "1"), "are no bounds", id="zero"),
        pytest.param(("curated", "--on-demand", "--read", "1"), "--on-demand has no --read", id="both"),
        pytest.param(("--target", "50"), "--target is for", id="only-target"),
    ],
)
def test_wrong_usage_is_one_sentence(cloud: Stand, arguments: tuple[str, ...], said: str) -> None:
    assert said in cloud.ops("capacity", *arguments, code=2).stderr


def test_an_account_without_the_stack_says_so(nothing: Callable[..., Result]) -> None:
    result = nothing("capacity")
    assert (result.exit_code, "there is no stack millrace" in result.stderr) == (2, True)


UNITS = st.integers(1, 1000)
SCALINGS = st.tuples(UNITS, UNITS).map(lambda both: Scaling(min(both), max(both), 70.0))


@given(
    provisioned=st.booleans(), read=UNITS, write=UNITS, scaling=st.fixed_dictionaries(dict.fromkeys(KINDS, SCALINGS))
)
def test_units_are_within_the_bounds_and_the_goal_is_its_own_goal(
    provisioned: bool, read: int, write: int, scaling: dict[str, Scaling]
) -> None:
    before = Capacity("t", provisioned, {"read": read, "write": write}, {})
    after = goal(before, scaling)
    assert all(scaling[kind].least <= after.units[kind] <= scaling[kind].most for kind in KINDS)
    assert goal(after, scaling).same_as(after)
    assert not after.same_as(before)


def test_a_target_without_a_policy_is_wrong() -> None:
    capacity = Capacity("t", provisioned=True, units={"read": 1, "write": 1}, scaling={"read": Scaling(1, 9)})
    assert [*wrong(capacity)] == ["t: its read units do not scale, since auto-scaling has no policy"]
