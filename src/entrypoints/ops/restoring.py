"""Restoring a table from a backup or a point in time: to a new table, and from there what is missing in the live one.

A stack's tables have fixed names, which its functions, roles, stream and alarms know; and while a copy is restored,
events go on arriving. So the live table is not exchanged: what it lacks is put back into it, each item only where its
key is free. That is safe at any time, again, and by several at once, since the first write of a key wins everywhere:

- A curated event is put back marked as restored, so that no view counts it a second time; one that is archived stays
  in the archive.
- A marker of an identity, and an entry of the ledger, are put back as they are: processing the receipt again would
  write the same.
- Rows of views are not: a row is what was folded up to some change, and what came later would be missing in it. Views
  are built anew from the curated events. Put back are the rows that nothing else tells: the archive's boundary, and
  which generations there are.

Only where a table is gone altogether is it restored under its own name, with the settings of the template.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...core.errors import StoreError
from ...core.times import EPOCH, format_time
from .backups import Backup, Sleep, available, continuous, listed, stamp
from .findings import Change
from .stack import Stack
from .tables import described, settings, wait_for

LATEST: Final = "latest"

_RESTORED: Final = re.compile(r"(?P<table>.+)-restored-[0-9]{8}T[0-9]{6}Z")


@attrs.frozen(kw_only=True)
class Origin:
    """What a table is restored from: a backup, or an instant of its continuous backups."""

    table: str
    at: int
    backup: Backup | None = None

    @property
    def told(self) -> str:
        """In words."""
        return f"backup {self.backup.name}" if self.backup else f"its state of {format_time(self.at)}"


def table_named(stack: Stack, name: str) -> str:
    """The table that is meant by its name, with the environment's suffix or without. Raises ``StoreError``."""
    for table in stack.tables:
        if name in (table, table.removesuffix(stack.suffix) if stack.suffix else table):
            return table
    raise StoreError(f"The stack has no table {name!r}; it has {', '.join(stack.tables)}")


def origin_of(stack: Stack, table: str, *, backup: str | None = None, at: int | None = None) -> Origin:
    """The origin that is asked for: ``backup`` by its name, its ARN, or as "latest"; or the instant ``at``.

    Raises ``StoreError`` where there is no such backup, or the table cannot go back to that instant.
    """
    if backup is not None:
        usable = list(available(listed(stack, table)))
        found = [each for each in usable if backup in (each.name, each.arn, LATEST)]
        if not found:
            none = f"no available backup {backup!r}" if backup != LATEST else "no available backup"
            raise StoreError(f"{table} has {none}; millrace ops restore lists what there is")
        return Origin(table=table, at=found[0].made_at, backup=found[0])
    if at is None:
        raise ValueError("neither a backup nor an instant")
    state = continuous(stack, table)
    if not state.on or state.earliest is None or state.latest is None:
        raise StoreError(f"{table} cannot go back to a point in time: that is switched off, or not ready yet")
    if not state.earliest <= at <= state.latest:
        span = f"from {format_time(state.earliest)} to {format_time(state.latest)}"
        raise StoreError(f"{table} cannot go back to {format_time(at)}, only to an instant {span}")
    return Origin(table=table, at=at)


def target_of(stack: Stack, origin: Origin) -> str:
    """The table to restore to: a new one beside the live one; under its own name where that is gone, or was and is not
    finished yet.
    """
    live = described(stack, origin.table)
    if live is None:
        return origin.table
    if origin.backup is not None and _is_of(live, origin):
        unfinished = live["TableStatus"] != "ACTIVE"
        if unfinished or any(change.needed for change in settings(stack, origin.table, live, time.sleep)):
            return origin.table
    return f"{origin.table}-restored-{stamp(origin.at)}"


def is_restored(stack: Stack, name: str) -> bool:
    """Whether a name is that of a table that was restored beside a live one of the stack."""
    named = _RESTORED.fullmatch(name)
    return named is not None and named["table"] in stack.tables


def restoring(stack: Stack, origin: Origin, *, sleep: Sleep = time.sleep) -> list[Change]:
    """Restore to the target, and wait until it can be read. Where it is there already, from the same origin, there is
    nothing to change. A table under its own name gets its settings back.

    Raises ``StoreError`` where a table of that name was restored from something else.
    """
    target = target_of(stack, origin)
    existing = described(stack, target)
    after = f"restored from {origin.told}"
    if existing is not None and not _is_of(existing, origin):
        raise StoreError(f"There is a table {target} already, which was restored from something else")
    before = None if existing is None else after
    if existing is not None and existing["TableStatus"] != "ACTIVE":
        before = str(existing["TableStatus"]).lower()

    def apply() -> None:
        _restore(stack, origin, target)
        wait_for(stack, target, sleep)

    changes = [Change(target, before, after, apply)]
    return changes + (settings(stack, target, existing, sleep) if target == origin.table else [])


def dropping(stack: Stack, names: Collection[str]) -> list[Change]:
    """An end to tables that were restored beside live ones. Raises ``StoreError`` for any other name."""
    changes = []
    for name in names:
        if not is_restored(stack, name):
            raise StoreError(f"{name} is no table that was restored beside one of the stack; it is not deleted")
        there = described(stack, name) is not None
        changes.append(Change(name, "there" if there else None, None, _dropping(stack, name)))
    return changes


# ------------------------------------------------------------------------------------------------------------- parts


def _is_of(found: Mapping[str, Any], origin: Origin) -> bool:
    """Whether a table was restored from that. Of a point in time the table's name says which."""
    told = found.get("RestoreSummary")
    if told is None:
        return False
    if origin.backup is not None:
        return bool(told.get("SourceBackupArn") == origin.backup.arn)
    named = _RESTORED.fullmatch(str(found["TableName"]))
    return "SourceBackupArn" not in told and named is not None


def _restore(stack: Stack, origin: Origin, target: str) -> None:
    try:
        if origin.backup is not None:
            stack.ask("dynamodb", "restore_table_from_backup", TargetTableName=target, BackupArn=origin.backup.arn)
            return
        stack.ask(
            "dynamodb",
            "restore_table_to_point_in_time",
            SourceTableName=origin.table,
            TargetTableName=target,
            RestoreDateTime=EPOCH + timedelta(microseconds=origin.at),
        )
    except Refused as refused:
        # Somebody else has begun the same; what it is of was looked at, and is looked at again when it is read.
        if refused.code not in ("TableAlreadyExistsException", "TableInUseException", "ResourceInUseException"):
            raise
        found = described(stack, target)
        if found is None or not _is_of(found, origin):
            raise


def _dropping(stack: Stack, name: str) -> Callable[[], None]:
    def apply() -> None:
        try:
            stack.ask("dynamodb", "delete_table", TableName=name)
        except Refused as refused:
            if refused.code != "ResourceNotFoundException":  # somebody else has just deleted it
                raise

    return apply
