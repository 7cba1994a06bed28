"""Every port on moto's in-process mock: as ``open_aws`` wires them, but nothing waits or sleeps."""

from collections.abc import Iterator
from contextlib import contextmanager

from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.dynamodb import DynamoDB
from millrace.adapters.aws.files import S3Files
from millrace.adapters.aws.queue import SqsQueue
from millrace.adapters.aws.raw import S3Raw
from millrace.core.ports import Stores

from .opened import Account, mocked_account, no_sleep
from .tables import Tables, create_tables


@contextmanager
def mocked_stores(**shards: int) -> Iterator[tuple[Account, Stores]]:
    """A fresh account with its tables, and the stores over it."""
    with mocked_account() as account:
        tables = create_tables(account.unrecorded.get("dynamodb"))
        with stores_in(account, tables, account.clients, **shards) as stores:
            yield account, stores


@contextmanager
def stores_in(account: Account, tables: Tables, clients: Clients, **shards: int) -> Iterator[Stores]:
    """The stores over an account's resources, by any of its clients."""
    database = DynamoDB(clients, sleep=no_sleep)
    try:
        yield Stores(
            raw=S3Raw(clients, account.raw_bucket),
            curated=tables.curated_store(database, **shards),
            feed=tables.feed(clients),
            views=tables.view_store(database),
            ledger=tables.ledger_store(database),
            queue=SqsQueue(clients, account.queue_url, wait_seconds=0, sleep=no_sleep),
            dead_letters=account.dead_letters(clients),
            job_files=S3Files(clients, account.analysis_bucket, "jobs"),
            archive=S3Files(clients, account.analysis_bucket, "archive"),
        )
    finally:
        database.close()
