"""``millrace ops throttle``, ``concurrency``, ``capacity`` and ``timeout``: limits, read and set."""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ..exits import warn
from ..options import as_json
from .looking import names
from .options import changing, on_a_stack
from .output import carry_out, show

if TYPE_CHECKING:
    from ...ops.findings import Change
    from ...ops.stack import Stack

MOST_UNITS = 1_000_000


def _set(changes: "Sequence[Change]", lasting: Sequence[str], *, dry_run: bool, yes: bool, form: str | None) -> int:
    """Carry changes out, and tell how they last."""
    code = carry_out(changes, dry_run=dry_run, yes=yes, form=form)
    if any(change.needed for change in changes):
        warn(f"The next deployment of the template can set this back. For good, change {'; '.join(lasting)}")
    return code


def _only_to_set(given: bool, *, dry_run: bool, yes: bool, options: str) -> None:
    if not given and (dry_run or yes):
        raise click.UsageError(f"--dry-run and --yes are for changes: give {options}.")


def concurrency_value(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """A number of instances, or ``none``, which is -1."""
    if value is None:
        return None
    if value == "none":
        return -1
    if not re.fullmatch(r"[0-9]{1,6}", value):
        raise click.BadParameter(f"{value!r} is no concurrency: give a number, or none.")
    return int(value)


def bounds(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """MIN-MAX, or one number for both."""
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,7})(?:-([0-9]{1,7}))?", value)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= least <= most <= MOST_UNITS:
        raise click.BadParameter(f"{value!r} are no bounds: give MIN-MAX, each from 1 to {MOST_UNITS}, such as 5-500.")
    return least, most


@click.command
@click.option("--rate", type=click.IntRange(0), metavar="N", help="Requests a second of every method but ingestion.")
@click.option("--burst", type=click.IntRange(0), metavar="N", help="Requests at once.")
@click.option("--ingest-rate", type=click.IntRange(0), metavar="N", help="The same for POST /ingest and below.")
@click.option("--ingest-burst", type=click.IntRange(0), metavar="N", help="The same for POST /ingest and below.")
@changing
@as_json
@on_a_stack
def throttle(
    *,
    rate: int | None,
    burst: int | None,
    ingest_rate: int | None,
    ingest_burst: int | None,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Show how many requests the API takes, or change it with the options.

    The stage's limits are for each method, the usage plan's for each client; a limit is set for both. With IAM there is
    no usage plan. 0 refuses every request. Exits with 1 where requests are refused, or where stage and plan differ.

    \b
    Examples:
      millrace ops throttle --store aws:millrace
      millrace ops throttle --ingest-rate 200 --ingest-burst 400 --dry-run --store aws:millrace
    """
    from ...ops import throttling

    given = {"api": (rate, burst), "ingest": (ingest_rate, ingest_burst)}
    wishes = {part: throttling.Wish(*wish) for part, wish in given.items() if wish != (None, None)}
    _only_to_set(bool(wishes), dry_run=dry_run, yes=yes, options="--rate, --burst, --ingest-rate or --ingest-burst")
    if not wishes:
        return show([throttling.throttling(stack)], form)
    changes = throttling.setting(stack, wishes)
    return _set(changes, throttling.for_good(wishes), dry_run=dry_run, yes=yes, form=form)


@click.command
@click.argument("functions", nargs=-1, metavar="[FUNCTION]...")
@click.option("--reserved", callback=concurrency_value, metavar="N|none", help="How many run at once; 0 switches off.")
@click.option("--provisioned", callback=concurrency_value, metavar="N|none", help="How many of prod are kept warm.")
@changing
@as_json
@on_a_stack
def concurrency(
    *,
    functions: tuple[str, ...],
    reserved: int | None,
    provisioned: int | None,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Show how many of each function run at once and may, or change it for each FUNCTION with the options.

    What ran at once and what was throttled is of the last hour. The account keeps 100 that no function has reserved.
    Exits with 1 where a function is switched off, was throttled, or is sent more of the queue than it may run.

    \b
    Examples:
      millrace ops concurrency --store aws:millrace
      millrace ops concurrency transformation --reserved 120 --yes --store aws:millrace
      millrace ops concurrency ingestion --provisioned 5 --dry-run --store aws:millrace
    """
    from ...ops import concurrency as ops

    given = (reserved, provisioned) != (None, None)
    _only_to_set(given, dry_run=dry_run, yes=yes, options="--reserved or --provisioned")
    named = names(stack, functions)
    if given and not functions:
        raise click.UsageError("Name each FUNCTION that is to be changed.")
    found = ops.concurrencies(stack)
    if not given:
        return show([ops.judged([each for each in found if each.function in named], ops.shares_of(stack))], form)
    wish = ops.Wish(reserved, provisioned)
    changes = ops.setting(stack, found, named, wish)
    for sentence in ops.consequences(found, named, wish):
        warn(f"Then: {sentence}")
    return _set(changes, ops.for_good(named, wish), dry_run=dry_run, yes=yes, form=form)


@click.command
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--on-demand", is_flag=True, help="Pay per request; DynamoDB follows the load.")
@click.option("--read", callback=bounds, metavar="MIN-MAX", help="Provisioned, with auto-scaling of read units.")
@click.option("--write", callback=bounds, metavar="MIN-MAX", help="Provisioned, with auto-scaling of write units.")
@click.option("--target", type=click.IntRange(20, 90), metavar="PERCENT", help="Of units in use.  [default: 70]")
@changing
@as_json
@on_a_stack
def capacity(
    *,
    tables: tuple[str, ...],
    on_demand: bool,
    read: tuple[int, int] | None,
    write: tuple[int, int] | None,
    target: int | None,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Show the capacity of the tables, or change it for each TABLE with the options.

    A TABLE is curated, identities, views, ledger, or its name. What was throttled is of the last hour. A table that
    becomes provisioned starts with MAX units, and auto-scaling takes them down. DynamoDB changes a table to on demand
    four times in 24 hours at most. Exits with 1 where a table throttles or has no more to scale to.

    \b
    Examples:
      millrace ops capacity --store aws:millrace
      millrace ops capacity curated --read 5-500 --write 20-1000 --dry-run --store aws:millrace
      millrace ops capacity curated --on-demand --yes --store aws:millrace
    """
    from ...ops import capacity as ops

    wished: dict[str, Any] = {"read": read, "write": write}
    given = on_demand or any(wished.values())
    _only_to_set(given, dry_run=dry_run, yes=yes, options="--on-demand, or --read and --write")
    if on_demand and any(wished.values()):
        raise click.UsageError("--on-demand has no --read and --write.")
    if given and not on_demand and not all(wished.values()):
        raise click.UsageError("Give both --read and --write.")
    if target is not None and not any(wished.values()):
        raise click.UsageError("--target is for --read and --write.")
    if given and not tables:
        raise click.UsageError("Name each TABLE that is to be changed.")
    try:
        named = [*dict.fromkeys(ops.table_of(stack, name) for name in tables)] or stack.tables
    except KeyError as error:
        raise click.UsageError(f"{error.args[0]}.") from None
    found = [each for each in ops.capacities(stack) if each.table in named]
    if not given:
        return show([ops.judged(found, ops.parameters(stack))], form)
    aim = float(ops.TARGET if target is None else target)
    scaling = {kind: ops.Scaling(each[0], each[1], aim) for kind, each in wished.items() if each}
    changes = ops.setting(stack, found, scaling)
    return _set(changes, ops.for_good(stack, named, scaling), dry_run=dry_run, yes=yes, form=form)


@click.command
@click.argument("functions", nargs=-1, metavar="[FUNCTION]...")
@click.option("--seconds", type=click.IntRange(1, 900), metavar="N", help="The time-out of each FUNCTION.")
@click.option(
    "--visibility",
    type=click.IntRange(0, 43_200),
    metavar="N",
    help="Seconds for which the processing queue hides a message that was received.",
)
@changing
@as_json
@on_a_stack
def timeout(
    *,
    functions: tuple[str, ...],
    seconds: int | None,
    visibility: int | None,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Show the time-outs of the functions and of the queue, or change them with the options.

    Functions of the API have 29 s at most, since API Gateway waits no longer; a message stays hidden for six times the
    time-out of the function that processes it. A time-out belongs to a version of a function: a new version like the
    one that prod serves is published, and prod moves to it. Exits with 1 where time-outs do not go together.

    \b
    Examples:
      millrace ops timeout --store aws:millrace
      millrace ops timeout transformation --seconds 360 --visibility 2160 --dry-run --store aws:millrace
    """
    from ...ops import timeouts

    given = (seconds, visibility) != (None, None)
    _only_to_set(given, dry_run=dry_run, yes=yes, options="--seconds or --visibility")
    if (seconds is not None) != bool(functions):
        raise click.UsageError("Give --seconds together with each FUNCTION that is to be changed.")
    if not given:
        return show([timeouts.timeouts(stack)], form)
    wanted = {*names(stack, functions)} if functions else set()
    roles = [role for role, name in timeouts.names_of(stack).items() if name in wanted]
    changes = timeouts.setting(stack, timeouts.timeouts_of(stack), roles, seconds, visibility, time.sleep)
    return _set(changes, timeouts.for_good(roles, visibility), dry_run=dry_run, yes=yes, form=form)
