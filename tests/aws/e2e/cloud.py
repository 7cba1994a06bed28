"""``Cloud``: the whole of it for a test: moto with the stack, each of its functions in a process, the API, pollers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.store import open_aws
from millrace.core.ports import Stores

from ..opened import REGION, SURROUNDINGS
from .api import Api
from .compare import impatient
from .front import Front, serving
from .pollers import QueuePoller, StreamPoller
from .runtime import Answer, Function, running
from .server import moto_server
from .stack import Stack, client, deploy

DYNAMODB = "DynamoDB_20120810"
"""The prefix of what is asked of DynamoDB, for ``Front.down``."""


@attrs.define
class Cloud:
    """What was deployed, at work."""

    front: Front
    stack: Stack
    functions: Mapping[str, Function]
    api: Api = attrs.field(init=False)
    queue: QueuePoller = attrs.field(init=False)
    changes: StreamPoller = attrs.field(init=False)
    _clients: dict[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        sqs, streams = self.client("sqs"), self.client("dynamodbstreams")
        self.api = Api(self.stack, self.invoke)
        self.queue = QueuePoller(self.stack.mapping("sqs"), sqs, self.stack.outputs["QueueUrl"], self.invoke)
        self.changes = StreamPoller(self.stack.mapping("dynamodb"), streams, self.invoke)

    def invoke(self, name: str, event: Any) -> Answer:
        """Invoke the function of that name or ARN."""
        return self.functions[self.stack.function(name).name].invoke(event)

    def client(self, service: str) -> Any:
        """A client of the tests' own."""
        if service not in self._clients:
            self._clients[service] = client(service, self.front.moto_url)
        return self._clients[service]

    @contextmanager
    def stores(self) -> Iterator[Stores]:
        """The stores over the stack, for as long as the block lasts. The environment must be ``surroundings()``."""
        clients = Clients(REGION)
        with open_aws(self.stack.resources, clients, wait_seconds=0) as stores:
            yield impatient(stores, clients, self.stack)

    def surroundings(self) -> dict[str, str]:
        """The environment variables that lead to this moto."""
        return {**SURROUNDINGS, "AWS_ENDPOINT_URL": self.front.moto_url}

    def drain(self) -> None:
        """Let everything that waits go its way: messages first, then the changes they made."""
        self.queue.drain()
        self.changes.drain()

    def empty(self, queue: str) -> list[dict[str, Any]]:
        """Take every visible message out of a queue ("QueueUrl", "DlqUrl"); returns them."""
        sqs, url = self.client("sqs"), self.stack.outputs[queue]
        taken: list[dict[str, Any]] = []
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
            "Messages"
        ):
            for message in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += found
        return taken

    def prepare(self) -> None:
        """Make it as if nothing had ever come in, and let moto's calls of functions come here."""
        self.front.invoke = self.invoke
        self.front.down.clear()
        s3, dynamodb = self.client("s3"), self.client("dynamodb")
        self.queue.expire()
        for queue in ("QueueUrl", "DlqUrl"):
            self.empty(queue)
        for bucket in (self.stack.outputs["RawBucket"], self.stack.outputs["AnalysisBucket"]):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for found in page.get("Contents", []):
                    s3.delete_object(Bucket=bucket, Key=found["Key"])
        for name in ("CuratedTable", "IdentitiesTable", "ViewsTable", "LedgerTable"):
            table = self.stack.outputs[name]
            keys = [key["AttributeName"] for key in dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
            for page in dynamodb.get_paginator("scan").paginate(TableName=table):
                for item in page["Items"]:
                    dynamodb.delete_item(TableName=table, Key={key: item[key] for key in keys})
        self.changes.skip()


@contextmanager
def deployed(**parameters: str) -> Iterator[tuple[Front, Stack]]:
    """Moto with the stack in it behind a front, for as long as the block lasts. The environment must be
    ``SURROUNDINGS``.
    """
    with serving() as front, moto_server(front.port) as port:
        front.moto = port
        yield front, deploy(front.moto_url, **parameters)


@contextmanager
def functions_of(
    front: Front, stack: Stack, folder: Path, *, task_root: Path, path: Sequence[Path] = (), python: Sequence[str]
) -> Iterator[dict[str, Function]]:
    """The stack's functions running in ``task_root``, for as long as the block lasts; ``folder`` has the logs.

    What functions ask of DynamoDB goes through the front, which can be told that DynamoDB is down.
    """
    endpoints = {"AWS_ENDPOINT_URL": front.moto_url, "AWS_ENDPOINT_URL_DYNAMODB": front.url}
    with ExitStack() as opened:
        yield {
            spec.name: opened.enter_context(
                running(
                    spec.name,
                    spec.handler,
                    {**SURROUNDINGS, **endpoints, **spec.environment},
                    arn=spec.arn,
                    task_root=task_root,
                    path=path,
                    folder=folder,
                    python=python,
                )
            )
            for spec in stack.functions
        }
