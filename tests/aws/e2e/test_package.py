"""The built package in AWS's own runtime client, where nothing else can be imported: real events in, right answers."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from millrace.core.jobs import JobSpec, State

from .cloud import Cloud
from .conftest import SOURCES
from .runtime import running
from .test_jobs import run
from .test_way import letters, post, purchase, rows

S3_EVENT: dict[str, Any] = {
    "Records": [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "eu-west-1",
            "eventTime": "2026-11-23T10:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "EXAMPLE"},
            "requestParameters": {"sourceIPAddress": "203.0.113.7"},
            "responseElements": {"x-amz-request-id": "EXAMPLE123456789"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "c",
                "bucket": {"name": "b", "arn": "arn:aws:s3:::b"},
                "object": {"key": "k", "size": 1, "eTag": "0", "sequencer": "0A1B2C3D4E5F678901"},
            },
        }
    ]
}


def test_it_answers_events_of_the_api_the_queue_the_stream_and_the_state_machine(packaged_cloud: Cloud) -> None:
    post(packaged_cloud, [purchase(1), purchase(2, currency="XXX")])
    packaged_cloud.drain()
    assert [row["eventId"] for row in rows(packaged_cloud, "/events/purchase")] == ["p-1"]
    assert rows(packaged_cloud, "/views/revenue")[0]["orders"] == 1
    assert [letter.reason for letter in letters(packaged_cloud)] == ["invalid"]
    checked = packaged_cloud.api.request("POST", "/validate", json.dumps([purchase(3)]).encode())
    assert checked.status == 200
    assert run(packaged_cloud, JobSpec(allowed_rejections=Decimal(1)), "packaged-1").state is State.SUCCEEDED
    assert rows(packaged_cloud, "/health")["status"] == "ok"


@pytest.mark.parametrize(
    "event",
    [S3_EVENT, {}, {"Records": []}, [], None, {"step": "invent"}, {"httpMethod": "POST"}],
    ids=["of S3", "empty", "no records", "a list", "null", "unknown step", "truncated"],
)
@pytest.mark.parametrize("name", ["ingestion", "validation", "transformation", "analytics", "query"])
def test_an_event_of_another_kind_is_an_explicit_failure(packaged_functions: Cloud, name: str, event: Any) -> None:
    answer = packaged_functions.invoke(f"{name}-lambda", event)
    assert answer.failed or answer.value.get("statusCode", 0) >= 400 or answer.value.get("batchItemFailures"), answer


@pytest.mark.parametrize("name", ["ingestion", "validation", "transformation", "analytics", "query"])
def test_a_missing_environment_variable_names_itself_at_the_start(functions: Cloud, name: str, tmp_path: Path) -> None:
    spec = functions.stack.function(f"{name}-lambda")
    missing = "MILLRACE_CURATED_TABLE" if name == "query" else "MILLRACE_RAW_BUCKET"
    environment = {key: value for key, value in spec.environment.items() if key != missing}
    with running(
        spec.name,
        spec.handler,
        {**functions.surroundings(), **environment},
        arn=spec.arn,
        task_root=SOURCES,
        folder=tmp_path,
        python=[sys.executable],
    ) as function:
        answer = function.invoke({})
    assert answer.failed
    assert missing in answer.value["errorMessage"]
