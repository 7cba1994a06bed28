"""An archive of CloudTrail on S3, backfilled into a stack by the command line, and judged by the gate of a job."""

import gzip
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from millrace.entrypoints.catalogs import load_catalog
from tests.e2e.cli import millrace

from ..opened import REGION, SURROUNDINGS
from .attending import attended
from .cloud import Cloud, deployed, functions_of
from .conftest import SOURCES
from .test_command_line import STACK
from .test_equality import log_files

CATALOG = "millrace.core.catalogs.cloudtrail:catalog"
BUCKET, PREFIX = "audit", "AWSLogs/123456789012/"
ARCHIVE = f"s3://{BUCKET}/{PREFIX}"
COUNTS = ("receipts", "events", "curated", "duplicate", "dead_lettered")


@pytest.fixture
def cloudtrail(tmp_path: Path) -> Iterator[Cloud]:
    """A stack whose catalog is that of CloudTrail, and beside it a bucket with log files as CloudTrail writes them."""
    pytest.importorskip("awslambdaric", reason="AWS's runtime client is for Linux")
    with ExitStack() as opened:
        opened.enter_context(patch.dict(os.environ, SURROUNDINGS))
        front, stack = opened.enter_context(deployed(Catalog=CATALOG))
        running = functions_of(front, stack, tmp_path, task_root=SOURCES, python=[sys.executable])
        cloud = Cloud(front, stack, opened.enter_context(running))
        cloud.prepare()
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for found in log_files(Random(3)):
            put(cloud, found.origin, found.body)
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}digest.txt", Body=b"no log file")
        s3.put_object(Bucket=BUCKET, Key="other/log.json", Body=b'{"Records": [{"eventName": "elsewhere"}]}')
        opened.enter_context(patch.dict(os.environ, cloud.surroundings()))
        yield cloud


def put(cloud: Cloud, name: str, body: bytes) -> None:
    key = f"{PREFIX}eu-west-1/2026/11/23/{name}.gz"
    cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(body))


def told(*arguments: str | Path, store: str = STACK, status: int = 0) -> Any:
    result = millrace(*arguments, "--catalog", CATALOG, "--store", store, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def counts(report: Any) -> list[int]:
    return [report[name] for name in COUNTS]


def held(store: str) -> dict[str, Any]:
    """Events, dead letters and views, but for the instants and receipts in which they came in."""
    unlike = ("curatedAt", "receipt", "index", "origin", "violations")
    rows: dict[str, Sequence[Any]] = {
        "events": told("events", "cloudtrail", store=store),
        "letters": told("dead-letters", "list", store=store),
    }
    known = {what: [{k: v for k, v in row.items() if k not in unlike} for row in rows[what]] for what in rows}
    return {**known, **{name: told("view", name, store=store) for name in load_catalog(CATALOG).views}}


def test_an_archive_on_s3_is_backfilled_once_and_a_job_over_it_is_stopped_by_the_gate(
    cloudtrail: Cloud, tmp_path: Path
) -> None:
    backfill = ("backfill", ARCHIVE, "--source", "cloudtrail")
    assert told(*backfill, "--dry-run")["new"] == 67
    with attended(cloudtrail):
        report = told(*backfill)
    assert counts(report) == [6, 74, 67, 5, 2]
    local = f"file:{tmp_path / 'store'}"
    assert counts(told(*backfill, store=local)) == counts(report)
    assert held(STACK) == held(local)
    assert told("reconcile")["holds"]

    with attended(cloudtrail):
        assert counts(told(*backfill)) == [0, 0, 0, 0, 0]
    report = told("backfill", STACK, "--shard-size", "2")
    assert (report["state"], counts(report)) == ("succeeded", [6, 74, 67, 5, 2])
    cloudtrail.drain()
    assert held(STACK) == held(local)

    put(cloudtrail, "bad.json", b'{"Records": [{"eventName": 7}, {"eventName": 8}, {"eventName": 9}]}')
    with attended(cloudtrail):
        assert counts(told(*backfill)) == [1, 3, 0, 0, 3]
    before = held(STACK)
    result = millrace(
        "backfill", STACK, "--allowed-rejections", "0.02", "--catalog", CATALOG, "--store", STACK, "--json"
    )
    assert result.exit_code == 1
    assert "failed: DataQualityError: 5 of 77 events would be rejected" in result.stderr
    assert json.loads(result.stdout)["state"] == "failed"
    assert held(STACK) == before
    assert told("reconcile")["holds"]


def test_a_damaged_object_costs_a_dead_letter_and_is_named(cloudtrail: Cloud) -> None:
    key = f"{PREFIX}eu-west-1/2026/11/24/damaged.json.gz"
    cloudtrail.client("s3").put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(b'{"Records": []}' * 99)[:-9])
    with attended(cloudtrail):
        result = millrace(
            "backfill", ARCHIVE, "--source", "cloudtrail", "--catalog", CATALOG, "--store", STACK, "--json"
        )
    assert result.exit_code == 1
    assert counts(json.loads(result.stdout)) == [7, 75, 67, 5, 3]  # what is left of it is one dead letter
    assert f"s3://{BUCKET}/{key} is cut off" in result.stderr
    assert told("reconcile")["holds"]
