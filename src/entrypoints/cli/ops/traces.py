"""``millrace ops trace`` and ``map``: what X-Ray saw, joined with the log lines."""

from typing import TYPE_CHECKING

import click

from ..exits import warn
from ..options import as_json
from .looking import quotable, since, until
from .options import on_a_stack
from .output import show

if TYPE_CHECKING:
    from ...ops.stack import Stack


@click.command
@click.argument("id", required=False, callback=quotable)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Without an ID: how many.")
@until
@since("3h")
@as_json
@on_a_stack
def trace(*, id: str | None, limit: int, since: int, until: int | None, form: str | None, stack: "Stack") -> int:
    """Show recent traces, or all that is known of one ID.

    Without an ID: the traces with faults and errors, the latest first, then the slowest. X-Ray samples: not every
    request has a trace.

    ID is that of a trace, of an invocation, of a request of the API, or of a receipt (its correlation id). Shown are
    its traces, part by part, and the log lines of all functions that had to do with it, whether it was traced or not.
    Where the ID tells when it was made, --since is not needed. Exits with 1 where something has a fault or an error.

    \b
    Examples:
      millrace ops trace --since 1h --store aws:millrace
      millrace ops trace 019ab2c0-5c1e-7d3a-8f00-0123456789ab --store aws:millrace
    """
    from ...ops import journeys, traces

    end = stack.clock.now() + 1 if until is None else until
    if id is None:
        found = traces.summaries(stack, since, end, traces.of_the_stack(stack))
        return show([traces.recent(found, limit)], form)
    journey = journeys.journey(stack, id, since, end)
    if journey.lines and not journey.traces:
        warn("X-Ray has no trace of it: it keeps a sample of the requests, for 30 days")
    return show(journeys.reports(journey), form)


@click.command("map")
@until
@since("1h")
@as_json
@on_a_stack
def service_map(*, since: int, until: int | None, form: str | None, stack: "Stack") -> int:
    """Show who calls whom: the service graph of X-Ray.

    The functions of the stack and its API, all that they call and all that call them, with calls, errors, throttled
    calls, faults and the mean time. Exits with 1 where over 5 % of at least 20 calls of a node had a fault.

    \b
    Example:
      millrace ops map --since 2h --store aws:millrace
    """
    from ...ops import graph

    end = stack.clock.now() + 1 if until is None else until
    return show(graph.reports(graph.graph(stack, since, end), since), form)
