"""``millrace ops health``: how a stack is."""

import time
from typing import TYPE_CHECKING

import click

from ..exits import OK, warn
from ..options import as_json
from .options import on_a_stack
from .output import show

if TYPE_CHECKING:
    from ...ops.stack import Stack


@click.command
@click.option("--daily", is_flag=True, help="The report over the last 24 hours, with objectives and dead letters.")
@click.option("--watch", "watching", is_flag=True, help="Look again and again, until interrupted.")
@click.option(
    "--every",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: how often.",
)
@as_json
@on_a_stack
def health(*, daily: bool, watching: bool, every: float, form: str | None, stack: "Stack") -> int:
    """Show how a stack is.

    All its parts; the rates of errors, the events and the times of the last 15 minutes; executions that failed; alarms
    in ALARM. What meets the condition of an alarm is as grave here as there. Exits with 1 where something is broken or
    as grave as P0, P1 or P2; with --watch, by the last look.

    \b
    Examples:
      millrace ops health --store aws:millrace
      millrace ops health --watch --every 10 --store aws:millrace
      millrace ops health --daily --store aws:millrace
    """
    from ....core.times import format_time
    from ...ops import health as ops

    def look() -> int:
        return show(ops.daily(stack) if daily else ops.health(stack), form)

    if not watching:
        return look()
    code = OK
    try:
        for latest in ops.watch(look, every, sleep=time.sleep, note=warn):
            code = latest
            if not form:
                click.echo(f"\nAs of {format_time(stack.clock.now() // 1_000_000 * 1_000_000)}.\n")
    except KeyboardInterrupt:
        return code  # how watching ends
    return code
