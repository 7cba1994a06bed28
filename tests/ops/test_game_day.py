"""The game day: faults in a stack at work; the alarm that goes off, what shows it, what mends it, and the proof."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.catalogs import cloudtrail
from millrace.entrypoints.catalogs import load_catalog
from millrace.entrypoints.ops.conditions import CONDITIONS
from millrace.entrypoints.platform import Platform
from tests.aws.e2e.test_history import loosened
from tests.aws.e2e.test_way import purchase

from .game import Game, playing

pytest.importorskip("awslambdaric", reason="AWS's runtime client is for Linux")
BY_NAME = {condition.name: condition for condition in CONDITIONS}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Game]:
    with playing(tmp_path_factory.mktemp("game")) as game:
        yield game


@pytest.fixture
def game(stack: Game) -> Game:
    """The stack with nothing in it, and nothing measured."""
    stack.begin()
    return stack


def first(name: str, part: str = "FUNCTION") -> str:
    """The command that the alarm of a condition says to run first."""
    return BY_NAME[name].first.replace("FUNCTION", part)


def test_nothing_is_wrong_with_a_stack_at_work(game: Game) -> None:
    for number in range(3):
        game.post(purchase(number))
    game.drain()
    game.minutes(1)
    assert game.alarming() == set()
    game.require_whole()


def test_a_version_that_cannot_start_is_rolled_back(game: Game) -> None:
    game.deploy_version("transformation-lambda", MILLRACE_CATALOG="forgotten:catalog")
    for _ in range(2):
        for number in range(10):
            game.post(purchase(number))
            assert game.queue.step() == 0
        game.minutes(5)
    assert {"function-errors/transformation", "P0"} <= game.alarming()

    shown = game.told(first("function-errors", "transformation"), code=1)
    [row] = shown["rows"]
    assert (row["count"], row["error"]) == (20, "CatalogError")
    assert "forgotten" in row["message"]

    game.run("millrace ops rollback transformation --yes")
    game.queue.expire()
    game.drain()
    game.minutes(15)
    assert not {"function-errors/transformation", "P0"} & game.alarming()
    game.require_whole()


# ---------------------------------------------------------------------------------------------------- a throttled table


def test_a_throttled_table_is_given_capacity(game: Game) -> None:
    dynamodb, table = game.client("dynamodb"), game.stack.outputs["CuratedTable"]
    little = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    dynamodb.update_table(TableName=table, BillingMode="PROVISIONED", ProvisionedThroughput=little)
    game.front.throttled[table] = 0
    for number in range(2):
        game.post(*(purchase(20 * number + each) for each in range(20)))
        assert game.queue.step() == 0
        game.minutes(5)
    assert {"table-throttles", "P2"} <= game.alarming()
    assert not {"function-errors/transformation", "receipts-failing"} & game.alarming()

    shown = game.told(first("table-throttles"), code=1)
    assert any(row["table"] == table and row["throttled"] > 10 for row in shown["rows"])
    assert any(table in sentence for sentence in shown["wrong"])

    game.run("millrace ops capacity curated --on-demand --yes")
    game.follow_capacity()
    game.queue.expire()
    game.drain()
    game.minutes(15)
    assert "table-throttles" not in game.alarming()
    game.require_whole()


# --------------------------------------------------------------------------------------------------------------- poison


def test_poison_messages_harm_no_neighbour_and_end_as_dead_letters(game: Game, tmp_path: Path) -> None:
    sqs, url = game.client("sqs"), game.stack.outputs["QueueUrl"]
    game.post(purchase(0), purchase(1, currency="XXX"))
    sqs.send_message(QueueUrl=url, MessageBody="no receipt")
    game.post(purchase(2))
    game.drain()
    game.minutes(5)
    assert {"receipts-failing", "dead-letters", "P2", "P3"} <= game.alarming()

    shown = game.told(first("receipts-failing"), code=1)
    assert [(row["count"], row["error"]) for row in shown["rows"]] == [(1, "PermanentError")]
    [cause] = game.told(first("dead-letters"))
    assert (cause["reason"], cause["eventType"], cause["letters"]) == ("invalid", "purchase", 1)

    with game.giving_up_after(3):
        for _ in range(4):
            game.queue.expire()
            game.queue.step()
    assert game.told("millrace ops undelivered", code=1)["rows"][0]["says"] == "no receipt"
    game.run(f"millrace ops undelivered --clear {tmp_path}/seen-to.ndjson --yes")
    game.run("millrace ops undelivered")
    catalog = loosened(tmp_path)
    game.run(f"millrace dead-letters redrive --dry-run --catalog {catalog}")
    game.run(f"millrace dead-letters redrive --catalog {catalog}")
    game.drain()
    game.minutes(60)
    assert not {"receipts-failing", "dead-letters", "P3"} & game.alarming()
    game.require_whole(load_catalog(catalog))


def test_a_receipt_that_the_queue_gave_up_is_redriven(game: Game) -> None:
    body = json.dumps([purchase(0)]).encode()
    with game.stores() as stores:  # accepted by an ingestion that was deployed with another catalog
        other = Platform.assemble(cloudtrail.catalog, stores, SystemClock(), RandomReceiptIds())
        other.ingest.request(body, source="client-1", content_type="application/json")
    game.sent.append(body)
    with game.giving_up_after(2):
        for _ in range(3):
            game.queue.drain()
            game.queue.expire()
    game.minutes(5)
    assert {"receipts-failing", "dead-letters"} <= game.alarming()

    [row] = game.told(first("receipts-failing"), code=1)["rows"]
    assert (row["count"], row["error"]) == (2, "OtherCatalog")
    assert [each["kind"] for each in game.told("millrace ops undelivered", code=1)["rows"]] == ["receipt given up"]
    assert len(game.told("millrace reconcile", code=1)["missing"]) == 1

    game.run("millrace dead-letters redrive --adopt")
    game.drain()
    game.minutes(60)
    assert not {"receipts-failing", "dead-letters"} & game.alarming()
    game.require_whole()


# ---------------------------------------------------------------------------------------------------- failed executions


def wait_for_jobs(game: Game) -> None:
    """Until none runs."""
    while game.told("millrace jobs list --state running"):
        time.sleep(0.1)


def test_executions_that_failed_go_on(game: Game, tmp_path: Path) -> None:
    for number in range(2):
        game.post(purchase(number))
    game.empty("QueueUrl")
    with game.functions["transformation-lambda"].failing():
        for number in range(3):  # there is nothing for them to do
            game.run(f"millrace jobs start --name quiet-{number} --until 2020-01-01 --no-wait")
        for number in range(2):
            game.run(f"millrace jobs start --name nightly-{number} --no-wait")
        wait_for_jobs(game)
    game.minutes(1)
    assert {"workflow-failures", "P1"} <= game.alarming()

    [row] = game.told(first("workflow-failures"), code=1)["rows"]
    assert (row["count"], row["open"], row["error"]) == (2, 2, "JobMismatch")
    kinds = [each["kind"] for each in game.told("millrace ops undelivered", code=1)["rows"]]
    assert set(kinds) == {"job failed"}
    assert len(game.told("millrace reconcile", code=1)["missing"]) == 2

    game.run("millrace ops executions retry --all-failed --yes")
    wait_for_jobs(game)
    states = [job["state"] for job in game.told("millrace jobs list") if job["job"].startswith("nightly-")]
    assert states == ["succeeded"] * 2
    game.run(f"millrace ops undelivered --clear {tmp_path}/failed-jobs.ndjson --yes")
    game.run("millrace ops undelivered")
    game.drain()
    game.require_whole()


# --------------------------------------------------------------------------------------------------------- what is lost


def test_a_message_that_was_lost_is_sent_again(game: Game) -> None:
    game.post(purchase(0))
    game.drain()
    game.post(purchase(1))
    assert len(game.empty("QueueUrl")) == 1  # accepted, and then nobody has it
    game.sweep()
    game.minutes(5)
    assert {"data-loss", "P1"} <= game.alarming()

    shown = game.told(first("data-loss"), code=1)
    assert len(shown["missing"]) == 1

    assert len(game.empty("QueueUrl")) == 1  # the sweep has sent it again, and it is lost again
    repaired = game.told("millrace reconcile --since 6h --repair")
    assert (repaired["holds"], repaired["resent"]) == (True, 1)
    game.drain()
    game.sweep()
    game.minutes(60)
    assert not {"data-loss", "P1"} & game.alarming()
    game.require_whole()


def deleted(game: Game) -> None:
    """Somebody deletes a curated event."""
    game.post(purchase(0), purchase(1))
    game.drain()
    game.run("millrace ops backup --yes")
    dynamodb, table = game.client("dynamodb"), game.stack.outputs["CuratedTable"]
    item = dynamodb.scan(TableName=table)["Items"][0]
    dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("eventType", "eventTime")})
    game.drain()
    game.minutes(5)
    assert {"events-deleted", "P1"} <= game.alarming()

    shown = game.told(first("events-deleted"), code=1)
    assert (shown["curated"], shown["stored"]) == (2, 1)
    assert game.told("millrace backfill aws:millrace --dry-run")["new"] == 1
    assert orders(game) == 2


def orders(game: Game) -> int:
    """What the view ``revenue`` counts."""
    return sum(row["orders"] for row in game.told("millrace view revenue"))


def test_a_deleted_event_is_put_back_from_a_backup_and_counted_once(game: Game) -> None:
    deleted(game)
    game.run("millrace ops restore CuratedEvents --backup latest --swap --drop --yes")
    game.drain()
    assert orders(game) == 2
    game.require_whole()


def test_a_deleted_event_without_a_backup_is_processed_again_and_its_views_are_rebuilt(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.core.services.rebuild.STACK_MARGIN", 1_000_000)
    deleted(game)
    assert game.told("millrace reconcile --repair", code=1)["stored"] == 1  # the ledger has the entry of the receipt
    game.run("millrace backfill aws:millrace")
    game.drain()
    assert orders(game) == 3  # as it was inserted anew, it came once more by the stream
    game.run("millrace reconcile")
    game.run("millrace rebuild --all")
    assert orders(game) == 2
    game.require_whole()
