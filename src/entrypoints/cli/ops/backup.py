"""``millrace ops backup`` and ``pitr``: backups of the tables, on demand and continuous."""

from typing import TYPE_CHECKING

import click

from ..options import as_json
from .options import changing, on_a_stack
from .output import carry_out, make, show

if TYPE_CHECKING:
    from ...ops.stack import Stack


@click.command
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Then delete those older than the N latest of each table. Backups that have other names are left alone.",
)
@changing
@as_json
@on_a_stack
def backup(*, keep: int | None, dry_run: bool, yes: bool, form: str | None, stack: "Stack") -> int:
    """Back up all tables now.

    Each backup is named after its table and the instant. The ledger is backed up first and the curated events last, so
    that whatever an entry of the ledger counts is in the backup of the events. Older backups are deleted only when all
    the new ones are available.

    \b
    Examples:
      millrace ops backup --store aws:millrace
      millrace ops backup --keep 7 --yes --store aws:millrace
    """
    from ...ops.backups import plan

    return carry_out(plan(stack, keep), dry_run=dry_run, yes=yes, form=form)


@click.command
@click.option("--on", "switch", is_flag=True, help="Switch it on for every table that has it off.")
@changing
@as_json
@on_a_stack
def pitr(*, switch: bool, dry_run: bool, yes: bool, form: str | None, stack: "Stack") -> int:
    """Show to which points in time each table can go back.

    Exits with 1 where a table has no continuous backups, or where they lag more than five minutes behind.

    \b
    Examples:
      millrace ops pitr --store aws:millrace
      millrace ops pitr --on --yes --store aws:millrace
    """
    from ...ops.backups import continuous, judged, switching_on

    states = [continuous(stack, table) for table in stack.tables]
    if not switch:
        return show([judged(states, stack.clock.now())], form)
    changes = switching_on(stack, states)
    if dry_run or form:
        return carry_out(changes, dry_run=dry_run, yes=yes, form=form)
    if make(changes, dry_run=False, yes=yes, form=form):
        click.echo("A table that was switched on can go back to points in time in some minutes.", err=True)
    return 0
