"""Backups of the tables: made on demand and kept as long as is wanted, and the continuous ones (point in time)."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...core.errors import StoreError, TransientError
from ...core.times import format_time, parse_time, to_micros
from .findings import Change, Report
from .stack import Stack

AVAILABLE: Final = "AVAILABLE"
ORDER: Final = ("LedgerTable", "ViewsTable", "IdentitiesTable", "CuratedTable")
"""Which table is backed up before which. What an entry of the ledger counts was curated before it was written, so it is
in a backup of the curated events that is made later; the other way round a restored ledger would know too much.
"""
RPO_SECONDS: Final = 300
"""How old the latest point in time of a table may be (DynamoDB developer guide, "Point-in-time recovery": the latest
restorable time is typically 5 minutes before the current time)."""
PATIENCE_SECONDS: Final = 900.0
PAUSE_SECONDS: Final = 5.0

_NAME: Final = re.compile(r"millrace-(?P<table>.+)-(?P<instant>[0-9]{8}T[0-9]{6}Z)")

Sleep = Callable[[float], None]


@attrs.frozen(kw_only=True)
class Backup:
    """A backup as DynamoDB lists it. ``made_at`` is the instant in its name, else that of its creation."""

    arn: str
    name: str
    table: str
    kind: str
    status: str
    made_at: int
    bytes: int | None

    @property
    def ours(self) -> bool:
        """Whether ``backup_name`` made its name; retention touches no other."""
        named = _NAME.fullmatch(self.name)
        return named is not None and named["table"] == self.table and self.kind == "USER"


def stamp(micros: int) -> str:
    """An instant as it stands in names: 20261123T020000Z."""
    return re.sub(r"[-:]|\.[0-9]+", "", format_time(micros))


def backup_name(table: str, now: int) -> str:
    """The name of a backup of a table."""
    return f"millrace-{table}-{stamp(now)}"


def instant_of(name: str) -> int | None:
    """The instant that ``backup_name`` put into a name; None for a name of another kind."""
    named = _NAME.fullmatch(name)
    if named is None:
        return None
    date, _, clock = named["instant"].rstrip("Z").partition("T")
    try:
        return parse_time(f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z")
    except ValueError:
        return None


def expired(backups: Iterable[Backup], keep: int) -> list[Backup]:
    """Those that are not among the ``keep`` latest available ones of their table that were named by ``backup_name``.

    Backups of other names, and those that are not available, neither go nor count.
    """
    by_table: dict[str, list[Backup]] = {}
    for backup in backups:
        if backup.ours and backup.status == AVAILABLE:
            by_table.setdefault(backup.table, []).append(backup)
    gone: list[Backup] = []
    for found in by_table.values():
        found.sort(key=lambda backup: (backup.made_at, backup.arn), reverse=True)
        gone += found[max(keep, 0) :]
    return sorted(gone, key=lambda backup: (backup.made_at, backup.table, backup.arn))


def listed(stack: Stack, table: str) -> list[Backup]:
    """All backups of a table there are, those that DynamoDB itself made when the table was deleted too."""
    pages = stack.account.pages("dynamodb", "list_backups", "BackupSummaries", TableName=table, BackupType="ALL")
    found = [_backup(summary) for summary in pages]
    return sorted(found, key=lambda backup: (backup.made_at, backup.arn))


def available(backups: Sequence[Backup]) -> Iterator[Backup]:
    """Those that can be restored, the latest first."""
    return (backup for backup in reversed(backups) if backup.status == AVAILABLE)


def items_of(stack: Stack, backup: Backup) -> int | None:
    """How many items the table had when it was backed up, as DynamoDB counted them within the six hours before."""
    told = stack.ask("dynamodb", "describe_backup", BackupArn=backup.arn)["BackupDescription"]
    count = told.get("SourceTableDetails", {}).get("ItemCount")
    return None if count is None else int(count)


def plan(stack: Stack, keep: int | None, *, sleep: Sleep = time.sleep) -> list[Change]:
    """A backup of every table, and then, if ``keep`` is given, an end to those older than the ``keep`` latest.

    What is old is deleted only when all the new ones are available: the changes are to be applied in order.
    """
    now = stack.clock.now()
    made: list[str] = []
    tables = [stack.outputs[output] for output in ORDER]
    changes = [Change(table, None, backup_name(table, now), _creating(stack, table, now, made)) for table in tables]
    changes[-1] = attrs.evolve(changes[-1], apply=_then_waiting(changes[-1].apply, stack, made, sleep))
    if keep is None:
        return changes
    existing = [backup for table in tables for backup in listed(stack, table)]
    return changes + [
        Change(f"{old.table}, backup of {format_time(old.made_at)}", old.name, None, _deleting(stack, old))
        for old in expired(existing, keep - 1)
    ]


def overview(stack: Stack) -> Report:
    """Every backup of every table."""
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    for table in stack.tables:
        found = listed(stack, table)
        rows += [
            {
                "table": each.table,
                "backup": each.name,
                "made at": format_time(each.made_at),
                "kind": each.kind,
                "status": each.status,
                "bytes": each.bytes,
            }
            for each in found
        ]
        if not any(each.status == AVAILABLE for each in found):
            wrong.append(f"{table} has no backup; millrace ops backup makes one")
    return Report("Backups", ("table", "backup", "made at", "kind", "status", "bytes"), rows, wrong)


# ---------------------------------------------------------------------------------------------------- point in time


@attrs.frozen(kw_only=True)
class Continuous:
    """The continuous backups of a table: whether they are on, and the first and the last instant to go back to."""

    table: str
    on: bool
    earliest: int | None = None
    latest: int | None = None
    days: int | None = None


def continuous(stack: Stack, table: str) -> Continuous:
    """The state of a table's continuous backups. A table that is gone has none."""
    try:
        answer = stack.ask("dynamodb", "describe_continuous_backups", TableName=table)
    except Refused as refused:
        if refused.code not in ("TableNotFoundException", "ResourceNotFoundException"):
            raise
        gone = f"The table {table} is gone, and with it the points in time that it could go back to"
        raise StoreError(f"{gone}; millrace ops restore lists its backups") from refused
    told = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return Continuous(
        table=table,
        on=told.get("PointInTimeRecoveryStatus") == "ENABLED",
        earliest=_micros(told.get("EarliestRestorableDateTime")),
        latest=_micros(told.get("LatestRestorableDateTime")),
        days=told.get("RecoveryPeriodInDays"),
    )


def judged(states: Sequence[Continuous], now: int) -> Report:
    """What the continuous backups come to, and whether each could bring back all but the last five minutes."""
    rows: list[dict[str, Any]] = []
    wrong: list[str] = []
    for state in states:
        behind = None if state.latest is None else max(now - state.latest, 0) // 1_000_000
        rows.append(
            {
                "table": state.table,
                "point in time": "on" if state.on else "off",
                "earliest": None if state.earliest is None else format_time(state.earliest),
                "latest": None if state.latest is None else format_time(state.latest),
                "seconds behind": behind,
                "days": state.days,
            }
        )
        if not state.on:
            wrong.append(f"{state.table} cannot go back to a point in time; millrace ops pitr --on switches that on")
        elif behind is None or behind > RPO_SECONDS:
            late = "has no latest point in time yet" if behind is None else f"lags {behind} seconds behind"
            wrong.append(f"{state.table} {late}, where {RPO_SECONDS} are allowed")
    columns = ("table", "point in time", "earliest", "latest", "seconds behind", "days")
    return Report("Point in time", columns, rows, wrong)


def switching_on(stack: Stack, states: Iterable[Continuous]) -> list[Change]:
    """Continuous backups for every table that has none. Again changes nothing."""
    return [Change(f"{each.table}, point in time", _word(each.on), "on", _turning_on(stack, each)) for each in states]


# ------------------------------------------------------------------------------------------------------------- parts


def _word(on: bool) -> str:
    return "on" if on else "off"


def _turning_on(stack: Stack, state: Continuous) -> Callable[[], None]:
    def apply() -> None:
        stack.ask(
            "dynamodb",
            "update_continuous_backups",
            TableName=state.table,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )

    return apply


def _creating(stack: Stack, table: str, now: int, made: list[str]) -> Callable[[], None]:
    def apply() -> None:
        answer = stack.ask("dynamodb", "create_backup", TableName=table, BackupName=backup_name(table, now))
        made.append(answer["BackupDetails"]["BackupArn"])

    return apply


def _then_waiting(create: Callable[[], None], stack: Stack, made: list[str], sleep: Sleep) -> Callable[[], None]:
    def apply() -> None:
        create()
        for arn in made:
            _wait(stack, arn, sleep)

    return apply


def _wait(stack: Stack, arn: str, sleep: Sleep) -> None:
    """Until a backup is available. Raises ``TransientError`` where it takes too long, ``StoreError`` where it ended."""
    waited = 0.0
    while (status := _status(stack, arn)) != AVAILABLE:
        if status == "DELETED":
            raise StoreError(f"The backup {arn} was deleted while it was made; no older one was touched")
        if waited >= PATIENCE_SECONDS:
            raise TransientError(f"The backup {arn} is still {status} after {waited:.0f} s; no older one was deleted")
        sleep(PAUSE_SECONDS)
        waited += PAUSE_SECONDS


def _status(stack: Stack, arn: str) -> str:
    told = stack.ask("dynamodb", "describe_backup", BackupArn=arn)["BackupDescription"]
    return str(told["BackupDetails"]["BackupStatus"])


def _deleting(stack: Stack, old: Backup) -> Callable[[], None]:
    def apply() -> None:
        try:
            stack.ask("dynamodb", "delete_backup", BackupArn=old.arn)
        except Refused as refused:
            if refused.code != "BackupNotFoundException":  # somebody else has just deleted it
                raise

    return apply


def _backup(summary: Any) -> Backup:
    created = _micros(summary["BackupCreationDateTime"])
    named = instant_of(summary["BackupName"])
    return Backup(
        arn=summary["BackupArn"],
        name=summary["BackupName"],
        table=summary["TableName"],
        kind=summary.get("BackupType", "USER"),
        status=summary["BackupStatus"],
        made_at=named if named is not None else created or 0,
        bytes=summary.get("BackupSizeBytes"),
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
