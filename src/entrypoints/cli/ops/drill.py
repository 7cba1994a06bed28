"""``millrace ops disaster-drill``: all of recovery, practised and timed in a scratch stack."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..exits import FAILED, Fault
from ..options import Span, as_json, in_a_span
from ..output import print_json
from .deploy import from_elsewhere
from .options import changing, on_a_stack, opened
from .output import make, show
from .progress import counting

if TYPE_CHECKING:
    from ...ops.deployment import Deployment
    from ...ops.drill import Drilled
    from ...ops.stack import Stack


@click.command("disaster-drill")
@click.option("--scratch", required=True, metavar="aws:STACK", help="The empty stack that everything is rebuilt in.")
@click.option("--deploy", is_flag=True, help="Build and deploy the scratch stack first, and time that too.")
@click.option(
    "--checkout",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The checkout of Millrace to deploy.  [default: here]",
)
@click.option("--from", "source", metavar="BUCKET", help="Take the raw log from its copy in this bucket.")
@click.option("--here", is_flag=True, help="Process in this process rather than by the scratch stack's functions.")
@click.option("--go-on", is_flag=True, help="The scratch stack holds what an interrupted drill has left.")
@click.option(
    "--catalog",
    "named",
    envvar="MILLRACE_CATALOG",
    metavar="NAME",
    help="The catalog: module:attribute or a .py file (env MILLRACE_CATALOG).  [default: that of the stack]",
)
@in_a_span
@changing
@as_json
@on_a_stack
def disaster_drill(
    *,
    scratch: str,
    deploy: bool,
    checkout: Path,
    source: str | None,
    here: bool,
    go_on: bool,
    named: str | None,
    span: Span,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Rebuild a stack from its raw log alone in a scratch stack, and prove that it is the same.

    The steps of a real recovery, each timed: the stack is deployed (with --deploy), the functions answer, the raw log
    is copied, every receipt is processed and the views are folded. Then the scratch stack is reconciled, and its
    curated events, views, dead letters and ledger are compared with the live stack's by count and hash. What arrives
    at the live stack meanwhile is left out.

    Exits with 1 where a step took longer than it may (stack 15 minutes, functions 2, tables 10), where a receipt or
    more than 5 minutes of a table would be lost, or where anything differs. The live stack is only read. The scratch
    stack is aws:millrace-ENVIRONMENT, of any environment but production, and has the live stack's package. It stays
    when the drill is over: look around in it, and delete it.

    \b
    Examples:
      millrace ops disaster-drill --scratch aws:millrace-drill --dry-run --store aws:millrace
      millrace ops disaster-drill --scratch aws:millrace-drill --deploy --catalog shop.py --store aws:millrace
      millrace ops disaster-drill --scratch aws:millrace-drill --from millrace-backup --store aws:millrace
      millrace ops disaster-drill --scratch aws:millrace-drill --since 30d --yes --json --store aws:millrace
    """
    from ....core.identity import EARLIEST, LATEST
    from ...bootstrap import open_platform
    from ...catalogs import load_catalog
    from ...ops import drill
    from ...ops.findings import Change

    named = named or stack.outputs["CatalogName"]
    catalog = load_catalog(named)
    plan = _plan(scratch, stack, checkout) if deploy else None
    if plan is None:
        drill.require_scratch(stack, opened(scratch), go_on=go_on)
    since = None if span.since == EARLIEST else span.since
    until = None if span.until > LATEST else span.until
    done: list[Drilled] = []

    def run() -> None:
        seconds = None if plan is None else _deployed(plan, stack, checkout, named)
        other = opened(scratch)
        drill.require_scratch(stack, other, go_on=go_on)
        live, rebuilt = (open_platform(f"aws:{each.name}", catalog, write=True) for each in (stack, other))
        with live as first, rebuilt as second, counting("objects") as told:
            done.append(
                drill.drill(
                    drill.Side(stack, first),
                    drill.Side(other, second),
                    load=drill.in_this_process if here else drill.by_job(),
                    source=source,
                    since=since,
                    until=until,
                    deployed=seconds,
                    told=told,
                )
            )

    before = "what an earlier drill has left" if go_on else "not deployed" if deploy else "empty"
    change = Change(scratch.partition(":")[2], before, f"rebuilt from the raw log of {stack.name}", run)
    try:
        make([change], dry_run=dry_run, yes=yes, form=form)
    except drill.DrillFailed as failed:
        raise Fault(str(failed), code=FAILED) from None
    if not done:
        if form:
            print_json({"made": False, "changes": [change.as_dict()]})
        return 0
    return show(done[0].reports(), form)


def _plan(scratch: str, stack: "Stack", checkout: Path) -> "Deployment":
    """How the scratch stack is deployed. Its environment is in its name."""
    from ...ops.deployment import PRODUCTION, Deployment, goal_of, require_checkout, sam_of

    name = scratch.partition(":")[2]
    environment = name.removeprefix("millrace-")
    try:
        goal = goal_of(environment)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    if name != goal.stack or environment == PRODUCTION or name == stack.name:
        raise click.UsageError("With --deploy, --scratch is aws:millrace-ENVIRONMENT, of an environment of its own.")
    require_checkout(checkout)
    return Deployment(goal=goal, sam=sam_of(), region=stack.account.region)


def _deployed(plan: "Deployment", stack: "Stack", checkout: Path, catalog: str) -> float:
    from ...ops import deployment, drill

    run = deployment.passing_through(checkout)
    try:
        return drill.deploy(
            plan, run, lambda: deployment.packed_catalog(checkout), from_elsewhere(catalog), stack.clock
        )
    except deployment.StepFailed as failed:
        raise Fault(str(failed), code=FAILED) from None
