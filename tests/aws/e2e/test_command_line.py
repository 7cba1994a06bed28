"""The command line on a deployed stack: ``--store aws:STACK-NAME``."""

import json
from pathlib import Path
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


def test_dead_letters_are_redriven_exported_and_purged(cloud: Cloud, tmp_path: Path) -> None:
    post(cloud, [purchase(1), purchase(2, currency="XXX"), purchase(3, currency="YYY")])
    cloud.drain()
    assert told("dead-letters", "redrive", "--dry-run")["same"] == 2
    assert told("dead-letters", "redrive", "--reason", "invalid", status=1)["same"] == 2
    letters = told("dead-letters", "list")
    assert [(letter["attempts"], letter["seen"]) for letter in letters] == [(2, 1), (2, 1)]
    out = tmp_path / "purged.ndjson"
    chosen = ("--fingerprint", letters[0]["fingerprint"], "--receipt", letters[0]["receipt"])
    assert told("dead-letters", "purge", *chosen, "--out", str(out), "--yes")["letters"] == 2
    assert [json.loads(json.loads(line)["document"])["eventId"] for line in out.read_text().splitlines()]
    assert told("dead-letters", "list") == []
    assert told("reconcile")["holds"] is True


def test_a_receipt_that_sqs_gave_up_is_redriven(cloud: Cloud) -> None:
    post(cloud, [purchase(1)])
    for message in cloud.empty("QueueUrl"):
        cloud.client("sqs").send_message(QueueUrl=cloud.stack.outputs["DlqUrl"], MessageBody=message["Body"])
    assert told("reconcile", status=1)["curated"] == 0
    report = told("dead-letters", "redrive")
    assert (report["returned"], report["returned_held"]) == (1, 0)
    assert told("reconcile")["curated"] == 1
    cloud.drain()
    assert [row["orders"] for row in told("view", "revenue")] == [1]
    assert told("dead-letters", "redrive")["returned"] == 0
