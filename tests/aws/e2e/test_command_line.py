"""The command line on a deployed stack: ``--store aws:STACK-NAME``."""

import json
from typing import Any

from tests.e2e.cli import millrace

from .cloud import Cloud
from .test_way import post, purchase

STACK = "aws:millrace"


def told(*arguments: str, status: int = 0) -> Any:
    """What a command on the stack says in JSON."""
    result = millrace(*arguments, "--json", "--store", STACK)
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def test_commands_read_what_the_functions_wrote(cloud: Cloud) -> None:
    post(cloud, [purchase(1), purchase(2, currency="XXX")])
    cloud.drain()
    assert [event["eventId"] for event in told("events", "purchase")] == ["p-1"]
    assert [row["orders"] for row in told("view", "revenue")] == [1]
    assert [(cause["reason"], cause["letters"]) for cause in told("dead-letters", "summary")] == [("invalid", 1)]
    assert told("reconcile")["curated"] == 1


def test_reconcile_finds_a_receipt_that_is_missing_and_repair_brings_it_back(cloud: Cloud) -> None:
    post(cloud, [purchase(1)])
    cloud.empty("QueueUrl")  # lost between the raw log and the ledger
    assert len(told("reconcile", status=1)["missing"]) == 1
    millrace("reconcile", "--repair", "--store", STACK)
    cloud.drain()
    assert told("reconcile")["curated"] == 1
