"""``millrace ops undelivered``: what lies in the dead-letter queues and is no dead letter."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..options import as_json
from .options import changing, on_a_stack
from .output import carry_out, show

if TYPE_CHECKING:
    from ...ops.stack import Stack


@click.command
@click.option("--clear", metavar="FILE", help="Write them to this new file, then delete them from their queues.")
@changing
@as_json
@on_a_stack
def undelivered(*, clear: str | None, dry_run: bool, yes: bool, form: str | None, stack: "Stack") -> int:
    """Show what AWS put into the dead-letter queues when it gave up: failed jobs, changes that no view has folded,
    sweeps that were not called, and anything else that is no dead letter.

    Exits with 1 where there is any. --clear is for when somebody has seen to it, since the alarm stays on as long as a
    message is there. Receipts that the queue gave up are not cleared: millrace dead-letters redrive processes them.

    \b
    Examples:
      millrace ops undelivered --store aws:millrace
      millrace ops undelivered --clear seen-to.ndjson --store aws:millrace
    """
    from ...ops import undelivered as ops

    if clear is None and (dry_run or yes):
        raise click.UsageError("--dry-run and --yes are for --clear.")
    found = ops.undelivered(stack)
    if clear is None:
        return show([ops.report(found)], form)
    return carry_out(ops.clearing(stack, found, Path(clear)), dry_run=dry_run, yes=yes, form=form)
