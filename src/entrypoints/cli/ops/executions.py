"""``millrace ops executions``: the runs of jobs in Step Functions."""

import uuid
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
    from decimal import Decimal

    from ...ops.stack import Stack

STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE")
any_time = click.option(
    "--since", callback=as_time, metavar="TIME", help="Begun from this instant on: RFC 3339, a date, or ago (2h, 7d)."
)


@click.group()
def executions() -> None:
    """Look after the executions of the state machine DataProcessing: the runs of jobs.

    A job is an execution of its name; retries of it are further ones, NAME.1, NAME.2 and so on.

    \b
    Examples:
      millrace ops executions failures --store aws:millrace
      millrace ops executions retry nightly --store aws:millrace
    """


@executions.command("list")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only those.")
@any_time
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="At most so many.")
@as_json
@on_a_stack
def list_executions(*, status: str | None, since: int | None, limit: int, form: str | None, stack: "Stack") -> int:
    """The executions, the latest first.

    \b
    Examples:
      millrace ops executions list --store aws:millrace
      millrace ops executions list --status FAILED --since 7d --json --store aws:millrace
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
def show_execution(*, name: str, form: str | None, stack: "Stack") -> int:
    """The states of an execution with their times, sizes, errors and causes, and its map runs.

    Exits with 1 where it failed, timed out or was stopped.

    \b
    Example:
      millrace ops executions show nightly --store aws:millrace
    """
    from ...ops import executions as ops

    return show(ops.shown(stack, name), form)


@executions.command
@since_option("7d")
@as_json
@on_a_stack
def failures(*, since: int, form: str | None, stack: "Stack") -> int:
    """The executions that failed or timed out, those of the same state and cause together, the most frequent first.

    ``open`` counts those whose job has not succeeded since. Exits with 1 where there is any.

    \b
    Examples:
      millrace ops executions failures --store aws:millrace
      millrace ops executions failures --since 6h --json --store aws:millrace
    """
    from ...ops import executions as ops

    return show([ops.grouped(ops.failures(stack, since))], form)


@executions.command
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all-failed", is_flag=True, help="All jobs that failed and were not made good, instead of NAMEs.")
@any_time
@click.option("--limit", type=click.IntRange(1), metavar="N", help="With --all-failed: at most so many, the latest.")
@changing
@as_json
@on_a_stack
def retry(
    *,
    names: tuple[str, ...],
    all_failed: bool,
    since: int | None,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Go on with jobs that failed or were stopped, with what is left of them.

    However often and by however many this is run at once, one retry is begun for each failure. A job goes on with its
    files; an execution of no job is redriven, or started once more with the same input under one name.

    \b
    Examples:
      millrace ops executions retry nightly --store aws:millrace
      millrace ops executions retry --all-failed --since 1d --limit 5 --dry-run --store aws:millrace
    """
    from ...ops import executions as ops

    if bool(names) == all_failed:
        raise click.UsageError("Give either NAMEs or --all-failed.")
    if all_failed and since is None:
        raise click.UsageError("--all-failed needs --since: how far back to go.")
    if names and (since, limit) != (None, None):
        raise click.UsageError("--since and --limit are for --all-failed.")
    chosen = list(names) or ops.open_failures(stack, since, limit or 20)
    changes = ops.retrying(stack, chosen)
    for change in changes:
        if not change.needed:
            warn(f"{change.of} is not retried: it is {change.before}")
    return carry_out(changes, dry_run=dry_run, yes=yes, form=form)


@executions.command
@click.argument("name")
@changing
@as_json
@on_a_stack
def stop(*, name: str, dry_run: bool, yes: bool, form: str | None, stack: "Stack") -> int:
    """Stop a job. What was done stays done; a retry goes on from there.

    \b
    Example:
      millrace ops executions stop nightly --store aws:millrace
    """
    from ...ops import executions as ops

    change = ops.stopping(stack, name)
    if not change.needed:
        warn(f"{change.of} does not run: it is {change.before}")
    return carry_out([change], dry_run=dry_run, yes=yes, form=form)


@executions.command
@in_a_span
@for_a_job
@changing
@as_json
@on_a_stack
def start(
    *,
    types: tuple[str, ...],
    shard_size: int | None,
    allowed_rejections: "Decimal | None",
    name: str | None,
    dry_run: bool,
    yes: bool,
    form: str | None,
    span: Span,
    stack: "Stack",
) -> int:
    """Start a job over the receipts of the raw log that were received from --since to --until.

    Processing again changes nothing that is right already. Under the same --name the same job is started once.

    \b
    Examples:
      millrace ops executions start --since 7d --name again-monday --store aws:millrace
      millrace ops executions start --type purchase --dry-run --store aws:millrace
    """
    from ...ops import executions as ops

    spec = spec_of(span, types, shard_size, allowed_rejections)
    job = f"job-{uuid.uuid4()}" if name is None else name
    change = ops.starting(stack, spec, job)
    if not change.needed:
        warn(f"There is a job {job} that does the same: it is {change.before}")
    code = carry_out([change], dry_run=dry_run, yes=yes, form=form)
    if change.needed and not dry_run:
        warn(f"To follow it: millrace ops executions show {job} --store aws:{stack.name}")
    return code
