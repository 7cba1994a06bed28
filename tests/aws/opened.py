"""Buckets, queues and a state machine on moto's in-process mock, and the adapters over them. Knows nothing of pytest.

Tables are made by those who need them, with ``create_tables(account.clients.get("dynamodb"))`` of ``tables``.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any
from unittest.mock import patch

import attrs
import botocore.session
from botocore.awsrequest import AWSPreparedRequest
from botocore.loaders import create_loader
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.sqs.models import sqs_backends

from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.dead_letters import SqsDeadLetters
from millrace.adapters.aws.files import S3Files
from millrace.adapters.aws.messages import MAX_MESSAGE
from millrace.adapters.aws.orchestrator import StepFunctionsOrchestrator
from millrace.adapters.aws.queue import SqsQueue
from millrace.adapters.aws.raw import S3Raw
from millrace.adapters.aws.sweep import Sweep

from .calls import Calls

REGION = "eu-west-1"
MAX_RECEIVES = 5
"""Deliveries of a message of the processing queue before SQS moves it to the dead-letter queue."""
SURROUNDINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
MACHINE = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
"""A definition that moto, which runs nothing unless told to, only has to accept."""

_LOADER = create_loader()


_answer = BotocoreStubber.process_request
_answering = RLock()


def _one_at_a_time(stubber: BotocoreStubber, request: AWSPreparedRequest) -> Any:
    """The answer of moto, whose backends are not made for threads: they would fail, or two would win one race."""
    with _answering:
        return _answer(stubber, request)


def no_sleep(seconds: float) -> None:
    """Between tries no time need pass here."""


def new_session() -> botocore.session.Session:
    """A session that shares the descriptions of the services with all others: reading them is most of a test's time."""
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    return session


@attrs.frozen
class Account:
    """A mocked account: clients whose calls are recorded and others, two buckets, and two queues."""

    clients: Clients
    calls: Calls
    unrecorded: Clients
    raw_bucket: str
    analysis_bucket: str
    queue_url: str
    dlq_url: str

    def another(self, **arguments: Any) -> Clients:
        """Clients of another process in the same account; nothing they do is recorded."""
        return Clients(session=new_session(), **arguments)

    def raw(self) -> S3Raw:
        """The raw log."""
        return S3Raw(self.clients, self.raw_bucket)

    def job_files(self) -> S3Files:
        """The files of jobs."""
        return S3Files(self.clients, self.analysis_bucket, "jobs")

    def queue(self, **arguments: Any) -> SqsQueue:
        """The processing queue; an empty one is said to be empty at once."""
        return SqsQueue(self.clients, self.queue_url, **{"wait_seconds": 0, "sleep": no_sleep, **arguments})

    def dead_letters(self, clients: Clients | None = None, **arguments: Any) -> SqsDeadLetters:
        """The dead letters, read without waiting: ``arguments`` are those of ``Sweep``."""
        chosen = clients or self.clients
        settings = {"wait_seconds": 0, "patience": 0.0, "sleep": no_sleep, **arguments}
        sweep = Sweep(chosen, self.dlq_url, "the DLQ", **settings)
        return SqsDeadLetters(chosen, self.dlq_url, sweep=sweep, sleep=no_sleep)

    def pass_time(self, queue_url: str) -> None:
        """Let the time be up for which the messages of a queue are hidden."""
        queues = sqs_backends["123456789012"][REGION]
        for message in queues.get_queue(queue_url.rpartition("/")[2])._messages:
            message.change_visibility(0)

    def orchestrator(self, definition: Any = MACHINE) -> StepFunctionsOrchestrator:
        """Jobs on a new state machine."""
        made = self.clients.get("stepfunctions").create_state_machine(
            name="DataProcessing", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/machine"
        )
        self.calls.clear()
        return StepFunctionsOrchestrator(self.clients, made["stateMachineArn"])


@contextmanager
def mocked_account(*, attempts: int = 1, visibility_seconds: int = 30, config: Any = None) -> Iterator[Account]:
    """A fresh account for as long as the block lasts. ``attempts`` are botocore's, which sleeps between them.

    ``config`` is moto's.
    """
    serial = patch.object(BotocoreStubber, "process_request", _one_at_a_time)
    with patch.dict(os.environ, SURROUNDINGS), serial, mock_aws(config=config):
        calls = Calls()
        clients = Clients(REGION, attempts=attempts, session=calls.attach(new_session()))
        s3, sqs = clients.get("s3"), clients.get("sqs")
        names = ("millrace-raw", "millrace-analysis")
        for bucket in names:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        size = {"MaximumMessageSize": str(MAX_MESSAGE)}
        settings = {**size, "VisibilityTimeout": str(visibility_seconds)}
        dlq = sqs.create_queue(QueueName="processing-dlq", Attributes=size)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        settings["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES})
        queue = sqs.create_queue(QueueName="processing-queue", Attributes=settings)["QueueUrl"]
        calls.clear()
        unrecorded = Clients(REGION, session=new_session())
        yield Account(clients, calls, unrecorded, *names, queue, dlq)
        clients.close()
        unrecorded.close()
