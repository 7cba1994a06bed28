"""The numbers of requests that costs are made of, against those that the functions really make, counted by hooks."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.adapters.aws.items import record_of
from millrace.adapters.aws.views import DynamoViews
from millrace.core.catalogs import retail
from millrace.core.records import Curated
from millrace.entrypoints.costs.requests import ANALYTICS, INGESTION, TRANSFORMATION, Way, counted
from millrace.entrypoints.lambdas import analytics
from tests.aws.opened import Account, mocked_account
from tests.aws.test_budget import EVENTS, REQUESTS, ingest, transform
from tests.aws.test_budget import counted as wired
from tests.lambdas.arriving import Context, stream_event, stream_record

__all__ = ["wired"]


@pytest.fixture
def account() -> Iterator[Account]:
    with mocked_account() as opened:
        yield opened


def test_requests_receipts_and_events_ask_as_often_as_costs_say(wired: Account) -> None:
    assert ingest(wired) == Counter(counted(INGESTION, Way(requests=REQUESTS)))
    asked = transform(wired)
    asked.pop("BatchGetItem", None)  # the archive's boundary, once in five minutes
    assert asked == Counter(counted(TRANSFORMATION, Way(receipts=REQUESTS, events=REQUESTS * EVENTS)))


def test_a_batch_of_changes_asks_as_often_as_costs_say(wired: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(wired)
    transform(wired)
    rows = Counter[str]()
    commit = DynamoViews.commit

    def counting(self: DynamoViews, view: str, changed: Any) -> Any:
        rows[view] += len(changed)
        return commit(self, view, changed)

    monkeypatch.setattr(DynamoViews, "commit", counting)
    items = wired.unrecorded.get("dynamodb").scan(TableName="CuratedEvents")["Items"]
    records: list[Curated] = [record_of(_as_wire(item)) for item in items]
    views = {view.signature for view in retail.catalog.views.values() if view.over == "purchase"}
    wired.calls.clear()
    event = stream_event(*(stream_record(record, number) for number, record in enumerate(records, 1)))
    assert analytics.handler(event, Context())["batchItemFailures"] == []
    assert {*rows} == views
    way = Way(folds=1, views=len(views), rows=sum(rows.values()) / len(views))
    assert wired.calls.counts() == Counter(counted(ANALYTICS, way))


def _as_wire(item: Any) -> Any:
    """An item of botocore's, whose bytes are bytes, as the adapters read it."""
    return {name: {"B": b64encode(value["B"]).decode()} if "B" in value else value for name, value in item.items()}
