"""Restoring: beside the live table, compared with it, and what is missing put back under the laws."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from millrace.core.errors import StoreError
from millrace.core.records import RowKey, ViewRow
from millrace.core.services.archive import Archive
from millrace.core.services.boundary import ARCHIVE, KEY, Boundaries
from millrace.core.services.generations import REGISTRY
from millrace.entrypoints.ops import restoring
from millrace.entrypoints.ops import tables as tables_of_stack
from millrace.entrypoints.ops.backups import available, listed
from millrace.entrypoints.ops.restoring import origin_of
from millrace.entrypoints.ops.returning import KEYS, LEAP, Returning
from tests.aws.e2e.compare import holdings
from tests.deploy.stacks import of_type, translated

from .standing import Stand, snapshot, standing


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Stand, Callable[[], None]]]:
    with standing("production") as [made]:
        made.ingest(40, at_once=10)
        made.ops("backup", "--yes")
        yield made, snapshot()


@pytest.fixture
def stand(filled: tuple[Stand, Callable[[], None]]) -> Stand:
    """A stack with events in it, and a backup of all tables."""
    made, reset = filled
    reset()
    return made


def state(stand: Stand) -> list[str]:
    return [*holdings(stand.platform)]


def beside(stand: Stand, table: str) -> str:
    [name] = [each for each in stand.client("dynamodb").list_tables()["TableNames"] if each.startswith(f"{table}-rest")]
    return str(name)


def comparison(stand: Stand, *arguments: str, code: int = 0) -> Any:
    [row] = stand.told("restore", "CuratedEvents", *arguments, "--yes", code=code)["rows"]
    return row


# ---------------------------------------------------------------------------------------------------- curated events


def test_a_copy_of_what_is_there_lacks_nothing(stand: Stand) -> None:
    row = comparison(stand, "--backup", "latest")
    count = len(stand.items("CuratedTable"))
    assert (row["items"], row["same"], row["missing"]) == (count, count, 0)
    assert row["receipts sampled"] == len({item["receipt"]["S"] for item in stand.items("CuratedTable")})


def test_deleted_events_are_found_and_put_back_and_no_view_counts_them_twice(stand: Stand) -> None:
    before = state(stand)
    stand.delete("CuratedTable", stand.items("CuratedTable")[:3])
    assert not stand.platform.reconcile.run().holds
    result = stand.ops("restore", "CuratedEvents", "--backup", "latest", "--yes", code=1)
    assert "lacks 3 items" in result.stderr
    assert f"--copy {beside(stand, 'CuratedEvents')} --swap" in result.stderr
    assert len(state(stand)) < len(before), "what only looks changes nothing"
    row = comparison(stand, "--copy", beside(stand, "CuratedEvents"), "--swap")
    assert row["missing"] == 0
    for _ in stand.platform.work.drain():
        pass
    assert state(stand) == before
    assert stand.platform.reconcile.run().holds


def test_what_came_after_the_backup_stays_and_is_not_overwritten(stand: Stand) -> None:
    stand.ingest(40, seed=8)
    [one, *_] = stand.items("CuratedTable")
    stand.client("dynamodb").put_item(TableName="CuratedEvents", Item={**one, "schemaVersion": {"N": "99"}})
    after = state(stand)
    row = comparison(stand, "--backup", "latest", "--swap")
    assert row["missing"] == 0
    assert row["other"] <= 1
    assert state(stand) == after


def test_putting_back_twice_and_by_two_at_once_changes_nothing_more(stand: Stand) -> None:
    before = state(stand)
    stand.delete("CuratedTable", stand.items("CuratedTable"))
    stand.ops("restore", "CuratedEvents", "--backup", "latest", "--yes", code=1)
    operators = [Returning(stand.stack, "CuratedEvents", beside(stand, "CuratedEvents")) for _ in range(2)]
    changes = [each.change(each.compare()) for each in operators]
    for change in changes:
        change.apply()
    assert state(stand) == before


def test_an_archived_event_stays_in_the_archive(stand: Stand) -> None:
    platform = stand.platform
    archive = Archive(platform.stores, platform.clock, platform.project, margin=0)
    names = sorted(platform.catalog.types)
    oldest = min(record.time for name in names for record in records(stand, name))
    before = archive.announce(oldest + 12 * 3_600_000_000).before
    archived = sum(batch.records for batch in archive.run(names))
    assert archived > 0
    assert Boundaries(platform.stores.views).read() is not None
    after = state(stand)
    row = comparison(stand, "--backup", "latest", "--swap")
    assert (row["missing"], row["archived"]) == (0, archived)
    assert before
    assert state(stand) == after


def records(stand: Stand, name: str) -> Any:
    return stand.platform.stores.curated.query(name, since=0, until=10**16, after=None, limit=1000)


def test_items_that_are_no_curated_events_and_receipts_that_are_gone_are_told(stand: Stand) -> None:
    dynamodb = stand.client("dynamodb")
    strange = {"eventType": {"S": "purchase"}, "eventTime": {"N": "1"}, "note": {"S": "by hand"}}
    dynamodb.put_item(TableName="CuratedEvents", Item=strange)
    stand.ops("backup", "--yes")
    stand.delete("CuratedTable", [strange])
    with stand.without_raw_log():
        result = stand.ops("restore", "CuratedEvents", "--backup", "latest", "--yes", code=1)
    assert "1 items that are no curated events" in result.stderr
    assert "not in the raw log" in result.stderr


def test_a_point_in_time_is_restored_beside_the_table(stand: Stand) -> None:
    [latest] = [row["latest"] for row in stand.told("pitr")["rows"] if row["table"] == "CuratedEvents"]
    row = comparison(stand, "--at", latest, "--drop")
    assert row["missing"] == 0
    assert row["restored"].startswith("CuratedEvents-restored-")
    assert stand.client("dynamodb").list_tables()["TableNames"].count(row["restored"]) == 0


# ------------------------------------------------------------------------------------- the ledger, identities, views


def test_ledger_and_identities_are_put_back_as_they_were(stand: Stand) -> None:
    marker = {name: {"S": name} for name in ("identity", "source", "eventId", "eventType", "receipt")}
    marker |= {"time": {"N": "1"}, "index": {"N": "0"}}
    stand.client("dynamodb").put_item(TableName="Identities", Item=marker)
    stand.ops("backup", "--yes")
    before = {output: stand.items(output) for output in ("LedgerTable", "IdentitiesTable")}
    for output, items in before.items():
        assert items
        stand.delete(output, items)
    stand.ops("restore", "Ledger", "Identities", "--backup", "latest", "--swap", "--yes")
    for output, items in before.items():
        assert sorted(map(str, stand.items(output))) == sorted(map(str, items))


def test_an_entry_that_was_written_since_the_backup_stays(stand: Stand) -> None:
    [entry, *_] = stand.items("LedgerTable")
    stand.client("dynamodb").put_item(TableName="Ledger", Item={**entry, "events": {"N": "77"}})
    [row] = stand.told("restore", "Ledger", "--backup", "latest", "--swap", "--yes")["rows"]
    assert row["other"] == 1
    assert {"N": "77"} in [item["events"] for item in stand.items("LedgerTable")]


def test_of_the_views_only_what_nothing_else_tells_is_put_back(stand: Stand) -> None:
    views = stand.platform.stores.views
    Boundaries(views).announce(1000, 2000)
    view = next(iter(stand.platform.catalog.views.values()))
    views.commit(REGISTRY, [ViewRow(KEY, (3, {view.signature: [[2, "current", 0]]}), {}, 0)])
    stand.ops("backup", "--yes")
    stand.delete("ViewsTable", stand.items("ViewsTable"))
    stand.ops("restore", "Views", "--backup", "latest", "--swap", "--yes")
    assert {item["view"]["S"] for item in stand.items("ViewsTable")} == {ARCHIVE, REGISTRY}
    boundary = Boundaries(views).read()
    assert boundary is not None
    assert boundary.before == 1000
    [registry] = views.load(REGISTRY, [RowKey(0, "[]")]).values()
    # Numbers that were given after the backup are given to no other generation.
    assert registry.states[0] == 3 + LEAP


# ------------------------------------------------------------------------------------------------- a table that is gone


def test_a_table_that_is_gone_is_restored_under_its_name_with_its_settings(stand: Stand) -> None:
    before, dynamodb = stand.items("LedgerTable"), stand.client("dynamodb")
    dynamodb.update_table(TableName="Ledger", DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName="Ledger")
    planned = stand.told("restore", "Ledger", "--backup", "latest", "--dry-run")
    assert [change["of"] for change in planned["changes"]] == [
        "Ledger", "Ledger, point in time", "Ledger, deletion protection",
    ]  # fmt: skip
    stand.ops("restore", "Ledger", "--backup", "latest", "--yes")
    assert stand.items("LedgerTable") == before
    told = dynamodb.describe_table(TableName="Ledger")["Table"]
    assert told["DeletionProtectionEnabled"] is True
    assert stand.told("pitr")["rows"][-1]["point in time"] == "on"


def test_the_curated_events_come_back_with_a_stream_that_analytics_follows(stand: Stand) -> None:
    dynamodb, functions = stand.client("dynamodb"), stand.client("lambda")
    old = dynamodb.describe_table(TableName="CuratedEvents")["Table"]["LatestStreamArn"]
    settings = {"BatchSize": 1000, "ParallelizationFactor": 1, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
    functions.create_event_source_mapping(
        EventSourceArn=old, FunctionName="analytics-lambda", StartingPosition="TRIM_HORIZON", **settings
    )
    count = len(stand.items("CuratedTable"))
    dynamodb.update_table(TableName="CuratedEvents", DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName="CuratedEvents")
    stand.ops("restore", "CuratedEvents", "--backup", "latest", "--yes")
    table = dynamodb.describe_table(TableName="CuratedEvents")["Table"]
    assert len(stand.items("CuratedTable")) == count
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    expiry = dynamodb.describe_time_to_live(TableName="CuratedEvents")["TimeToLiveDescription"]
    assert expiry["TimeToLiveStatus"] == "ENABLED"
    [mapping] = functions.list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"] == table["LatestStreamArn"]
    assert {name: mapping[name] for name in ("BatchSize", "FunctionResponseTypes")} == {
        "BatchSize": 1000, "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }  # fmt: skip


def test_the_settings_that_come_back_are_those_of_the_template() -> None:
    tables = of_type(translated(), "AWS::DynamoDB::Table")
    curated = tables["StorageCuratedTable"]
    assert tables_of_stack.STREAM["StreamViewType"] == curated["StreamSpecification"]["StreamViewType"]
    assert curated["TimeToLiveSpecification"] == tables_of_stack.EXPIRY
    for output, keys in KEYS.items():
        table = tables[f"Storage{output}"]
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["DeletionProtectionEnabled"] == "true"
        assert [each["AttributeName"] for each in table["KeySchema"]] == [*keys]
        assert ("StreamSpecification" in table) == (output == "CuratedTable")


# ---------------------------------------------------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Nonesuch", "--backup", "latest"), "no table 'Nonesuch'"),
        (("Ledger", "--backup", "nightly"), "no available backup 'nightly'"),
        (("Ledger", "--at", "2020-01-01"), "cannot go back to 2020-01-01"),
        (("Ledger", "--at", "1h", "--backup", "latest"), "exclude each other"),
        (("Ledger",), "Say what to restore from"),
        (("--swap",), "Say what to restore from"),
        (("--copy", "Ledger-restored-20261123T020000Z"), "name the one table"),
        (("Ledger", "--copy", "Ledger-restored-20261123T020000Z"), "There is no table"),
        (("Ledger", "--copy", "Views"), "its key is another one"),
    ],
    ids=["table", "backup", "instant", "both", "from", "nothing", "copy-of", "no-copy", "other-key"],
)
def test_what_makes_no_sense_gets_one_sentence(stand: Stand, arguments: tuple[str, ...], said: str) -> None:
    result = stand.ops("restore", *arguments, code=2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_only_restored_copies_are_ever_deleted(stand: Stand) -> None:
    for name in ("Ledger", "Ledger-restored-", "Other-restored-20261123T020000Z"):
        with pytest.raises(StoreError, match="it is not deleted"):
            restoring.dropping(stand.stack, [name])


def test_a_dry_run_restores_nothing(stand: Stand) -> None:
    tables = stand.client("dynamodb").list_tables()["TableNames"]
    planned = json.loads(stand.ops("restore", "--backup", "latest", "--dry-run", "--json").stdout)
    assert len(planned["changes"]) == 4
    assert stand.client("dynamodb").list_tables()["TableNames"] == tables


def test_the_same_restore_again_joins_the_first(stand: Stand) -> None:
    origin = origin_of(stand.stack, "Ledger", backup="latest")
    for change in restoring.restoring(stand.stack, origin):
        change.apply()
        change.apply()
    assert not any(change.needed for change in restoring.restoring(stand.stack, origin))
    assert next(available(listed(stand.stack, "Ledger"))) == origin.backup
