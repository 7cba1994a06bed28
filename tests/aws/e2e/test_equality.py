"""The AWS adapters and the embedded store come to the same, line by line."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from millrace.core.catalogs import cloudtrail, retail
from millrace.entrypoints.files import Chunk

from .compare import compared, sample_chunks


def kinds(lines: list[str]) -> set[str]:
    return {line.partition(" ")[0] for line in lines}


def test_sample_events_come_to_the_same_as_in_the_embedded_store() -> None:
    ours, theirs = compared(retail.catalog, sample_chunks(200, at_once=20), source="shop")
    assert ours.lines == theirs.lines
    assert kinds(ours.lines) == {"event", "view", "dead", "occurrences", "ledger", "account"}


def test_foreign_documents_come_to_the_same_as_in_the_embedded_store() -> None:
    ours, theirs = compared(cloudtrail.catalog, log_files(Random(3)), source="cloudtrail")
    assert ours.lines == theirs.lines
    assert kinds(ours.lines) == {"event", "view", "dead", "occurrences", "ledger", "account"}


def log_files(random: Random) -> Iterator[Chunk]:
    """Documents as CloudTrail writes them: out of order, one record twice, one that is none; one too large to go along
    in a message.
    """
    again = record(random, 0)
    for number in range(6):
        records: list[Any] = [record(random, 100 * number + place) for place in range(12)]
        records[number] = again
        if number == 2:
            records.append({"eventVersion": "1.08", "eventName": 7})
        if number == 3:
            records.append({**record(random, 990), "requestParameters": {"policy": "é" * 400_000}})
        yield Chunk(json.dumps({"Records": records}).encode(), "application/json", f"log-{number}.json", 1)


def record(random: Random, number: int) -> dict[str, Any]:
    service = random.choice(["s3", "sts", "dynamodb"])
    told = {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": random.choice(["IAMUser", "AssumedRole"]),
            "arn": f"arn:aws:iam::123456789012:user/u{random.randrange(4)}",
            "accountId": "123456789012",
            "sessionContext": {"attributes": {"mfaAuthenticated": "false"}},
        },
        "eventTime": f"2026-11-23T{random.randrange(3):02}:{random.randrange(60):02}:{random.randrange(60):02}Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": random.choice(["GetObject", "AssumeRole", "PutItem"]),
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.1",
        "requestParameters": {"bytes": random.random() * 1e9, "empty": None, "list": [{}, [], ""]},
        "requestID": f"request-{number}",
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "readOnly": random.random() < 0.5,
        "eventType": "AwsApiCall",
        "recipientAccountId": "123456789012",
    }
    return told | ({"errorCode": "AccessDenied", "errorMessage": "no"} if random.random() < 0.2 else {})
