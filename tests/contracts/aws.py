"""The AWS adapters where the contracts are tested: on moto, and their tables on dynalite, which is stricter."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import attrs

from millrace.adapters.aws.dynamodb import DynamoDB
from millrace.adapters.memory import MemoryQueue, memory_stores
from millrace.core.ports import Stores

from ..aws.dynalite import clients_of, dynalite
from ..aws.opened import mocked_account, no_sleep
from ..aws.stores import stores_in
from ..aws.tables import ScannedFeed, create_tables
from .places import Opener

SHARDS = {"h": 3}
"""The contract tests write no type of this name; one that has shards beside them must not matter."""

_numbers = itertools.count()
_server = ExitStack()


@contextmanager
def on_moto(_: Path) -> Iterator[Opener]:
    """An account of its own, which is there until the block ends."""
    with mocked_account() as account:
        for clients in (account.clients, account.unrecorded):
            clients.parallelism = 1  # the mock would not be quicker with more
        tables = create_tables(account.unrecorded.get("dynamodb"))

        @contextmanager
        def opened() -> Iterator[Stores]:
            account.pass_time(account.queue_url)
            with stores_in(account, tables, account.clients, **SHARDS) as stores:
                yield stores

        yield opened


@contextmanager
def on_dynalite(_: Path) -> Iterator[Opener]:
    """Tables of its own, on one server for all; what is no table is in memory."""
    with clients_of(_url(), parallelism=8) as clients:
        tables = create_tables(clients.get("dynamodb"), str(next(_numbers)))
        memory = memory_stores()

        @contextmanager
        def opened() -> Iterator[Stores]:
            assert isinstance(memory.queue, MemoryQueue)
            memory.queue.expire()
            database = DynamoDB(clients, sleep=no_sleep)
            try:
                yield attrs.evolve(
                    memory,
                    curated=tables.curated_store(database, **SHARDS),
                    feed=ScannedFeed(database, tables.curated),
                    views=tables.view_store(database),
                    ledger=tables.ledger_store(database),
                )
            finally:
                database.close()

        yield opened


@cache
def _url() -> str:
    """Where a server is that ends with this process."""
    return _server.enter_context(dynalite())
