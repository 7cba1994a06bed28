"""``millrace ops executions``: what the state machine ran, what failed and why, and running it again."""

import uuid
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING

import click

from ..exits import warn
from ..jobs import for_a_job, spec_of
from ..options import Span, as_json, as_time, in_a_span
from .looking import since as since_option
from .options import changing, on_a_stack
from .output import carry_out, show

if TYPE_CHECKING:
    from ...ops.stack import Stack

STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE")
_LATELY = "7d"


@click.group
def executions() -> None:
    """Look after executions of the state machine DataProcessing.

    An execution is one run of a job. The first has the job's name, retries are called NAME.1, NAME.2 and so on.
    millrace jobs shows jobs, with what became of their events; these commands show runs as Step Functions has them,
    also such as somebody started by other means.

    \b
    Examples:
      millrace ops executions failures --store aws:millrace
      millrace ops executions retry nightly --store aws:millrace
    """


@executions.command("list")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only those that stand so.")
@click.option("--since", callback=as_time, metavar="TIME", help="That began from this instant on.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="At most so many.")
@as_json
@on_a_stack
def list_(*, status: str | None, since: int | None, limit: int, form: str | None, stack: "Stack") -> int:
    """List executions, the latest first.

    \b
    Examples:
      millrace ops executions list --status RUNNING --store aws:millrace
      millrace ops executions list --since 7d --json --store aws:millrace
    """
    from ...ops import executions as ops

    found = list(islice(ops.executions(stack, status=status, since=since), limit + 1))
    if len(found) > limit:
        warn(f"There are more than the {limit} shown; --limit shows more")
    return show([ops.listed(found[:limit])], form)


@executions.command("show")
@click.argument("name")
@as_json
@on_a_stack
def show_(*, name: str, form: str | None, stack: "Stack") -> int:
    """Show an execution: its states with their times, sizes, errors and causes, and its map runs.

    Exits with 1 where it failed, timed out or was stopped.

    \b
    Example:
      millrace ops executions show nightly --store aws:millrace
    """
    from ...ops import executions as ops

    return show(ops.shown(stack, name), form)


@executions.command()
@since_option(_LATELY)
@as_json
@on_a_stack
def failures(*, since: int, form: str | None, stack: "Stack") -> int:
    """Show the executions that ended since then by failing or timing out, by state and cause.

    ``open`` counts those whose job has not succeeded since. Exits with 1 where there are any. One that was stopped has
    not failed.

    \b
    Examples:
      millrace ops executions failures --store aws:millrace
      millrace ops executions failures --since 30d --json --store aws:millrace
    """
    from ...ops import executions as ops

    return show([ops.grouped(ops.failures(stack, since))], form)


@executions.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all-failed", "--all", "everything", is_flag=True, help="All that failed and were not made good.")
@click.option(
    "--since",
    callback=as_time,
    metavar="TIME",
    help=f"With --all-failed: that ended from this instant on.  [default: {_LATELY} ago]",
)
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="With --all-failed: the latest so many.  [default: 20]"
)
@changing
@as_json
@on_a_stack
def retry(
    *,
    names: tuple[str, ...],
    everything: bool,
    since: int | None,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Run executions again that failed or were stopped.

    A job goes on with what is left of it, as millrace jobs retry does it: in a new execution, which is named after the
    job and its number, so that two who retry start one. What is no job's is redriven from the state in which it ended,
    or started again with its input under a name that is made of its own. What runs or has succeeded stays as it is.

    \b
    Examples:
      millrace ops executions retry nightly --store aws:millrace
      millrace ops executions retry --all-failed --since 1d --limit 5 --dry-run --store aws:millrace
    """
    from ...ops import retrying as ops

    if everything == bool(names):
        raise click.UsageError("Name the executions, or give --all-failed.")
    if names and (since, limit) != (None, None):
        raise click.UsageError("--since and --limit are for --all-failed.")
    if everything:
        lately = stack.clock.now() - 7 * 86_400 * 1_000_000 if since is None else since
        changes = ops.retrying(stack, ops.open_failures(stack, lately, limit or 20))
    else:
        changes = ops.retrying(stack, names)
    for change in changes:
        if not change.needed:
            warn(f"{change.of} is not retried: it is {change.before}")
    return carry_out(changes, dry_run=dry_run, yes=yes, form=form)


@executions.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@changing
@as_json
@on_a_stack
def stop(*, names: tuple[str, ...], dry_run: bool, yes: bool, form: str | None, stack: "Stack") -> int:
    """Stop executions that run; what they have done stays done. Of a job its last execution is stopped.

    \b
    Example:
      millrace ops executions stop nightly --store aws:millrace
    """
    from ...ops import retrying as ops

    changes = [ops.stopping(stack, name) for name in dict.fromkeys(names)]
    for change in changes:
        if not change.needed:
            warn(f"{change.of} does not run: it is {change.before}")
    return carry_out(changes, dry_run=dry_run, yes=yes, form=form)


@executions.command()
@in_a_span
@for_a_job
@changing
@as_json
@on_a_stack
def start(
    *,
    types: tuple[str, ...],
    shard_size: int | None,
    allowed_rejections: Decimal | None,
    name: str | None,
    span: Span,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Start a job over receipts of the raw log, and do not wait for it (millrace jobs start does).

    --since and --until choose receipts by when they were received. A job of that name that is to do the same is not
    started a second time.

    \b
    Examples:
      millrace ops executions start --since 1d --name again-20261125 --store aws:millrace
      millrace ops executions start --type purchase --dry-run --store aws:millrace
    """
    from ...ops import retrying as ops

    spec = spec_of(span, types, shard_size, allowed_rejections)
    job = f"job-{uuid.uuid4()}" if name is None else name
    change = ops.starting(stack, spec, job)
    if not change.needed:
        warn(f"There is a job {job} that does the same: it is {change.before}")
    code = carry_out([change], dry_run=dry_run, yes=yes, form=form)
    if change.needed and not dry_run:
        warn(f"To follow it: millrace ops executions show {job} --store aws:{stack.name}")
    return code
