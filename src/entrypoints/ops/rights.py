"""The rights that each role needs, in one table, and the rights that it was granted, compared with them.

The table is held against the source of the code, and the template against the table, by tests/deploy; at run time it
is held against what the roles are really granted, by whoever granted it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import attrs

from .findings import Report
from .stack import ALIAS, FUNCTIONS, Stack

MACHINE: Final = "machine"
EVERYWHERE: Final = "*"
FITS: Final = "fits"

_READ_RAW: Final = (("s3:GetObject", "raw objects"), ("s3:ListBucket", "raw bucket"))
_JOB_FILES: Final = (
    ("s3:GetObject", "job files"),
    ("s3:PutObject", "job files"),
    ("s3:ListBucket", "analysis bucket"),
)
_TRACES: Final = (("xray:PutTraceSegments", EVERYWHERE), ("xray:PutTelemetryRecords", EVERYWHERE))
_LOGS: Final = (("logs:CreateLogStream", "log streams"), ("logs:PutLogEvents", "log streams"), *_TRACES)

RIGHTS: Final[Mapping[str, frozenset[tuple[str, str]]]] = MappingProxyType(
    {
        "ingestion": frozenset(
            {("s3:GetObject", "raw objects"), ("s3:PutObject", "raw objects"), ("sqs:SendMessage", "queue"), *_LOGS}
        ),
        "validation": frozenset({*_READ_RAW, *_JOB_FILES, *_LOGS}),
        "transformation": frozenset(
            {
                *_READ_RAW,
                *_JOB_FILES,
                ("s3:GetObject", "archive files"),
                *(
                    ("dynamodb:" + verb, table)
                    for verb in ("GetItem", "PutItem")
                    for table in ("curated", "identities")
                ),
                ("dynamodb:BatchGetItem", "curated"),
                ("dynamodb:BatchGetItem", "views"),
                ("dynamodb:PutItem", "ledger"),
                ("sqs:SendMessage", "dead letters"),
                # What Lambda does with it for the queue.
                *(("sqs:" + verb, "queue") for verb in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")),
                *_LOGS,
            }
        ),
        "analytics": frozenset(
            {
                *_READ_RAW,
                *_JOB_FILES,
                ("s3:GetObject", "archive files"),
                ("dynamodb:BatchGetItem", "views"),
                ("dynamodb:PutItem", "views"),
                ("dynamodb:BatchGetItem", "ledger"),
                ("dynamodb:Query", "ledger"),
                ("dynamodb:Query", "curated"),
                ("dynamodb:Scan", "curated"),
                ("sqs:SendMessage", "queue"),
                # What Lambda does with it for the stream.
                *(
                    ("dynamodb:" + verb, "streams")
                    for verb in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
                ),
                ("sqs:SendMessage", "undelivered changes"),
                *_LOGS,
            }
        ),
        "query": frozenset(
            {
                ("dynamodb:Query", "curated"),
                ("dynamodb:Query", "views"),
                ("dynamodb:BatchGetItem", "views"),
                *_LOGS,
            }
        ),
        MACHINE: frozenset(
            {
                *(("lambda:InvokeFunction", f"{name} alias") for name in ("validation", "transformation", "analytics")),
                ("s3:GetObject", "manifests"),
                ("sqs:SendMessage", "dead letters"),
                ("states:StartExecution", "state machine"),
                *(
                    (f"states:{verb}Execution", runs)
                    for verb in ("Describe", "Stop", "Redrive")
                    for runs in ("executions", "map runs")
                ),
                # Deliveries of logs have no resource.
                *((f"logs:{verb}LogDelivery", EVERYWHERE) for verb in ("Create", "Get", "Update", "Delete")),
                *(
                    (f"logs:{verb}", EVERYWHERE)
                    for verb in (
                        "ListLogDeliveries",
                        "PutResourcePolicy",
                        "DescribeResourcePolicies",
                        "DescribeLogGroups",
                    )
                ),
                *_TRACES,
            }
        ),
    }
)
"""For each function, and the state machine: actions of IAM, and in words on what."""


def places(stack: Stack, role: str) -> Mapping[str, str]:
    """The ARN of each thing that the table names; ``role``: whose logs "log streams" are."""
    outputs = stack.outputs
    partition, region, account = (outputs["StateMachineArn"].split(":")[at] for at in (1, 3, 4))

    def here(service: str, rest: str) -> str:
        return f"arn:{partition}:{service}:{region}:{account}:{rest}"

    raw, analysis = (f"arn:{partition}:s3:::{outputs[name]}" for name in ("RawBucket", "AnalysisBucket"))
    machine = outputs["StateMachineArn"]
    executions = machine.replace(":stateMachine:", ":execution:")
    curated = here("dynamodb", f"table/{outputs['CuratedTable']}")
    found = {
        EVERYWHERE: EVERYWHERE,
        "raw bucket": raw,
        "raw objects": f"{raw}/raw/*",
        "analysis bucket": analysis,
        "job files": f"{analysis}/jobs/*",
        "manifests": f"{analysis}/jobs/*/manifest.json",
        "archive files": f"{analysis}/archive/*",
        "curated": curated,
        "streams": f"{curated}/stream/*",
        "identities": here("dynamodb", f"table/{outputs['IdentitiesTable']}"),
        "views": here("dynamodb", f"table/{outputs['ViewsTable']}"),
        "ledger": here("dynamodb", f"table/{outputs['LedgerTable']}"),
        "queue": here("sqs", outputs["QueueUrl"].rpartition("/")[2]),
        "dead letters": here("sqs", outputs["DlqUrl"].rpartition("/")[2]),
        "undelivered changes": here("sqs", outputs["ChangesDlqUrl"].rpartition("/")[2]),
        "state machine": machine,
        "executions": f"{executions}:*",
        "map runs": f"{executions}/*",
    }
    found |= {f"{name} alias": here("lambda", f"function:{stack.function(name)}:{ALIAS}") for name in FUNCTIONS}
    if role != MACHINE:
        found["log streams"] = here("logs", f"log-group:{stack.log_group(stack.function(role))}:*")
    return found


class Pair(NamedTuple):
    """An action and the resource it is on, each perhaps with wildcards."""

    action: str
    resource: str

    def covers(self, other: "Pair") -> bool:
        """Whether this grants the other; as IAM matches: actions in any case, "*" for anything, "?" for a character."""
        return fnmatchcase(other.action.lower(), _escaped(self.action.lower())) and fnmatchcase(
            other.resource, _escaped(self.resource)
        )


@attrs.frozen(kw_only=True)
class Granted:
    """What a role's policies say. ``unclear`` are statements that no list of pairs can stand for."""

    pairs: frozenset[Pair]
    unclear: Sequence[str] = ()


@attrs.frozen(kw_only=True)
class Verdict:
    """What of a role's rights is as it should be, and what is not."""

    missing: Sequence[Pair]
    unused: Sequence[Pair]
    wider: Sequence[Pair]
    fitting: Sequence[Pair]


def granted(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> Granted:
    """The pairs that policy documents, each with its name, allow."""
    pairs: set[Pair] = set()
    unclear: list[str] = []
    for name, document in documents:
        for number, statement in enumerate(_listed(document.get("Statement", []))):
            place = f"{name}, statement {statement.get('Sid') or number + 1}"
            if statement.get("Effect") != "Allow":
                unclear.append(f"{place} denies something")
            elif "NotAction" in statement or "NotResource" in statement:
                unclear.append(f"{place} allows all but something")
            else:
                pairs |= {
                    Pair(action, resource)
                    for action in _listed(statement.get("Action", []))
                    for resource in _listed(statement.get("Resource", []))
                }
                if statement.get("Condition"):
                    unclear.append(f"{place} has a condition")
    return Granted(pairs=frozenset(pairs), unclear=unclear)


def judged(needed: Iterable[Pair], has: Iterable[Pair]) -> Verdict:
    """Rights that are needed and not granted, granted and not needed, or granted on more than what is needed."""
    wanted, given = sorted({*needed}), sorted({*has})
    fitting = [pair for pair in given if pair in {*wanted}]
    others = [pair for pair in given if pair not in {*wanted}]
    wider = [pair for pair in others if any(pair.covers(one) for one in wanted)]
    return Verdict(
        missing=[one for one in wanted if not any(pair.covers(one) for pair in given)],
        unused=[pair for pair in others if pair not in wider],
        wider=wider,
        fitting=fitting,
    )


def audit(stack: Stack) -> Report:
    """Every role of the stack's functions and of its state machine, as it is now."""
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    for role, name in _roles(stack):
        where = places(stack, role)
        has = granted(_documents(stack, name))
        verdict = judged((Pair(action, where[place]) for action, place in RIGHTS[role]), has.pairs)
        for finding, pairs in (
            ("missing", verdict.missing),
            ("unused", verdict.unused),
            ("wider than needed", verdict.wider),
            (FITS, verdict.fitting),
        ):
            rows += [
                {"of": role, "role": name, "finding": finding, "action": pair.action, "resource": pair.resource}
                for pair in pairs
            ]
        wrong += [f"{name} may not {pair.action} on {pair.resource}, which {role} needs" for pair in verdict.missing]
        wrong += [f"{name} may {pair.action} on {pair.resource}, which {role} does not need" for pair in verdict.unused]
        wrong += [f"{name} may {pair.action} on {pair.resource}, more than {role} needs" for pair in verdict.wider]
        wrong += [f"{name}: {sentence}, which nobody declared" for sentence in has.unclear]
    return Report("Rights", ("of", "role", "finding", "action", "resource"), rows, wrong)


# ------------------------------------------------------------------------------------------------------------- parts


def _roles(stack: Stack) -> Iterator[tuple[str, str]]:
    for role in FUNCTIONS:
        told = stack.ask("lambda", "get_function_configuration", FunctionName=stack.function(role))
        yield role, str(told["Role"]).rpartition("/")[2]
    told = stack.ask("stepfunctions", "describe_state_machine", stateMachineArn=stack.outputs["StateMachineArn"])
    yield MACHINE, str(told["roleArn"]).rpartition("/")[2]


def _documents(stack: Stack, role: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The policies of a role, those within it and those attached to it."""
    for name in stack.account.pages("iam", "list_role_policies", "PolicyNames", RoleName=role):
        yield name, stack.ask("iam", "get_role_policy", RoleName=role, PolicyName=name)["PolicyDocument"]
    for policy in stack.account.pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role):
        arn = policy["PolicyArn"]
        version = stack.ask("iam", "get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = stack.ask("iam", "get_policy_version", PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        yield policy["PolicyName"], document


def _escaped(pattern: str) -> str:
    """A pattern of IAM as one of ``fnmatch``, which knows "[" besides."""
    return pattern.replace("[", "[[]")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
