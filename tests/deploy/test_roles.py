"""Who may do what: each role may do what its code calls, what the services do on its behalf, and no more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import millrace
from millrace.entrypoints.ops.rights import RIGHTS

from .calls import Call, calls_of, entry_calls, ports_of
from .stacks import Node, of_type, text

ENTRYPOINTS = Path(millrace.__file__).parent / "entrypoints"

STARTS: Final[dict[str, set[tuple[str, str]]]] = {
    "Ingestion": {("ingest", "prepare"), ("ingest", "keep")},
    "Validation": {("jobs", "plan"), ("jobs", "validate"), ("jobs", "gate")},
    "Transformation": {("process", "receipt"), ("jobs", "load")},
    "Analytics": {("project", "fold"), ("jobs", "reconcile"), ("reconcile", "run")},
    "Query": {("curated", "query"), ("generations", "rows"), ("views", "rows")},
}
"""What each function calls of the services, or of the ports themselves."""

RAW = "${StorageRawBucket.Arn}"
ANALYSIS = "${StorageAnalysisBucket.Arn}"
PLACES = {
    ("raw", "s3:ListBucket"): RAW,
    ("raw", "s3:GetObject"): f"{RAW}/raw/*",
    ("raw", "s3:PutObject"): f"{RAW}/raw/*",
    ("job_files", "s3:ListBucket"): ANALYSIS,
    ("job_files", "s3:GetObject"): f"{ANALYSIS}/jobs/*",
    ("job_files", "s3:PutObject"): f"{ANALYSIS}/jobs/*",
    ("archive", "s3:ListBucket"): ANALYSIS,
    ("archive", "s3:GetObject"): f"{ANALYSIS}/archive/*",
}
ARNS = {
    "curated": "${StorageCuratedTable.Arn}",
    "identities": "${StorageIdentitiesTable.Arn}",
    "views": "${StorageViewsTable.Arn}",
    "ledger": "${StorageLedgerTable.Arn}",
    "queue": "${StorageQueue.Arn}",
    "dead_letters": "${StorageDeadLetterQueue.Arn}",
}

MAY_BE_MISSING = {("raw", "read"): RAW, ("job_files", "read"): ANALYSIS, ("archive", "read"): ANALYSIS}
"""Who reads an object that may not be there must be allowed to list the bucket, or S3 says that it is forbidden (API
reference, GetObject).
"""

STREAM = f"{ARNS['curated']}/stream/*"
"""Whichever the table has: one that was restored has another."""

BY_LAMBDA: Final[dict[str, set[tuple[str, str]]]] = {
    "Transformation": {
        ("sqs:ReceiveMessage", ARNS["queue"]),
        ("sqs:DeleteMessage", ARNS["queue"]),
        ("sqs:GetQueueAttributes", ARNS["queue"]),
    },
    "Analytics": {
        ("dynamodb:DescribeStream", STREAM),
        ("dynamodb:GetRecords", STREAM),
        ("dynamodb:GetShardIterator", STREAM),
        ("dynamodb:ListStreams", STREAM),
        ("sqs:SendMessage", "${StorageChangesDeadLetterQueue.Arn}"),
    },
}
"""What Lambda does with a function's role for its event source mappings (developer guide, "Using AWS Lambda with…")."""

ANYWHERE = {
    "xray:PutTraceSegments": "X-Ray has no resource for traces",
    "xray:PutTelemetryRecords": "X-Ray has no resource for traces",
    **dict.fromkeys(
        [
            *(f"logs:{verb}LogDelivery" for verb in ("Create", "Get", "Update", "Delete")),
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
        ],
        "deliveries of logs have no resource",
    ),
}
"""Actions that IAM knows for all resources only (service authorization reference), and why."""

HERE = "${AWS::Region}:${AWS::AccountId}"


def statements(properties: Node) -> Iterator[Node]:
    for policy in properties.get("Policies", ()):
        yield from policy["PolicyDocument"]["Statement"]


def listed(value: Node) -> list[Node]:
    return value if isinstance(value, list) else [value]


def allowed(properties: Node) -> set[tuple[str, str]]:
    """The (action, resource) pairs that a role is granted."""
    return {
        (action, text(resource))
        for statement in statements(properties)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def needed(function: str) -> set[tuple[str, str]]:
    """The pairs that the function's code may call."""
    asked: set[tuple[str, str]] = set()
    for owner, method in STARTS[function]:
        asked |= {(owner, method)} if owner in ARNS else ports_of(owner, method)
    calls: set[Call] = set().union(*(calls_of(port, method) for port, method in asked))
    pairs = {(call.action, PLACES.get((call.port, call.action)) or ARNS[call.port]) for call in calls}
    return pairs | {("s3:ListBucket", MAY_BE_MISSING[read]) for read in asked if read in MAY_BE_MISSING}


DECLARED = {
    "raw bucket": RAW,
    "raw objects": f"{RAW}/raw/*",
    "analysis bucket": ANALYSIS,
    "job files": f"{ANALYSIS}/jobs/*",
    "archive files": f"{ANALYSIS}/archive/*",
    "manifests": f"{ANALYSIS}/jobs/*/manifest.json",
    "streams": STREAM,
    "dead letters": ARNS["dead_letters"],
    "undelivered changes": "${StorageChangesDeadLetterQueue.Arn}",
    **{name: ARNS[name] for name in ("curated", "identities", "views", "ledger", "queue")},
    "state machine": f"arn:${{AWS::Partition}}:states:{HERE}:stateMachine:DataProcessing",
    "executions": f"arn:${{AWS::Partition}}:states:{HERE}:execution:DataProcessing:*",
    "map runs": f"arn:${{AWS::Partition}}:states:{HERE}:execution:DataProcessing/*",
    **{
        f"{name} alias": f"arn:${{AWS::Partition}}:lambda:{HERE}:function:{name}-lambda:prod"
        for name in ("validation", "transformation", "analytics")
    },
    "*": "*",
}
"""What the table of rights names in words, as the template has it."""


def declared(role: str) -> set[tuple[str, str]]:
    """The pairs that the table of rights has, which `millrace ops audit-iam` goes by."""
    logs = f"arn:${{AWS::Partition}}:logs:{HERE}:log-group:/aws/lambda/{role}-lambda:*"
    return {(action, {**DECLARED, "log streams": logs}[place]) for action, place in RIGHTS[role]}


def every_function(name: str) -> set[tuple[str, str]]:
    """What a function's role needs whatever its code does: to log, and to be traced."""
    group = f"arn:${{AWS::Partition}}:logs:{HERE}:log-group:/aws/lambda/{name.lower()}-lambda:*"
    return {
        ("logs:CreateLogStream", group),
        ("logs:PutLogEvents", group),
        ("xray:PutTraceSegments", "*"),
        ("xray:PutTelemetryRecords", "*"),
    }


@pytest.mark.parametrize("function", STARTS)
def test_the_table_of_rights_has_what_the_code_calls_and_no_more(function: str) -> None:
    assert declared(function.lower()) == needed(function) | BY_LAMBDA.get(function, set()) | every_function(function)


@pytest.mark.parametrize("role", RIGHTS)
def test_a_role_of_the_template_allows_what_the_table_of_rights_has(production: dict[str, Node], role: str) -> None:
    assert allowed(of_type(production, "AWS::IAM::Role")[f"Roles{role.capitalize()}Role"]) == declared(role)


@pytest.mark.parametrize("function", STARTS)
def test_a_role_allows_what_the_code_calls_and_no_more(production: dict[str, Node], function: str) -> None:
    role = of_type(production, "AWS::IAM::Role")[f"Roles{function}Role"]
    assert allowed(role) == needed(function) | BY_LAMBDA.get(function, set()) | every_function(function)


def test_the_functions_call_what_their_roles_are_made_for() -> None:
    called = entry_calls(ENTRYPOINTS / "lambdas") | entry_calls(ENTRYPOINTS / "http")
    assert called == set().union(*STARTS.values())


def test_the_state_machine_may_call_its_steps_and_report(production: dict[str, Node]) -> None:
    machine = f"arn:${{AWS::Partition}}:states:{HERE}:stateMachine:DataProcessing"
    execution = f"arn:${{AWS::Partition}}:states:{HERE}:execution:DataProcessing"
    function = f"arn:${{AWS::Partition}}:lambda:{HERE}:function"
    assert allowed(of_type(production, "AWS::IAM::Role")["RolesMachineRole"]) == {
        *(
            ("lambda:InvokeFunction", f"{function}:{name}-lambda:prod")
            for name in ("validation", "transformation", "analytics")
        ),
        ("s3:GetObject", f"{ANALYSIS}/jobs/*/manifest.json"),
        ("sqs:SendMessage", ARNS["dead_letters"]),
        # A Distributed Map runs the machine for each item (developer guide, "IAM policies for … Distributed Map").
        ("states:StartExecution", machine),
        *(
            (f"states:{verb}Execution", f"{execution}{rest}")
            for verb in ("Describe", "Stop", "Redrive")
            for rest in (":*", "/*")
        ),
        *((action, "*") for action in ANYWHERE),
    }


def test_only_what_knows_no_finer_resource_is_allowed_everywhere(staging: dict[str, Node]) -> None:
    pairs = set().union(*(allowed(role) for role in of_type(staging, "AWS::IAM::Role").values()))
    assert {action for action, resource in pairs if resource == "*"} <= set(ANYWHERE)
    assert not [action for action, _ in pairs if "*" in action]


def test_only_aws_services_may_take_a_role(staging: dict[str, Node]) -> None:
    for name, role in of_type(staging, "AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            assert set(statement["Principal"]) == {"Service"}, name
            [service] = listed(statement["Principal"]["Service"])
            assert service.endswith(".amazonaws.com")


def test_replication_reads_the_raw_log_and_writes_the_backup_alone(staging: dict[str, Node]) -> None:
    [policy] = of_type(staging, "AWS::IAM::RolePolicy").values()
    assert allowed({"Policies": [policy]}) == {
        ("s3:GetReplicationConfiguration", RAW),
        ("s3:ListBucket", RAW),
        ("s3:GetObjectVersionForReplication", f"{RAW}/*"),
        ("s3:GetObjectVersionAcl", f"{RAW}/*"),
        ("s3:GetObjectVersionTagging", f"{RAW}/*"),
        ("s3:ReplicateObject", "arn:aws:s3:::backup/*"),
        ("s3:ReplicateTags", "arn:aws:s3:::backup/*"),
    }


def test_only_the_timer_may_write_to_a_queue_from_outside(production: dict[str, Node]) -> None:
    granted = [
        statement
        for policy in of_type(production, "AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    [statement] = granted
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert text(statement["Resource"]) == "${StorageChangesDeadLetterQueue.Arn}"
    assert text(statement["Condition"]["StringEquals"]["aws:SourceAccount"]) == "${AWS::AccountId}"
