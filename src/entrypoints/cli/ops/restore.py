"""``millrace ops restore``: a table from a backup or a point in time, and what is missing back into the live one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..exits import warn
from ..options import as_json, as_time
from ..output import print_json
from .options import changing, on_a_stack
from .output import make, show

if TYPE_CHECKING:
    from ...ops.findings import Change
    from ...ops.restoring import Origin
    from ...ops.returning import Comparison, Returning
    from ...ops.stack import Stack


@click.command
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--backup", metavar="NAME", help='Restore this backup: its name or ARN, or "latest".')
@click.option("--at", callback=as_time, metavar="TIME", help="Restore the state of this instant.")
@click.option("--copy", metavar="NAME", help="Go on with a table that was restored before.")
@click.option("--swap", is_flag=True, help="Put back into the live table what it lacks of the restored one.")
@click.option("--drop", is_flag=True, help="Delete the restored table in the end.")
@changing
@as_json
@on_a_stack
def restore(
    *,
    tables: Sequence[str],
    backup: str | None,
    at: int | None,
    copy: str | None,
    swap: bool,
    drop: bool,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Restore tables (by default all) to new ones beside them, and compare these with the live ones.

    Without an option: lists the backups. A restored table is named after the table and the instant; it is compared
    with the live one item by item, and some of its receipts are looked up in the raw log. Exits with 1 where the live
    table lacks something.

    --swap puts back what is missing, each item only where its key is free: it can be done while events arrive, and
    again. Curated events come back without being counted by views a second time; those that are archived stay in the
    archive. Of the views only the archive's boundary and the list of generations are put back; their rows are built
    anew (millrace rebuild --all).

    A table that is gone altogether is restored under its own name, with its settings; what came after the backup is
    then processed again (millrace backfill aws:STACK), and the views are built anew.

    \b
    Examples:
      millrace ops restore --store aws:millrace
      millrace ops restore CuratedEvents --backup latest --store aws:millrace
      millrace ops restore CuratedEvents --at 2h --swap --drop --store aws:millrace
      millrace ops restore CuratedEvents --copy CuratedEvents-restored-20261123T020000Z --swap --store aws:millrace
    """
    from ...ops import backups, restoring
    from ...ops.returning import Returning, report_of

    _require_sense(tables, backup, at, copy, swap=swap or drop)
    if backup is None and at is None and copy is None:
        states = [backups.continuous(stack, table) for table in stack.tables]
        return show([backups.overview(stack), backups.judged(states, stack.clock.now())], form)
    named = [restoring.table_named(stack, name) for name in tables] or stack.tables
    origins: list[Origin] = []
    restored: list[str] = [copy] if copy is not None else []
    changes: list[Change] = []
    if copy is None:
        for table in named:
            origins.append(restoring.origin_of(stack, table, backup=backup, at=at))
            restored.append(restoring.target_of(stack, origins[-1]))
            changes += restoring.restoring(stack, origins[-1])
        if changes and not form:
            click.echo("Restoring takes some minutes, of a large table more.", err=True)
        make(changes, dry_run=dry_run, yes=yes, form=form)
        if dry_run and any(change.needed for change in changes):
            _print_planned(changes, form)
            return 0
    returnings = [Returning(stack, table, name) for table, name in zip(named, restored, strict=True)]
    expected = [None if origin.backup is None else backups.items_of(stack, origin.backup) for origin in origins]
    found = [each.compare(count) for each, count in zip(returnings, expected or [None] * len(returnings), strict=True)]
    if swap:
        found = _swapped(returnings, found, dry_run=dry_run, yes=yes, form=form)
    code = show([report_of(found)], form)
    if drop:
        beside = [name for table, name in zip(named, restored, strict=True) if name != table]
        make(restoring.dropping(stack, beside), dry_run=dry_run, yes=yes, form=form)
    if swap and not dry_run:
        warn(f"Prove it now: millrace reconcile --store aws:{stack.name}")
    return code


def _require_sense(tables: Sequence[str], backup: str | None, at: int | None, copy: str | None, *, swap: bool) -> None:
    given = sum(each is not None for each in (backup, at, copy))
    if given > 1:
        raise click.UsageError("--backup, --at and --copy exclude each other.")
    if not given and (swap or tables):
        raise click.UsageError("Say what to restore from: --backup, --at or --copy.")
    if copy is not None and len(tables) != 1:
        raise click.UsageError("With --copy, name the one table that it was restored from.")


def _swapped(
    returnings: "Sequence[Returning]", found: "list[Comparison]", *, dry_run: bool, yes: bool, form: str | None
) -> "list[Comparison]":
    changes = [each.change(comparison) for each, comparison in zip(returnings, found, strict=True)]
    if not make(changes, dry_run=dry_run, yes=yes, form=form):
        return found
    return [each.compare(was.expected) for each, was in zip(returnings, found, strict=True)]


def _print_planned(changes: "Sequence[Change]", form: str | None) -> None:
    if form:
        print_json({"made": False, "changes": [change.as_dict() for change in changes if change.needed]})
