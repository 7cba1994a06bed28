"""Concurrency: told as it is, and set only so that the account keeps enough and what is kept warm fits.

Moto knows neither an account's limit nor provisioned concurrency: ``account`` answers for them as the API reference of
Lambda documents it.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import attrs
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.aws.account import Account, Refused
from millrace.core.errors import StoreError
from millrace.entrypoints.ops.concurrency import (
    LEFT,
    NONE,
    Concurrency,
    Shares,
    Wish,
    concurrencies,
    refusal,
    setting,
    wrong,
)

from .standing import Stand

RESERVED = {"ingestion": 100, "validation": 20, "transformation": 60, "analytics": 50, "query": 50}


@attrs.define
class Known:
    """What the account has, and what is kept warm."""

    limit: int = 1000
    warm: dict[str, int] = attrs.field(factory=dict)
    calls: list[str] = attrs.field(factory=list)

    def ask(self, account: Account, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        if service == "lambda" and operation.startswith(("put_", "delete_")):
            self.calls.append(operation)
        if operation == "get_account_settings":
            names = [f"{role}-lambda" for role in RESERVED]
            told = [_ask(account, "lambda", "get_function_concurrency", FunctionName=name) for name in names]
            taken = sum(each.get("ReservedConcurrentExecutions", 0) for each in told)
            return {
                "AccountLimit": {
                    "ConcurrentExecutions": self.limit,
                    "UnreservedConcurrentExecutions": self.limit - taken,
                }
            }
        if not operation.endswith("provisioned_concurrency_config"):
            return _ask(account, service, operation, **parameters)
        name = parameters["FunctionName"]
        assert parameters["Qualifier"] == "prod"
        if operation.startswith("put"):
            self.warm[name] = parameters["ProvisionedConcurrentExecutions"]
        if name not in self.warm:
            raise Refused("No Provisioned Concurrency Config found", "ProvisionedConcurrencyConfigNotFoundException")
        warm = self.warm.pop(name) if operation.startswith("delete") else self.warm[name]
        return {
            "RequestedProvisionedConcurrentExecutions": warm,
            "AvailableProvisionedConcurrentExecutions": warm,
            "Status": "READY",
        }


_ask = Account.ask


@pytest.fixture
def account(cloud: Stand) -> Iterator[Known]:
    """The account; afterwards the functions have what the template reserves."""
    known = Known()
    for role, reserved in RESERVED.items():
        cloud.client("lambda").put_function_concurrency(
            FunctionName=f"{role}-lambda", ReservedConcurrentExecutions=reserved
        )

    def ask(account: Account, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        return known.ask(account, service, operation, **parameters)

    with patch.object(Account, "ask", ask):
        yield known


def reserved(cloud: Stand, role: str) -> int | None:
    told = cloud.client("lambda").get_function_concurrency(FunctionName=f"{role}-lambda")
    found: int | None = told.get("ReservedConcurrentExecutions")
    return found


def test_every_function_is_told_with_what_is_left_of_the_account(cloud: Stand, account: Known) -> None:
    account.warm["ingestion-lambda"] = 5
    told = cloud.told("concurrency")
    rows = {row["function"]: row for row in told["rows"]}
    assert told["wrong"] == []
    assert {name: rows[f"{name}-lambda"]["reserved"] for name in RESERVED} == RESERVED
    assert (rows["ingestion-lambda"]["provisioned"], rows["ingestion-lambda"]["status"]) == (5, "READY")
    assert rows["transformation-lambda"]["polled"] == 50
    assert rows["unreserved of the account's 1000"]["reserved"] == 720


def test_throttled_calls_of_the_last_hour_are_told(cloud: Stand, account: Known) -> None:
    point = {
        "MetricName": "Throttles",
        "Dimensions": [{"Name": "FunctionName", "Value": "query-lambda"}],
        "Timestamp": datetime.now(UTC) - timedelta(minutes=2),
        "Value": 7,
    }
    cloud.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[point])
    [sentence] = cloud.told("concurrency", "query", code=1)["wrong"]
    assert sentence == "query-lambda was throttled 7 times in the last hour: it may run 50 at once"
    assert account.calls == []


def test_reserved_concurrency_is_set_taken_away_and_back(cloud: Stand, account: Known) -> None:
    result = cloud.ops("concurrency", "validation", "--reserved", 30, "--yes")
    assert "ReservedConcurrentExecutions" in result.stderr
    assert reserved(cloud, "validation") == 30
    cloud.ops("concurrency", "validation", "--reserved", "none", "--yes")
    assert reserved(cloud, "validation") is None
    assert "nothing to change" in cloud.ops("concurrency", "validation", "--reserved", "none", "--yes").stdout


def test_provisioned_concurrency_is_set_on_the_alias_and_taken_away(cloud: Stand, account: Known) -> None:
    assert "ProvisionedConcurrency=5" in cloud.ops("concurrency", "ingestion", "--provisioned", 5, "--yes").stderr
    assert account.warm == {"ingestion-lambda": 5}
    cloud.ops("concurrency", "ingestion", "--provisioned", "none", "--yes")
    assert account.warm == {}


def test_the_account_keeps_a_hundred_unreserved(cloud: Stand, account: Known) -> None:
    cloud.ops("concurrency", "validation", "--reserved", 640, "--yes")
    result = cloud.ops("concurrency", "validation", "--reserved", 641, "--yes", code=2)
    assert "would leave 99 of the account's 1000 unreserved" in result.stderr
    assert reserved(cloud, "validation") == 640


def test_no_more_is_kept_warm_than_is_reserved(cloud: Stand, account: Known) -> None:
    result = cloud.ops("concurrency", "validation", "--provisioned", 21, "--yes", code=2)
    assert "20 are reserved for it" in result.stderr
    assert account.warm == {}


def test_what_is_kept_warm_fits_at_every_moment(cloud: Stand, account: Known) -> None:
    cloud.ops("concurrency", "validation", "--reserved", 40, "--provisioned", 40, "--yes")
    cloud.ops("concurrency", "validation", "--reserved", 10, "--provisioned", 10, "--yes")
    reserve, warm = "put_function_concurrency", "put_provisioned_concurrency_config"
    assert account.calls == [reserve, warm, warm, reserve]


def test_less_than_the_queue_sends_is_told(cloud: Stand, account: Known) -> None:
    result = cloud.ops("concurrency", "transformation", "--reserved", 40, "--dry-run")
    assert "sent up to 50 batches" in result.stderr
    assert reserved(cloud, "transformation") == 60


def test_two_who_set_the_same_do_it_once_and_two_who_differ_are_told(cloud: Stand, account: Known) -> None:
    found = concurrencies(cloud.stack)
    first, second, other = (setting(cloud.stack, found, ["query-lambda"], Wish(each)) for each in (51, 51, 52))
    for change in (*first, *second):
        change.apply()
    assert account.calls == ["put_function_concurrency"]
    with pytest.raises(StoreError, match="Somebody else has changed query-lambda, reserved"):
        other[0].apply()
    assert reserved(cloud, "query") == 51


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--reserved", "5"), "Name each FUNCTION", id="no-function"),
        pytest.param(("nobody", "--reserved", "5"), "There is no function 'nobody'", id="unknown"),
        pytest.param(("query", "--reserved", "some"), "give a number, or none", id="no-number"),
        pytest.param(("query", "--yes"), "--dry-run and --yes are for changes", id="yes-to-nothing"),
    ],
)
def test_wrong_usage_is_one_sentence(cloud: Stand, account: Known, arguments: tuple[str, ...], said: str) -> None:
    assert said in cloud.ops("concurrency", *arguments, code=2).stderr
    assert account.calls == []


def test_an_account_without_the_stack_says_so(nothing: Callable[..., Result]) -> None:
    result = nothing("concurrency")
    assert (result.exit_code, "there is no stack millrace" in result.stderr) == (2, True)


FOUND = st.lists(st.none() | st.integers(0, 300), min_size=1, max_size=4).map(
    lambda all_of_them: [Concurrency(f"f{number}", each) for number, each in enumerate(all_of_them)]
)
WISHES = st.builds(Wish, st.none() | st.integers(NONE, 900), st.none() | st.integers(NONE, 300))


@given(found=FOUND, wish=WISHES, free=st.integers(LEFT, 900), data=st.data())
def test_what_is_granted_leaves_the_account_enough_and_fits(
    found: list[Concurrency], wish: Wish, free: int, data: st.DataObject
) -> None:
    named = data.draw(st.lists(st.sampled_from([each.function for each in found]), unique=True))
    shares = Shares(free + sum(each.reserved or 0 for each in found), free)
    if refusal(found, named, wish, shares) is None:
        after = [wish.of(each) if each.function in named else each for each in found]
        unreserved = shares.limit - sum(each.reserved or 0 for each in after)
        assert unreserved >= LEFT
        assert all(each.provisioned <= each.reserved for each in after if each.reserved is not None)
        warm = sum(each.provisioned for each in after if each.reserved is None)
        assert warm <= unreserved - LEFT


@given(found=FOUND, free=st.integers(LEFT, 900))
def test_taking_reserved_concurrency_away_is_always_possible(found: list[Concurrency], free: int) -> None:
    shares = Shares(free + sum(each.reserved or 0 for each in found), free)
    assert refusal(found, [each.function for each in found], Wish(reserved=NONE), shares) is None


def test_a_function_that_is_switched_off_is_wrong() -> None:
    assert [*wrong(Concurrency("f", 0))] == ["f is switched off: its reserved concurrency is 0"]
    assert [*wrong(Concurrency("f", 1, status="FAILED"))] == ["f: its provisioned concurrency could not be prepared"]
