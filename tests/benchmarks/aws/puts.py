"""One conditional put: boto3's client against the adapter's lean call, with a canned answer and over loopback."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple
from unittest.mock import patch

import boto3
import botocore.session
import msgspec

from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.curated import DynamoCurated
from millrace.adapters.aws.dynamodb import DynamoDB
from millrace.adapters.aws.identities import DynamoIdentities
from millrace.adapters.aws.items import encoded
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.records import Curated
from tests.benchmarks.catalog import catalog

from .account import REGION, SURROUNDINGS, TABLE, Account, bodies, receipts
from .loopback import serving

PUTS, THREADS = 800, 8


class Cost(NamedTuple):
    """Microseconds per put."""

    cpu: float
    wall: float


def compare(rounds: int) -> dict[str, Cost]:
    """Medians of "boto3, canned", "Millrace, canned", "boto3, loopback" and "Millrace, loopback"; they take turns.

    boto3 is given items in wire form; Millrace's time has in it that it makes them. Canned calls come one by one,
    those over loopback in eight threads.
    """
    [raw] = receipts(bodies(1, PUTS))
    records = Pipeline(catalog).run(raw, raw.receipt.received_at).records
    items = [msgspec.json.decode(encoded(record, 1)[1]) for record in records]
    with patch.dict(os.environ, SURROUNDINGS), serving() as url:
        account = Account()
        session = account.session()
        sides: dict[str, Callable[[], None]] = {
            "boto3, canned": _boto3(items, session, 1),
            "Millrace, canned": _millrace(records, account.clients(parallelism=1)),
        }
        with patch.dict(os.environ, {"AWS_ENDPOINT_URL_DYNAMODB": url}):
            sides["boto3, loopback"] = _boto3(items, botocore.session.Session(), THREADS)
            clients = Clients(REGION, parallelism=THREADS)
            clients.get("dynamodb")
            sides["Millrace, loopback"] = _millrace(records, clients)
        found: dict[str, list[Cost]] = {name: [] for name in sides}
        for _ in range(rounds + 1):
            for name, put in sides.items():
                found[name].append(_cost(put))
            sent = [body["Item"]["eventId"] for body in account.bodies("PutItem")]
            assert len(sent) == 2 * PUTS, "not every item was put"
            assert sent[:PUTS] == sent[PUTS:], "other items were put"
    # The first round warms up.
    return {
        name: Cost(median(one.cpu for one in costs[1:]), median(one.wall for one in costs[1:]))
        for name, costs in found.items()
    }


def _cost(put: Callable[[], None]) -> Cost:
    cpu, wall = process_time(), perf_counter()
    put()
    return Cost((process_time() - cpu) / PUTS * 1e6, (perf_counter() - wall) / PUTS * 1e6)


def _millrace(records: Sequence[Curated], clients: Clients) -> Callable[[], None]:
    database = DynamoDB(clients)
    store = DynamoCurated(database, TABLE, DynamoIdentities(database, "Identities"))

    def put() -> None:
        assert not any(store.insert(records))

    return put


def _boto3(items: Sequence[Any], session: botocore.session.Session, threads: int) -> Callable[[], None]:
    client = boto3.session.Session(botocore_session=session, region_name=REGION).client("dynamodb")

    def one(item: Any) -> None:
        client.put_item(
            TableName=TABLE,
            Item=item,
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": "eventType"},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def put() -> None:
        if threads == 1:
            for item in items:
                one(item)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, items))

    return put
