"""``millrace ops slo``: the objectives, as they were met."""

from typing import TYPE_CHECKING

import click

from ..options import as_json
from .options import on_a_stack
from .output import show

if TYPE_CHECKING:
    from ...ops.stack import Stack

_KEPT_DAYS = 455


@click.command
@click.option(
    "--days",
    type=click.IntRange(1, _KEPT_DAYS),
    default=30,
    show_default=True,
    help="Measure within the last N days, by whole hours.",
    metavar="N",
)
@as_json
@on_a_stack
def slo(*, days: int, form: str | None, stack: "Stack") -> int:
    """Measure the objectives and show what is left of each error budget.

    The budget is the share that may be bad; below 0 % the objective is missed, and the exit code is 1. An objective
    without traffic is not missed.

    \b
    Examples:
      millrace ops slo --store aws:millrace
      millrace ops slo --days 1 --store aws:millrace
    """
    from ...ops.slo import objectives

    return show([objectives(stack, days)], form)
