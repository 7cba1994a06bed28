"""Backups: names, retention, the order of things, and points in time."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.core.errors import TransientError
from millrace.entrypoints.ops import backups
from millrace.entrypoints.ops.backups import AVAILABLE, Backup, Continuous, backup_name, expired, instant_of, judged
from millrace.entrypoints.ops.findings import Change

from .standing import Stand, standing

NOW = 1_795_399_200_000_000


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with standing("production") as [made]:
        yield made


@pytest.fixture(autouse=True)
def no_backups(stand: Stand) -> None:
    dynamodb = stand.client("dynamodb")
    for summary in dynamodb.list_backups()["BackupSummaries"]:
        dynamodb.delete_backup(BackupArn=summary["BackupArn"])


def names(stand: Stand) -> list[str]:
    return sorted(each["BackupName"] for each in stand.client("dynamodb").list_backups()["BackupSummaries"])


def apply(changes: Iterable[Change]) -> None:
    for change in changes:
        change.apply()


def made(number: int, table: str = "Ledger", *, status: str = AVAILABLE, name: str = "", kind: str = "USER") -> Backup:
    at = NOW + number * 60_000_000
    named = name or backup_name(table, at)
    return Backup(arn=f"arn/{table}/{number}", name=named, table=table, kind=kind, status=status, made_at=at, bytes=1)


# ------------------------------------------------------------------------------------------------------- retention


@given(st.integers(min_value=0, max_value=4_102_444_800), st.sampled_from(["Ledger", "CuratedEvents-staging", "a.b_c"]))
def test_the_name_of_a_backup_tells_its_instant(seconds: int, table: str) -> None:
    name = backup_name(table, seconds * 1_000_000)
    assert instant_of(name) == seconds * 1_000_000
    assert 3 <= len(name) <= 255


@pytest.mark.parametrize("name", ["nightly", "millrace-Ledger", "millrace-Ledger-20261323T020000Z", ""])
def test_other_names_tell_none(name: str) -> None:
    assert instant_of(name) is None


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["Ledger", "Views"])), unique=True), st.integers(1, 9))
def test_what_expires_is_older_than_all_that_stay_and_enough_stay(picked: list[tuple[int, str]], keep: int) -> None:
    found = [made(number, table) for number, table in picked]
    gone = expired(found, keep)
    for table in ("Ledger", "Views"):
        ours = {each.made_at for each in found if each.table == table}
        over = {each.made_at for each in gone if each.table == table}
        stay = ours - over
        assert len(stay) == min(keep, len(ours))
        assert all(old < min(stay) for old in over)


def test_backups_of_others_and_those_that_are_not_available_neither_go_nor_count() -> None:
    found = [
        made(1),
        made(2, name="before-the-migration"),
        made(3, status="CREATING"),
        made(4, kind="SYSTEM"),
        made(5, name=backup_name("Views", NOW)),
        made(6),
    ]
    assert [each.arn for each in expired(found, 1)] == ["arn/Ledger/1"]


# ------------------------------------------------------------------------------------------------------- on a stack


def test_all_tables_are_backed_up_the_ledger_first_and_the_curated_events_last(stand: Stand) -> None:
    told = stand.told("backup", "--yes")
    assert told["made"] is True
    assert [change["of"] for change in told["changes"]] == ["Ledger", "Views", "Identities", "CuratedEvents"]
    assert names(stand) == sorted(change["after"] for change in told["changes"])


def test_a_dry_run_and_a_no_make_none(stand: Stand) -> None:
    assert stand.told("backup", "--keep", 1, "--dry-run")["made"] is False
    stand.ops("backup", code=130)  # nobody answers
    assert names(stand) == []


def test_older_ones_are_deleted_when_the_new_ones_are_available(stand: Stand) -> None:
    dynamodb = stand.client("dynamodb")
    for table in stand.stack.tables:
        for hour in range(3):
            dynamodb.create_backup(TableName=table, BackupName=backup_name(table, NOW - hour * 3_600_000_000))
    dynamodb.create_backup(TableName="Ledger", BackupName="before-the-migration")
    stand.ops("backup", "--keep", 2, "--yes")
    left = names(stand)
    assert "before-the-migration" in left
    for table in stand.stack.tables:
        ours = [name for name in left if name.startswith(f"millrace-{table}-")]
        assert len(ours) == 2
        assert backup_name(table, NOW) in ours


def test_nothing_is_deleted_while_a_new_backup_is_not_available(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamodb = stand.client("dynamodb")
    dynamodb.create_backup(TableName="Ledger", BackupName=backup_name("Ledger", NOW))
    monkeypatch.setattr(backups, "_status", lambda stack, arn: "CREATING")
    slept: list[float] = []
    changes = backups.plan(stand.stack, 1, sleep=slept.append)
    with pytest.raises(TransientError, match="still CREATING"):
        apply(changes)
    assert sum(slept) == backups.PATIENCE_SECONDS
    assert backup_name("Ledger", NOW) in names(stand)


def test_two_operators_at_once_keep_what_each_wants_to_keep(stand: Stand) -> None:
    for hour in range(4):
        stand.client("dynamodb").create_backup(
            TableName="Ledger", BackupName=backup_name("Ledger", NOW - hour * 3_600_000_000)
        )
    one, other = (backups.plan(stand.stack, 2, sleep=lambda _: None) for _ in range(2))
    for first, second in zip(one, other, strict=True):
        first.apply()
        second.apply()
    assert len([name for name in names(stand) if "Ledger" in name]) >= 2


def test_a_stack_without_backups_is_told_so(stand: Stand) -> None:
    result = stand.ops("restore", code=1)
    assert "CuratedEvents has no backup" in result.stderr


@pytest.mark.parametrize("command", ["backup", "restore", "pitr", "replicate", "disaster-drill"])
def test_where_there_is_no_stack_every_command_says_so(nothing: Callable[..., Result], command: str) -> None:
    result = nothing(command, *(("--scratch", "aws:millrace-drill") if command == "disaster-drill" else ()))
    assert result.exit_code == 2
    assert "there is no stack millrace" in result.stderr


# --------------------------------------------------------------------------------------------------- points in time


def state(**others: Any) -> Continuous:
    known: dict[str, Any] = {"table": "Ledger", "on": True, "earliest": NOW - 10**12, "latest": NOW - 300_000_000}
    return Continuous(**{**known, **others})


def test_five_minutes_behind_is_well_and_more_is_not() -> None:
    assert judged([state()], NOW).wrong == []
    [sentence] = judged([state()], NOW + 1_000_000).wrong
    assert "301 seconds behind" in sentence


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"on": False}, "pitr --on"), ({"latest": None}, "no latest point in time")],
    ids=["off", "not-yet"],
)
def test_a_table_that_cannot_go_back_is_told(changed: dict[str, Any], said: str) -> None:
    [sentence] = judged([state(**changed)], NOW).wrong
    assert said in sentence


def test_points_in_time_are_switched_on_where_they_are_off(stand: Stand) -> None:
    dynamodb = stand.client("dynamodb")
    off = {"PointInTimeRecoveryEnabled": False}
    dynamodb.update_continuous_backups(TableName="Views", PointInTimeRecoverySpecification=off)
    stand.ops("pitr", code=1)
    assert stand.told("pitr", "--on", "--dry-run")["made"] is False
    stand.ops("pitr", "--on", "--yes")
    told = stand.told("pitr")
    assert {row["point in time"] for row in told["rows"]} == {"on"}
    assert stand.told("pitr", "--on", "--yes")["made"] is False


def test_the_instant_in_a_name_counts_rather_than_that_of_the_listing(stand: Stand) -> None:
    stand.client("dynamodb").create_backup(TableName="Ledger", BackupName=backup_name("Ledger", NOW))
    [found] = backups.listed(stand.stack, "Ledger")
    assert found.made_at == NOW
    assert datetime.fromtimestamp(found.made_at / 1e6, UTC).year == 2026
