"""Throttling: what the API takes is told as it is, and set for stage and usage plan alike."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import attrs
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from moto.apigateway.models import UsagePlan

from millrace.core.errors import StoreError
from millrace.entrypoints.ops.throttling import (
    PLAN,
    STAGE,
    Limit,
    Place,
    Wish,
    for_good,
    goals,
    judged,
    places_of,
    plain,
    setting,
)

from .standing import Stand

ACCOUNT = Limit(10_000, 5_000)
_patched = UsagePlan.apply_patch_operations


def _by_method(plan: UsagePlan, operations: list[dict[str, Any]]) -> None:
    """Moto passes over limits of a method, whose path is /apiStages/API:STAGE/throttle/PATH/VERB/LIMIT."""
    for operation in operations:
        parts = operation["path"].split("/")
        if parts[1] != "apiStages":
            _patched(plan, [operation])
            continue
        _, _, stage, _, path, verb, limit = parts
        [staged] = [each for each in plan.api_stages if f"{each['apiId']}:{each['stage']}" == stage]
        staged["throttle"][f"{path.replace('~1', '/')}/{verb}"][limit] = float(operation["value"])


@pytest.fixture(autouse=True)
def back(cloud: Stand) -> Iterator[None]:
    """Limits of methods can be set in the usage plan; afterwards everything is as the template has it."""
    with patch.object(UsagePlan, "apply_patch_operations", _by_method):
        yield
        cloud.ops("throttle", "--rate", 1000, "--burst", 2000, "--ingest-rate", 500, "--ingest-burst", 1000, "--yes")


def limits(cloud: Stand) -> dict[tuple[str, str], tuple[float, int]]:
    return {(each.where, each.method): (each.limit.rate, each.limit.burst) for each in places_of(cloud.stack)}


def test_limits_are_those_of_the_template_and_nothing_is_wrong(cloud: Stand) -> None:
    told = cloud.told("throttle")
    assert told["wrong"] == []
    found = [(row["where"], row["method"], row["rate"], row["burst"]) for row in told["rows"]]
    assert found == [
        (where, method, rate, burst)
        for where in (STAGE, PLAN)
        for method, rate, burst in (
            ("every other method", 1000, 2000),
            ("POST /ingest", 500, 1000),
            ("POST /ingest/{source}", 500, 1000),
        )
    ] + [("account", "all APIs together", 10_000, 5_000)]


def test_a_limit_is_set_for_the_stage_and_the_plan_and_the_rest_is_left(cloud: Stand) -> None:
    before = limits(cloud)
    result = cloud.ops("throttle", "--ingest-rate", 200, "--yes")
    assert "IngestRateLimit=200" in result.stderr
    changed = {place: limit for place, limit in limits(cloud).items() if limit != before[place]}
    assert changed == {
        (where, method): (200, 1000) for where in (STAGE, PLAN) for method in ("/ingest/POST", "/ingest/{source}/POST")
    }


def test_the_api_as_a_whole_is_limited_without_touching_ingestion(cloud: Stand) -> None:
    cloud.ops("throttle", "--rate", 0, "--burst", 0, "--yes")
    found = limits(cloud)
    assert found[STAGE, "*/*"] == found[PLAN, "*/*"] == (0, 0)
    assert found[STAGE, "/ingest/POST"] == (500, 1000)
    assert "every request is refused" in cloud.ops("throttle", code=1).stderr


def test_nothing_is_changed_by_a_dry_run_or_without_a_yes(cloud: Stand) -> None:
    before = limits(cloud)
    assert "1000 a second, 2000 at once" in cloud.ops("throttle", "--rate", 5, "--dry-run").stdout
    cloud.ops("throttle", "--rate", 5, code=130)
    assert limits(cloud) == before


def test_setting_what_is_set_changes_nothing(cloud: Stand) -> None:
    assert "nothing to change" in cloud.ops("throttle", "--rate", 1000, "--yes").stdout


def test_a_stage_and_a_plan_that_differ_are_wrong(cloud: Stand) -> None:
    cloud.client("apigateway").update_usage_plan(
        usagePlanId=cloud["UsagePlanId"],
        patchOperations=[{"op": "replace", "path": "/throttle/rateLimit", "value": "7"}],
    )
    [wrong] = cloud.told("throttle", code=1)["wrong"]
    assert wrong.startswith("every other method: the stage allows 1000 a second")


def test_two_who_set_the_same_do_no_harm_and_two_who_differ_are_told(cloud: Stand) -> None:
    first, second, other = (setting(cloud.stack, {"api": Wish(rate=rate)}) for rate in (300, 300, 400))
    for change in (*first, *second):
        change.apply()
    with pytest.raises(StoreError, match="Somebody else has changed stage prod"):
        other[0].apply()
    assert limits(cloud)[STAGE, "*/*"] == (300, 2000)


def test_with_iam_there_is_no_plan_to_ask(cloud: Stand) -> None:
    stack = attrs.evolve(cloud.stack, outputs={**cloud.stack.outputs, "UsagePlanId": ""})
    assert {place.where for place in places_of(stack)} == {STAGE}
    assert [change.of for change in setting(stack, {"api": Wish(burst=9)})] == ["stage prod, every other method"]


def test_more_than_the_account_takes_is_refused(cloud: Stand) -> None:
    result = cloud.ops("throttle", "--rate", 10_001, "--yes", code=2)
    assert "the account takes 10000 in all" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--dry-run",), "--dry-run and --yes are for changes", id="dry-run-of-nothing"),
        pytest.param(("--rate", "-1"), "-1 is not in the range", id="negative"),
        pytest.param(("--rate", "many"), "is not a valid integer", id="no-number"),
    ],
)
def test_wrong_usage_is_one_sentence(cloud: Stand, arguments: tuple[str, ...], said: str) -> None:
    assert said in cloud.ops("throttle", *arguments, code=2).stderr


def test_an_account_without_the_stack_says_so(nothing: Callable[..., Result]) -> None:
    result = nothing("throttle")
    assert (result.exit_code, "there is no stack millrace" in result.stderr) == (2, True)


LIMITS = st.builds(Limit, st.integers(0, 20_000).map(float), st.integers(0, 9_000))


@given(limit=LIMITS, rate=st.none() | st.integers(0, 10_000), burst=st.none() | st.integers(0, 9_000))
def test_a_wish_changes_what_it_names_and_nothing_else(limit: Limit, rate: float | None, burst: int | None) -> None:
    places = [Place(STAGE, "api", "*/*", limit), Place(STAGE, "ingest", "/ingest/POST", limit)]
    [(place, after)] = goals(places, {"api": Wish(rate, burst)}, ACCOUNT)
    assert place.part == "api"
    assert after.rate == (limit.rate if rate is None else rate)
    assert after.burst == (limit.burst if burst is None else burst)


@pytest.mark.parametrize(
    ("number", "text"), [(0.0, "0"), (0.5, "0.5"), (1000.0, "1000"), (12_345_678.0, "12345678"), (2_000_000, "2000000")]
)
def test_every_digit_of_a_limit_is_written(number: float, text: str) -> None:
    assert plain(number) == text
    assert for_good({"api": Wish(burst=2_000_000)}) == ["BurstLimit=2000000"]


@given(stage=LIMITS, plan=LIMITS)
def test_limits_are_fine_only_where_they_agree_and_let_requests_through(stage: Limit, plan: Limit) -> None:
    places = [Place(STAGE, "api", "*/*", stage), Place(PLAN, "api", "*/*", plan)]
    fine = stage == plan and stage.rate and stage.burst and stage.rate <= ACCOUNT.rate
    assert bool(judged(places, ACCOUNT).wrong) != bool(fine)
