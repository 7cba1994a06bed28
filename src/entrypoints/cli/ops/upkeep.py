"""``millrace ops runtimes``, ``retention``, ``cost`` and ``performance``: what is looked at by the week or month."""

from typing import TYPE_CHECKING

import click

from ..options import as_json
from .looking import names, since
from .options import changing, on_a_stack
from .output import carry_out, show

if TYPE_CHECKING:
    from ...ops.stack import Stack


@click.command
@as_json
@on_a_stack
def runtimes(*, form: str | None, stack: "Stack") -> int:
    """Show what the functions run on, and until when AWS supports it.

    Exits with 1 where a runtime is supported no longer, or not for much longer than half a year.

    \b
    Example:
      millrace ops runtimes --store aws:millrace
    """
    from ...ops.runtimes import runtimes as of

    return show([of(stack)], form)


@click.command
@click.option("--set", "days", type=int, metavar="DAYS", help="Give those that have none a retention of so many days.")
@changing
@as_json
@on_a_stack
def retention(*, days: int | None, dry_run: bool, yes: bool, form: str | None, stack: "Stack") -> int:
    """Show the log groups, how long they keep their lines, and how much they hold.

    Exits with 1 where one keeps its lines for ever. What the template sets is changed for good by its parameter
    LogRetentionDays.

    \b
    Examples:
      millrace ops retention --store aws:millrace
      millrace ops retention --set 30 --dry-run --store aws:millrace
    """
    from ...ops.retention import DAYS, changes, groups, judged

    found = groups(stack)
    if days is None:
        return show([judged(found)], form)
    if days not in DAYS:
        raise click.UsageError(f"A retention is one of {', '.join(map(str, DAYS))} days.")
    return carry_out(changes(stack, found, days), dry_run=dry_run, yes=yes, form=form)


@click.command
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="The last whole days.")
@click.option("--account", "whole_account", is_flag=True, help="All of the account, not only what the stack is tagged.")
@as_json
@on_a_stack
def cost(*, days: int, whole_account: bool, form: str | None, stack: "Stack") -> int:
    """Show what AWS charged, by service.

    A stack's share is known where aws:cloudformation:stack-name is switched on as a cost allocation tag. What a load
    will cost is told by millrace cost. Each look costs a cent: Cost Explorer charges for its answers.

    \b
    Examples:
      millrace ops cost --store aws:millrace
      millrace ops cost --days 7 --account --store aws:millrace
    """
    from ...ops.spending import spending

    return show([spending(stack, days, whole_account=whole_account)], form)


@click.command
@click.argument("functions", nargs=-1, metavar="[FUNCTION]...")
@since("1d")
@as_json
@on_a_stack
def performance(*, functions: tuple[str, ...], since: int, form: str | None, stack: "Stack") -> int:
    """Show the memory and time that functions have and use, and propose what to change.

    FUNCTION is ingestion, validation, transformation, analytics or query; all where none is named. Exits with 1 where
    a function is about to run out of memory, or to be cut off.

    \b
    Examples:
      millrace ops performance --store aws:millrace
      millrace ops performance transformation --since 7d --store aws:millrace
    """
    from ...ops.performance import performance as of

    return show([of(stack, names(stack, functions), since)], form)
