"""Stacks in moto's in-process mock, made from the template, and platforms on them. Knows nothing of pytest."""

import ast
import copy
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import attrs
import botocore.loaders
from click.testing import Result
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.s3.utils import _VersionedKeyStore
from moto.sqs.models import SQSBackend, sqs_backends

from millrace.adapters.aws.account import Account
from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.stack import stack_outputs, stack_resources
from millrace.adapters.aws.store import open_aws
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.catalogs import retail
from millrace.entrypoints.ops.stack import Stack
from millrace.entrypoints.platform import Platform
from tests.aws.e2e.compare import impatient, sample_chunks
from tests.aws.e2e.serial import mend_streams
from tests.aws.e2e.stack import Stack as Deployed
from tests.aws.e2e.stack import deploy
from tests.aws.opened import _LOADER, REGION, SURROUNDINGS, _one_at_a_time, new_session
from tests.e2e.cli import millrace

ACCOUNT = "123456789012"
KEYS = {
    "CuratedTable": ("eventType", "eventTime"),
    "IdentitiesTable": ("identity",),
    "ViewsTable": ("view", "row"),
    "LedgerTable": ("shard", "receipt"),
}


@attrs.frozen
class Stand:
    """A stack, the platform on it, and clients that see what is there."""

    stack: Stack
    platform: Platform
    deployed: Deployed
    clients: Clients

    def __getitem__(self, output: str) -> str:
        return self.stack.outputs[output]

    def client(self, service: str) -> Any:
        return self.clients.get(service)

    def ingest(self, events: int = 60, *, seed: int = 7, at_once: int = 20) -> None:
        """Take in sample events, with duplicates and broken ones among them, and process all."""
        for chunk in sample_chunks(events, seed=seed, at_once=at_once):
            self.platform.ingest.chunk(chunk.body, source="shop", content_type=chunk.content_type, origin=chunk.origin)
        for _ in self.platform.work.drain():
            pass

    def items(self, output: str) -> list[dict[str, Any]]:
        """All items of a table."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self[output], ConsistentRead=True)
        return [item for page in pages for item in page["Items"]]

    def delete(self, output: str, items: Iterable[dict[str, Any]]) -> None:
        """Delete items of a table."""
        for item in items:
            key = {name: item[name] for name in KEYS[output]}
            self.client("dynamodb").delete_item(TableName=self[output], Key=key)

    def objects(self, bucket: str, prefix: str = "") -> list[str]:
        """The keys of a bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def bucket(self, name: str) -> str:
        """A new bucket with versions."""
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        _keep_versions(self.clients, name)
        return name

    @contextmanager
    def without_raw_log(self) -> Iterator[None]:
        """The raw log is gone for as long as the block lasts."""
        buckets = s3_backends[ACCOUNT]["aws"].buckets
        kept = buckets[self["RawBucket"]].keys
        buckets[self["RawBucket"]].keys = _VersionedKeyStore()
        try:
            yield
        finally:
            buckets[self["RawBucket"]].keys = kept

    def empty(self) -> None:
        """Everything but the raw log is gone."""
        for output in KEYS:
            self.delete(output, self.items(output))
        for output in ("QueueUrl", "DlqUrl", "ChangesDlqUrl"):
            queue = sqs_backends[ACCOUNT][REGION].queues[self[output].rpartition("/")[2]]
            queue._messages.clear()
        s3_backends[ACCOUNT]["aws"].buckets[self["AnalysisBucket"]].keys = _VersionedKeyStore()

    def ops(self, *arguments: str | int, code: int = 0) -> Result:
        """The result of ``millrace ops …`` on this stack."""
        result = millrace("ops", *arguments, "--store", f"aws:{self.stack.name}")
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    def told(self, *arguments: str | int, code: int = 0) -> Any:
        """What it says in JSON."""
        return json.loads(self.ops(*arguments, "--json", code=code).stdout)


def snapshot() -> Callable[[], None]:
    """A function that puts tables, backups, queues and buckets of the account back to what they hold now."""
    tables, buckets = dynamodb_backends[ACCOUNT][REGION], s3_backends[ACCOUNT]["aws"].buckets
    queues = sqs_backends[ACCOUNT][REGION].queues
    kept = copy.deepcopy((tables.tables, tables.backups))
    objects = {name: _copied(bucket.keys) for name, bucket in buckets.items()}
    messages = {name: [*queue._messages] for name, queue in queues.items()}

    def back() -> None:
        tables.tables, tables.backups = copy.deepcopy(kept)
        for name, bucket in buckets.items():
            bucket.keys = _copied(objects[name])
            vars(bucket).pop("replication", None)
        for name, queue in queues.items():
            queue._messages[:] = messages[name]
            queue._pending_messages.clear()
            for message in queue._messages:
                message.change_visibility(0)

    return back


def _keep_versions(clients: Clients, bucket: str) -> None:
    """Deleted objects stay behind a marker; of buckets without versions moto closes them, also for ``snapshot``."""
    clients.get("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def _mend_policies(clients: Clients) -> None:
    """Write the policies of roles as JSON; moto's CloudFormation keeps them as Python writes a dictionary."""
    iam = clients.get("iam")
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            if isinstance(document, str):
                text = json.dumps(ast.literal_eval(document))
                iam.put_role_policy(RoleName=role["RoleName"], PolicyName=name, PolicyDocument=text)


def _copied(keys: Any) -> Any:
    """Objects by key, in another store: they themselves never change."""
    copied = _VersionedKeyStore()
    for key in keys:
        copied.setlist(key, [*keys.getlist(key)])
    return copied


@contextmanager
def standing(*environments: str) -> Iterator[list[Stand]]:
    """A mocked account with a stack for each environment, for as long as the block lasts; that of production is
    ``millrace``, others are ``millrace-ENVIRONMENT``.
    """
    mend_streams()
    serial = patch.object(BotocoreStubber, "process_request", _one_at_a_time)
    at_once = patch.object(SQSBackend, "receive_message", _without_waiting)
    # Reading the descriptions of the services is most of a command's time.
    shared = patch.object(botocore.loaders, "create_loader", lambda *_: _LOADER)
    with patch.dict(os.environ, SURROUNDINGS), serial, at_once, shared, mock_aws(), ExitStack() as opened:
        yield [_stand(environment, opened) for environment in environments]


_receive = SQSBackend.receive_message


def _without_waiting(queues: SQSBackend, name: str, count: int, seconds: int, *rest: Any) -> Any:
    """An empty queue says so at once: here nobody sends meanwhile, and one waits while the other asks."""
    return _receive(queues, name, count, 0, *rest)


def _stand(environment: str, opened: ExitStack) -> Stand:
    name = "millrace" if environment == "production" else f"millrace-{environment}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        deployed = deploy(None, name=name, Environment=environment)
    clients = Clients(REGION, session=new_session())
    resources = stack_resources(clients, name)
    stores = opened.enter_context(open_aws(resources, clients, shards=retail.catalog.shards, wait_seconds=0))
    stores = impatient(stores, clients, deployed)
    platform = Platform.assemble(retail.catalog, stores, SystemClock(), RandomReceiptIds())
    outputs = stack_outputs(clients, name)
    for output in KEYS:  # as the template has it, which moto's CloudFormation leaves out
        on = {"PointInTimeRecoveryEnabled": True}
        clients.get("dynamodb").update_continuous_backups(
            TableName=outputs[output], PointInTimeRecoverySpecification=on
        )
    _keep_versions(clients, outputs["RawBucket"])
    _mend_policies(clients)
    return Stand(Stack(name, Account(clients), outputs), platform, deployed, clients)
