"""An account without AWS: requests are answered by botocore's hook ``before-send``, for Millrace and rivals alike."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NamedTuple
from unittest.mock import patch
from zlib import crc32

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.loaders import create_loader

from millrace.adapters.aws.clients import Clients
from millrace.adapters.system import RandomReceiptIds
from millrace.core.records import RawObject, Receipt
from millrace.entrypoints.lambdas import wiring
from millrace.entrypoints.lambdas.settings import Settings
from tests.benchmarks.catalog import catalog
from tests.benchmarks.workload import each_line

REGION = "eu-west-1"
TABLE = "CuratedEvents"
SURROUNDINGS = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_SESSION_TOKEN": "benchmark",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
SETTINGS = Settings(
    catalog="tests.benchmarks.catalog:catalog",
    raw_bucket="raw",
    analysis_bucket="analysis",
    curated_table=TABLE,
    identities_table="Identities",
    views_table="Views",
    ledger_table="Ledger",
    queue_url=f"https://sqs.{REGION}.amazonaws.com/123456789012/processing-queue",
    dlq_url=f"https://sqs.{REGION}.amazonaws.com/123456789012/processing-dlq",
    environment="benchmark",
)

_LOADER = create_loader()


class Call(NamedTuple):
    """A request that was answered, and when (monotonic seconds)."""

    operation: str
    body: Any
    answered: float


class Account:
    """Answers what is asked as DynamoDB, S3 and SQS do when all goes well, and keeps the requests.

    ``delay``: seconds that a call of a service ("s3") takes, drawn for each. ``told``: who gets the requests instead.
    """

    def __init__(self, delay: Callable[[str], float] | None = None, told: Callable[[Call], None] | None = None) -> None:
        self.calls: list[Call] = []
        self._delay, self._told = delay, told or self.calls.append
        # x-amz-crc32 as DynamoDB sends it with every answer: both sides check it.
        json_headers = {"content-type": "application/x-amz-json-1.0"}
        none_found = b'{"Responses":{},"UnprocessedKeys":{}}'
        self._answers = {
            "dynamodb": _answer(b"{}", {**json_headers, "x-amz-crc32": str(crc32(b"{}"))}),
            "dynamodb BatchGetItem": _answer(none_found, {**json_headers, "x-amz-crc32": str(crc32(none_found))}),
            "s3": _answer(b"", {"etag": '"0"'}),
            "sqs": _answer(b'{"MessageId":"m"}', json_headers),
        }

    def session(self) -> botocore.session.Session:
        """A session whose clients ask this account."""
        session = botocore.session.Session()
        session.register_component("data_loader", _LOADER)
        session.get_component("event_emitter").register_first("before-send", self._before_send)
        return session

    def clients(self, **arguments: Any) -> Clients:
        """Millrace's clients."""
        return Clients(REGION, session=self.session(), **arguments)

    def services(self) -> wiring.StackServices:
        """The services of a function's process."""
        services = wiring.StackServices(SETTINGS)
        services._clients = self.clients()
        return services

    def bodies(self, operation: str) -> list[Any]:
        """The JSON bodies of an operation's requests; they are forgotten."""
        found = [json.loads(call.body) for call in self.calls if call.operation == operation]
        self.calls.clear()
        return found

    def _before_send(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        service, operation = event_name.split(".")[1:]
        if self._delay is not None:
            time.sleep(self._delay(service))
        self._told(Call(operation, request.body, time.monotonic()))
        return self._answers.get(f"{service} {operation}") or self._answers[service]


class _Content:
    """The body of an answer, as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content


def _answer(content: bytes, headers: Mapping[str, str]) -> AWSResponse:
    answer = AWSResponse("https://answered.invalid/", 200, dict(headers), _Content(content))  # type: ignore[arg-type]
    assert answer.content == content  # read once, so that threads may share it
    return answer


@contextmanager
def functions(services: wiring.Services) -> Iterator[None]:
    """Let the functions of this process work with these services and print to nowhere."""
    wiring.use(services, SETTINGS)
    try:
        with patch.dict(os.environ, SURROUNDINGS), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            yield
    finally:
        wiring.use(None)


@contextmanager
def one_processor() -> Iterator[None]:
    """Let this thread and those it starts have one processor, as the functions have at 1,769 MB: on two, threads that
    find their answers canned would fight for the interpreter. Where the system cannot do it, nothing happens.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def events(count: int) -> list[bytes]:
    """Distinct events."""
    return [*dict.fromkeys(each_line(count + count // 20 + 100))][:count]


def bodies(count: int, size: int) -> list[bytes]:
    """Bodies of requests with ``size`` distinct events each, JSON arrays, ``count`` of them."""
    all_events = events(count * size)
    return [b"[" + b",".join(all_events[at : at + size]) + b"]" for at in range(0, count * size, size)]


def receipts(documents: Sequence[bytes]) -> list[RawObject]:
    """What ingestion makes of these bodies."""
    ids, now = RandomReceiptIds(), time.time_ns() // 1000
    return [
        RawObject(
            Receipt(
                id=ids.new(now),
                received_at=now,
                content_type="application/json",
                origin="request",
                source="benchmark",
                catalog=catalog.name,
            ),
            body,
        )
        for body in documents
    ]
