"""Rollback: which version is the one before, which functions go together, and that nobody's change is undone."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from moto.awslambda.models import lambda_backends

from millrace.adapters.aws.account import Refused
from millrace.core.errors import StoreError
from millrace.entrypoints.ops.rollback import (
    TOGETHER,
    Serving,
    Version,
    before,
    of_last_deployment,
    remarks,
    rolling_back,
    serving_of,
    targets,
)
from tests.aws.opened import REGION

from .answering import Answers, Send, answering
from .completing import ACCOUNT
from .standing import Stand

HOUR = 3_600_000_000
NOON = 1_795_399_200_000_000


def version(number: int, *, at: int | None = None, code: str | None = None) -> Version:
    return Version(number, code or f"code-{number}", NOON + number * HOUR if at is None else at)


def serving(current: int, *numbers: int, function: str = "f", others: Mapping[int, float] | None = None) -> Serving:
    return Serving(function, [version(number) for number in sorted(numbers)], current, "revision", others or {})


# --------------------------------------------------------------------------------------------------- which version


def test_the_version_before_is_so_by_number_and_not_by_text() -> None:
    assert before(serving(10, 1, 2, 9, 10)) == version(9)
    assert before(serving(100, 9, 99, 100)) == version(99)


@given(st.sets(st.integers(1, 300), min_size=2))
def test_the_version_before_is_the_greatest_of_the_lower_ones(numbers: set[int]) -> None:
    current = max(numbers)
    found = before(serving(current, *numbers))
    assert found is not None
    assert found.number == max(numbers - {current})


@given(st.sets(st.integers(1, 300), min_size=3), st.data())
def test_going_back_twice_goes_back_once(numbers: set[int], data: st.DataObject) -> None:
    first = before(serving(max(numbers), *numbers))
    assert first is not None
    assert before(serving(first.number, *numbers)) is None


def test_while_calls_are_moved_they_go_back_to_the_version_they_come_from() -> None:
    moving = serving(2, 1, 2, 3, 4, others={4: 0.1})
    assert before(moving) == version(2), "not 3, which nobody was served by"
    turned = serving(4, 1, 2, 3, 4, others={2: 0.1})
    assert before(turned) == version(2)


def test_a_function_with_one_version_cannot_go_back() -> None:
    with pytest.raises(StoreError, match="f has no version before 3; nothing was changed"):
        before(serving(3, 3))


# ------------------------------------------------------------------------------------------------- which functions


def deployed(**newest: int) -> list[Serving]:
    """Functions whose newest version was published in that minute; the one before an hour before."""
    found = []
    for name, minute in newest.items():
        at = NOON + minute * 60_000_000
        versions = [version(1, at=at - HOUR, code="old"), version(2, at=at, code="new")]
        found.append(Serving(name, versions, 2, "revision"))
    return found


def test_only_what_the_last_deployment_changed_goes_back() -> None:
    found = deployed(ingestion=0, validation=-1, query=-600)
    assert [each.function for each in of_last_deployment(found)] == ["ingestion", "validation"]
    goals = targets(found, [], None)
    assert {function: goal.number for function, goal in goals.items()} == {"ingestion": 1, "validation": 1}
    assert remarks(found, goals, [], None) == [
        "query stays at version 2: the last deployment did not change it",
        "The functions will not all run the same code",
    ]


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(-10_000, 0), min_size=1))
def test_the_last_deployment_is_what_was_published_together(minutes: dict[str, int]) -> None:
    chosen = {each.function for each in of_last_deployment(deployed(**minutes))}
    last = max(minutes.values())
    assert chosen == {name for name, minute in minutes.items() if (last - minute) * 60_000_000 <= TOGETHER}


def test_functions_that_are_named_go_back_though_the_last_deployment_did_not_change_them() -> None:
    found = deployed(ingestion=0, query=-600)
    assert targets(found, ["query"], None) == {"query": found[1].versions[0]}


def test_a_version_that_one_function_lacks_changes_none() -> None:
    found = [serving(3, 1, 2, 3, function="a"), serving(3, 2, 3, function="b")]
    with pytest.raises(StoreError, match="b has no version 1; it has 2, 3"):
        targets(found, ["a", "b"], 1)
    assert targets(found, ["a"], 1) == {"a": version(1)}


def test_what_went_back_already_says_how_to_go_further() -> None:
    found = [serving(2, 1, 2, 3)]
    assert targets(found, [], None) == {}
    [remark] = remarks(found, {}, [], None)
    assert remark.endswith("it is behind 3 already; further back: millrace ops rollback f --to 1")
    [remark] = remarks([serving(2, 2, 3)], {}, [], None)
    assert remark.endswith("it is behind 3 already")


def test_a_deployment_that_is_under_way_is_told_of() -> None:
    found = [serving(2, 1, 2, 3, others={3: 0.1})]
    [remark] = remarks(found, targets(found, [], None), [], None)
    assert "aws deploy stop-deployment" in remark
    assert found[0].told == "version 2 (code code-2, 2026-11-23T04:00:00Z), 10% to version 3"


# ------------------------------------------------------------------------------------------------------- on a stack


def alias_of(stand: Stand, function: str) -> Any:
    return lambda_backends[ACCOUNT][REGION].get_alias("prod", function)


def standing_at(stand: Stand) -> dict[str, str]:
    return {name: alias_of(stand, name).function_version for name in stand.stack.functions}


@pytest.fixture(autouse=True)
def _at_the_last_version(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "cloud" in request.fixturenames:
        stand = request.getfixturevalue("cloud")
        for name in stand.stack.functions:
            alias = alias_of(stand, name)
            alias.function_version, alias.routing_config = "2", None


@pytest.fixture
def answers() -> Iterator[Answers]:
    """Aliases change their revision with every change, and refuse one that is out of date, as Lambda's do."""

    def update_alias(send: Send, **parameters: Any) -> Mapping[str, Any]:
        alias = lambda_backends[ACCOUNT][REGION].get_alias("prod", parameters["FunctionName"])
        if parameters["RevisionId"] != alias.revision_id:
            raise Refused("lambda update-alias: the revision id does not match", "PreconditionFailedException")
        alias.revision_id += "+"
        return send(**parameters)

    with answering() as given_answers:
        given_answers.give("lambda", "update_alias", update_alias)
        yield given_answers


def test_all_functions_go_back_together_and_a_second_time_changes_nothing(cloud: Stand, answers: Answers) -> None:
    told = cloud.told("rollback", "--yes")
    assert told["made"] is True
    assert [change["of"] for change in told["changes"]] == cloud.stack.functions
    assert all(change["before"].startswith("version 2 (code ") for change in told["changes"])
    assert all(change["after"].startswith("version 1 (code ") for change in told["changes"])
    assert set(standing_at(cloud).values()) == {"1"}
    again = cloud.ops("rollback", "--yes")
    assert "There is nothing to change" in again.stdout
    assert "is behind 2 already" in again.stderr
    assert set(standing_at(cloud).values()) == {"1"}


def test_what_would_change_is_shown_and_left(cloud: Stand, answers: Answers) -> None:
    assert "version 1 (code " in cloud.ops("rollback", "--dry-run").stdout
    cloud.ops("rollback", code=130)  # nobody answers
    assert set(standing_at(cloud).values()) == {"2"}
    assert answers.of("update_alias") == []


def test_one_function_goes_back_alone_and_forward_again(cloud: Stand, answers: Answers) -> None:
    result = cloud.ops("rollback", "query", "--yes")
    assert "The next deployment moves prod forward again" in result.stderr
    assert standing_at(cloud) == {name: "1" if name == "query-lambda" else "2" for name in cloud.stack.functions}
    cloud.ops("rollback", "query-lambda", "--to", 2, "--yes")
    assert set(standing_at(cloud).values()) == {"2"}


def test_a_canary_ends(cloud: Stand, answers: Answers) -> None:
    alias = alias_of(cloud, "query-lambda")
    alias.function_version, alias.routing_config = "1", {"AdditionalVersionWeights": {"2": 0.1}}
    [change] = cloud.told("rollback", "query", "--yes")["changes"]
    assert "10% to version 2" in change["before"]
    assert alias.function_version == "1"
    assert alias.routing_config == {"AdditionalVersionWeights": {}}


def test_what_somebody_else_changed_meanwhile_is_not_undone(cloud: Stand, answers: Answers) -> None:
    found = [serving_of(cloud.stack, "query-lambda")]
    [change] = rolling_back(cloud.stack, found, targets(found, [], None))
    alias = alias_of(cloud, "query-lambda")
    alias.revision_id += "+"  # somebody deployed
    with pytest.raises(StoreError, match="Somebody else has moved prod of query-lambda meanwhile"):
        change.apply()
    assert alias.function_version == "2"


def test_two_operators_at_once_go_back_once(cloud: Stand, answers: Answers) -> None:
    found = [serving_of(cloud.stack, "query-lambda")]
    [one], [other] = (rolling_back(cloud.stack, found, targets(found, [], None)) for _ in range(2))
    one.apply()
    other.apply()
    one.apply()
    assert alias_of(cloud, "query-lambda").function_version == "1"
    assert len(answers.of("update_alias")) == 1


def test_a_race_that_is_lost_to_the_same_change_is_none(cloud: Stand, answers: Answers) -> None:
    found = [serving_of(cloud.stack, "query-lambda")]
    [change] = rolling_back(cloud.stack, found, targets(found, [], None))
    alias = alias_of(cloud, "query-lambda")

    def overtaken(send: Send, **_: Any) -> Mapping[str, Any]:
        alias.function_version = outcome
        raise Refused("lambda update-alias: the revision id does not match", "PreconditionFailedException")

    answers.give("lambda", "update_alias", overtaken)
    outcome = "1"
    change.apply()
    alias.function_version, outcome = "2", "2"
    with pytest.raises(StoreError, match="Somebody else"):
        change.apply()
    answers.refuse("lambda", "update_alias", "InvalidParameterValueException", "lambda update-alias: it is so")
    with pytest.raises(Refused, match="it is so"):
        change.apply()


def test_versions_on_every_page_count(cloud: Stand) -> None:
    def page(*numbers: int) -> dict[str, Any]:
        at = "2026-11-25T03:54:19.105+0000"
        return {"Versions": [{"Version": str(n), "CodeSha256": "x", "LastModified": at} for n in numbers]}

    latest = {"Versions": [{"Version": "$LATEST", "CodeSha256": "x", "LastModified": "2026-11-25T03:54:19.105+0000"}]}
    with answering() as given_answers:
        pages = {"pages": [latest, page(1, 10), page(2, 9)]}
        given_answers.give("lambda", "list_versions_by_function", lambda send, **_: pages)
        found = serving_of(cloud.stack, "query-lambda")
    assert [each.number for each in found.versions] == [1, 2, 9, 10]


def test_a_function_that_is_not_there_and_one_without_alias_are_said_so(cloud: Stand, answers: Answers) -> None:
    assert "There is no function 'billing'" in cloud.ops("rollback", "billing", code=2).stderr
    assert "with --to, name the FUNCTION" in cloud.ops("rollback", "--to", 1, code=2).stderr
    assert "query-lambda has no version 7; it has 1, 2" in cloud.ops("rollback", "query", "--to", 7, code=2).stderr
    answers.refuse("lambda", "get_alias", "ResourceNotFoundException")
    assert "has no alias prod: it is not deployed" in cloud.ops("rollback", code=2).stderr


def test_there_is_nothing_to_roll_back_in_an_empty_account(nothing: Callable[..., Result]) -> None:
    result = nothing("rollback")
    assert result.exit_code == 2
    assert "there is no stack millrace" in result.output
