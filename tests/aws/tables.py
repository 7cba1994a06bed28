"""The four tables as the template declares them, and the adapters over them."""

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import attrs
import botocore.session
from moto import mock_aws

from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.curated import DynamoCurated
from millrace.adapters.aws.dynamodb import DynamoDB
from millrace.adapters.aws.feed import DynamoFeed
from millrace.adapters.aws.identities import DynamoIdentities
from millrace.adapters.aws.items import PARTITION, SORT, record_of
from millrace.adapters.aws.ledger import DynamoLedger
from millrace.adapters.aws.views import DynamoViews
from millrace.core.records import Changes, Curated

from .calls import Calls
from .opened import REGION, SURROUNDINGS

KEYS = {
    "CuratedEvents": [("eventType", "S"), ("eventTime", "N")],
    "Identities": [("identity", "S")],
    "Views": [("view", "S"), ("row", "S")],
    "Ledger": [("shard", "S"), ("receipt", "S")],
}
"""Each table's partition key and, where it has one, its sort key."""


@attrs.frozen
class Tables:
    """The names of tables that exist."""

    curated: str
    identities: str
    views: str
    ledger: str

    def curated_store(self, database: DynamoDB, **shards: int) -> DynamoCurated:
        """The curated store over them; ``shards`` of the types that have some."""
        return DynamoCurated(database, self.curated, DynamoIdentities(database, self.identities), shards)

    def view_store(self, database: DynamoDB) -> DynamoViews:
        """The views over them."""
        return DynamoViews(database, self.views)

    def ledger_store(self, database: DynamoDB) -> DynamoLedger:
        """The ledger over them."""
        return DynamoLedger(database, self.ledger)

    def feed(self, clients: Clients) -> DynamoFeed:
        """The changes of the curated store."""
        return DynamoFeed(clients, self.curated)


class ScannedFeed:
    """A feed for where there are no streams: what a scan finds that an earlier one did not came since.

    In which order records came that one scan finds it cannot tell.
    """

    def __init__(self, database: DynamoDB, table: str) -> None:
        self._database, self._table = database, table
        self._seen: dict[tuple[str, str], Curated] = {}

    def origins(self) -> Sequence[str]:
        return ["scan"]

    def changes(self, origin: str, after: int, limit: int) -> Changes:
        asked: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True}
        while True:
            answer = self._database.ask("Scan", asked, self._table)
            for item in answer["Items"]:
                if "restored" not in item:
                    self._seen.setdefault((item[PARTITION]["S"], item[SORT]["N"]), record_of(item))
            if (last := answer.get("LastEvaluatedKey")) is None:
                break
            asked["ExclusiveStartKey"] = last
        records = [*self._seen.values()][after : after + limit]
        return Changes(origin, range(after + 1, after + 1 + len(records)), records)


def create_tables(client: Any, suffix: str = "") -> Tables:
    """Create the tables through a client of DynamoDB, on demand, empty; ``suffix`` goes behind each name."""
    for name, keys in KEYS.items():
        client.create_table(
            TableName=name + suffix,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": role} for (key, _), role in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            **({"StreamSpecification": _STREAM} if name == "CuratedEvents" else {}),
        )
    return Tables(*(name + suffix for name in KEYS))


_STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}


@attrs.frozen
class Service:
    """DynamoDB, mocked or played by dynalite, with calls recorded. Every ``fresh`` set of tables is empty."""

    clients: Clients
    calls: Calls
    numbers: Iterator[int] = attrs.field(factory=itertools.count)

    def fresh(self) -> Tables:
        """New tables; what was recorded before is forgotten."""
        tables = create_tables(self.clients.get("dynamodb"), str(next(self.numbers)))
        self.calls.clear()
        return tables

    def database(self, **arguments: int) -> DynamoDB:
        """A database whose retries do not wait; with ``arguments`` over clients of its own, else over the recorded."""
        clients = self.clients
        if arguments:
            clients = Clients(REGION, session=self.calls.attach(botocore.session.Session()), **arguments)
        return DynamoDB(clients, sleep=lambda _: None)


@contextmanager
def mocked_tables(*, attempts: int = 1, parallelism: int = 1) -> Iterator[Service]:
    """Moto's DynamoDB in this process, for as long as the block lasts. Its tables are not made for many threads."""
    with patch.dict(os.environ, SURROUNDINGS), mock_aws():
        calls = Calls()
        session = calls.attach(botocore.session.Session())
        clients = Clients(REGION, attempts=attempts, parallelism=parallelism, session=session)
        try:
            yield Service(clients, calls)
        finally:
            clients.close()
