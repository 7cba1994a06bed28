"""The rights of roles against those that the code uses."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.ops.rights import RIGHTS, Pair, granted, judged, places

from .standing import Stand, standing

PARTS = st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage", "dynamodb:PutItem"])
PAIRS = st.builds(Pair, PARTS, st.sampled_from(["arn:a", "arn:b/raw/*", "arn:c"]))


@pytest.fixture
def stand() -> Iterator[Stand]:
    with standing("production") as [made]:
        yield made


def role_of(stand: Stand, function: str) -> str:
    told = stand.client("lambda").get_function_configuration(FunctionName=f"{function}-lambda")
    return str(told["Role"]).rpartition("/")[2]


# ----------------------------------------------------------------------------------------------------------- judgement


@given(st.sets(PAIRS), st.sets(PAIRS))
def test_every_right_is_missing_or_covered_and_every_grant_is_told_once(needed: set[Pair], has: set[Pair]) -> None:
    verdict = judged(needed, has)
    assert {*verdict.missing} == needed - has
    assert {*verdict.fitting} == needed & has
    assert {*verdict.unused} | {*verdict.wider} == has - needed
    assert not {*verdict.unused} & {*verdict.wider}


@pytest.mark.parametrize(
    ("grant", "need", "covered"),
    [
        (Pair("s3:*", "*"), Pair("s3:GetObject", "arn:aws:s3:::raw/raw/*"), True),
        (Pair("S3:getobject", "arn:aws:s3:::raw/*"), Pair("s3:GetObject", "arn:aws:s3:::raw/raw/*"), True),
        (Pair("s3:Get?bject", "arn:aws:s3:::raw/raw/*"), Pair("s3:GetObject", "arn:aws:s3:::raw/raw/*"), True),
        (Pair("s3:GetObject", "arn:aws:s3:::RAW/raw/*"), Pair("s3:GetObject", "arn:aws:s3:::raw/raw/*"), False),
        (Pair("s3:GetObject", "arn:aws:s3:::raw/raw/a"), Pair("s3:GetObject", "arn:aws:s3:::raw/raw/*"), False),
        (Pair("s3:[G]etObject", "*"), Pair("s3:GetObject", "arn"), False),
    ],
    ids=["all", "case-of-actions", "one-character", "case-of-resources", "narrower", "no-sets"],
)
def test_wildcards_cover_as_iam_matches(grant: Pair, need: Pair, covered: bool) -> None:
    assert grant.covers(need) is covered


def test_what_no_list_of_pairs_can_stand_for_is_told() -> None:
    document = {
        "Statement": [
            {"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn", "Condition": {"Bool": {"a": "b"}}},
        ]
    }
    found = granted([("mine", document)])
    assert found.pairs == {Pair("s3:GetObject", "arn")}
    assert [*found.unclear] == [
        "mine, statement No denies something",
        "mine, statement 2 allows all but something",
        "mine, statement 3 has a condition",
    ]


# ---------------------------------------------------------------------------------------------------------- on a stack


def test_the_roles_of_the_template_may_do_what_the_code_calls_and_nothing_else(stand: Stand) -> None:
    assert "nothing else" in stand.ops("audit-iam").stdout
    told = stand.told("audit-iam", "--all")
    assert {row["finding"] for row in told["rows"]} == {"fits"}
    assert len(told["rows"]) == sum(map(len, RIGHTS.values()))


def test_in_another_environment_too() -> None:
    with standing("staging") as [stand]:
        assert stand.told("audit-iam")["wrong"] == []


def put(stand: Stand, role: str, *statements: dict[str, Any]) -> None:
    document = {"Version": "2012-10-17", "Statement": [*statements]}
    stand.client("iam").put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=json.dumps(document))


def test_a_right_that_somebody_added_by_hand_is_unused_or_wider_than_needed(stand: Stand) -> None:
    role = role_of(stand, "query")
    put(
        stand,
        role,
        {"Effect": "Allow", "Action": "dynamodb:DeleteTable", "Resource": "*"},
        {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"},
    )
    told = stand.told("audit-iam", code=1)
    assert [(row["of"], row["finding"], row["action"]) for row in told["rows"]] == [
        ("query", "unused", "dynamodb:DeleteTable"),
        ("query", "wider than needed", "dynamodb:*"),
    ]
    assert f"{role} may dynamodb:* on *, more than query needs" in told["wrong"]


def test_a_right_that_is_gone_is_missing(stand: Stand) -> None:
    role = role_of(stand, "ingestion")
    stand.client("iam").delete_role_policy(RoleName=role, PolicyName="ingestion-lambda")
    put(
        stand,
        role,
        {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": places(stand.stack, "ingestion")["raw objects"]},
    )
    told = stand.told("audit-iam", code=1)
    missing = {row["action"] for row in told["rows"] if row["finding"] == "missing"}
    assert missing == {action for action, _ in RIGHTS["ingestion"]} - {"s3:PutObject"}


def test_attached_policies_count(stand: Stand) -> None:
    document = {
        "Statement": {"Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*"},
        "Version": "2012-10-17",
    }
    made = stand.client("iam").create_policy(PolicyName="more", PolicyDocument=json.dumps(document))
    stand.client("iam").attach_role_policy(RoleName=role_of(stand, "analytics"), PolicyArn=made["Policy"]["Arn"])
    told = stand.told("audit-iam", code=1)
    assert [row["action"] for row in told["rows"]] == ["ec2:RunInstances"]


def test_where_there_is_no_stack_it_says_so(nothing: Callable[..., Result]) -> None:
    result = nothing("audit-iam")
    assert result.exit_code == 2
    assert "there is no stack millrace" in result.stderr
