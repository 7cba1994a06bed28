"""Cold start of ingestion-lambda's package in the real runtime client, against a handler that only has boto3."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import NamedTuple

import msgspec

from tests.aws.e2e.package import NoUv, Package, build
from tests.aws.e2e.runtime import running
from tests.deploy.stacks import DEPLOY
from tests.lambdas.arriving import api_event

from .account import REGION, SETTINGS, SURROUNDINGS
from .loopback import serving

RIVAL = """
import boto3

client = boto3.client("{service}")


def handler(event, context):
    return {{"statusCode": 202}}
"""
"""It imports boto3 and makes one client, of a service that ingestion-lambda has a client of, too. It calls nothing."""

EVENT = {
    "eventType": "purchase",
    "eventId": "p-1",
    "eventTime": "2026-11-23T10:00:00Z",
    "source": "shop",
    "schemaVersion": 2,
    "data": {"order_id": "o-1", "customer_id": "c-1", "amount": "12.50", "currency": "EUR"},
}
ENVIRONMENT = {
    "MILLRACE_CATALOG": "millrace.core.catalogs.retail:catalog",
    "MILLRACE_RAW_BUCKET": SETTINGS.raw_bucket,
    "MILLRACE_QUEUE_URL": SETTINGS.queue_url,
}
ARN = f"arn:aws:lambda:{REGION}:123456789012:function:ingestion-lambda:prod"


class Start(NamedTuple):
    """A function: its handler, the folder it runs in, and its environment."""

    handler: str
    task_root: Path
    environment: Mapping[str, str]


class ColdStarts(NamedTuple):
    """Medians of the ratios; seconds of each; bytes of the package as zip file."""

    to_s3: float
    to_sqs: float
    seconds: Mapping[str, float]
    zipped: int


def compare(rounds: int) -> ColdStarts:
    """From the start of the process to the answer of its first invocation, taking turns.

    ingestion-lambda is given a real event of the API and answers 202, with S3 and SQS on loopback; the rivals, one
    with a client of S3 and one with a client of SQS, are asked for nothing but an answer. Raises ``NoUv``.
    """
    with TemporaryDirectory() as folder, serving() as url:
        package = build(Path(folder))
        rival = _rival(Path(folder) / "rival")
        surroundings = {**SURROUNDINGS, "AWS_ENDPOINT_URL": url}
        starts = {
            "Millrace": Start(
                "millrace.entrypoints.lambdas.ingestion.handler", package.tree, {**surroundings, **ENVIRONMENT}
            ),
            "s3": Start("with_s3.handler", rival, surroundings),
            "sqs": Start("with_sqs.handler", rival, surroundings),
        }
        measured = [
            {name: _seconds(start, package, Path(folder)) for name, start in starts.items()} for _ in range(rounds + 1)
        ][1:]  # the first round reads files that later ones find in memory
        return ColdStarts(
            median(one["Millrace"] / one["s3"] for one in measured),
            median(one["Millrace"] / one["sqs"] for one in measured),
            {name: median(one[name] for one in measured) for name in starts},
            (Path(folder) / "host.zip").stat().st_size,
        )


def _seconds(start: Start, package: Package, folder: Path) -> float:
    event = api_event(body=msgspec.json.encode([EVENT]))
    begun = perf_counter()
    with running(
        "ingestion-lambda",
        start.handler,
        start.environment,
        arn=ARN,
        task_root=start.task_root,
        path=[package.runtime],
        folder=folder,
        python=package.python,
    ) as function:
        answer = function.invoke(event)
        seconds = perf_counter() - begun
        sleep(0.05)  # until it asks for the next event: killed before, it would leave a broken connection
    assert not answer.failed, answer.payload
    assert answer.value["statusCode"] == 202, answer.payload
    return seconds


def _rival(folder: Path) -> Path:
    """boto3 and what it needs, at the versions that the tests have, compiled as the package is."""
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        raise NoUv("uv is not installed")
    pins = DEPLOY.parent / "requirements" / "dev.txt"
    target = ["--python", sys.executable, "--target", str(folder), "--constraint", str(pins)]
    _run(str(uv), "pip", "install", "--quiet", "--only-binary", ":all:", *target, "boto3")
    for service in ("s3", "sqs"):
        (folder / f"with_{service}.py").write_text(RIVAL.format(service=service))
    _run(sys.executable, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", str(folder))
    return folder


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, env={"UV_SYSTEM_CERTS": "true", **os.environ})
