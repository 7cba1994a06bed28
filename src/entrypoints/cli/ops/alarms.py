"""``millrace ops alarms``: what is in ALARM, what it means, what to run."""

from typing import TYPE_CHECKING

import click

from ..options import as_json
from .options import on_a_stack
from .output import show

if TYPE_CHECKING:
    from ...ops.stack import Stack


@click.command
@as_json
@on_a_stack
def alarms(*, form: str | None, stack: "Stack") -> int:
    """Show all alarms of a stack, those in ALARM first.

    Each has its severity, since when it is in its state, what it means, its section of the runbook and the command to
    run first. Exits with 1 where an alarm of P0, P1 or P2 is in ALARM, or where one is missing or notifies nobody.

    \b
    Example:
      millrace ops alarms --store aws:millrace
    """
    from ...ops.alarms import alarms as alarms_of
    from ...ops.alarms import judged

    return show(judged(alarms_of(stack), stack), form)
