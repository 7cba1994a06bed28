"""Opening the stores of one stack: every port over the resources that the stack names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs

from ...core.ports import Stores
from .clients import Clients
from .curated import DynamoCurated
from .dead_letters import SqsDeadLetters
from .dynamodb import DynamoDB
from .feed import DynamoFeed
from .files import S3Files
from .identities import DynamoIdentities
from .ledger import DynamoLedger
from .queue import WAIT_SECONDS, SqsQueue
from .raw import S3Raw
from .views import DynamoViews


@attrs.frozen(kw_only=True)
class Resources:
    """The names of a stack's resources. A function that has no use for one may leave it empty."""

    raw_bucket: str
    analysis_bucket: str
    curated_table: str
    identities_table: str
    views_table: str
    ledger_table: str
    queue_url: str
    dlq_url: str
    state_machine_arn: str


@contextmanager
def open_aws(
    resources: Resources, clients: Clients, *, shards: Mapping[str, int] | None = None, wait_seconds: int = WAIT_SECONDS
) -> Iterator[Stores]:
    """The stores of a stack, for as long as the block lasts. Nothing is asked of AWS before a port is used.

    ``shards``: of each type with a hot key, how many partitions it is spread over (``Catalog``). ``wait_seconds``:
    how long a receive waits for a message.
    """
    database = DynamoDB(clients)
    try:
        yield stores_of(resources, clients, database, shards=shards, wait_seconds=wait_seconds)
    finally:
        database.close()
        clients.close()


def stores_of(
    resources: Resources,
    clients: Clients,
    database: DynamoDB,
    *,
    shards: Mapping[str, int] | None = None,
    wait_seconds: int = WAIT_SECONDS,
) -> Stores:
    """``open_aws`` for a process that keeps its connections for life, as a Lambda function does."""
    identities = DynamoIdentities(database, resources.identities_table)
    return Stores(
        raw=S3Raw(clients, resources.raw_bucket),
        curated=DynamoCurated(database, resources.curated_table, identities, shards),
        feed=DynamoFeed(clients, resources.curated_table),
        views=DynamoViews(database, resources.views_table),
        ledger=DynamoLedger(database, resources.ledger_table),
        queue=SqsQueue(clients, resources.queue_url, wait_seconds=wait_seconds),
        dead_letters=SqsDeadLetters(clients, resources.dlq_url),
        job_files=S3Files(clients, resources.analysis_bucket, "jobs"),
        archive=S3Files(clients, resources.analysis_bucket, "archive"),
    )
