"""``millrace ops deploy``: validate, build, deploy, verify."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...lambdas.measures import ALLOWED, Measure
from ..exits import FAILED, OK, warn
from ..options import as_json
from ..output import print_json
from .options import changing, needing_aws
from .output import show

if TYPE_CHECKING:
    from ...ops.deployment import Deployment, Run
    from ...ops.findings import Report

_PROBES = 3
_PATIENCE = 30.0


@click.command
@click.option(
    "--to",
    "environment",
    default="staging",
    show_default=True,
    metavar="NAME",
    help="The environment.",
)
@click.option("--stack", metavar="NAME", help="The stack.  [default: millrace, or millrace-ENVIRONMENT]")
@click.option(
    "--catalog",
    envvar="MILLRACE_CATALOG",
    required=True,
    metavar="NAME",
    help="The catalog to pack: module:attribute or a .py file (env MILLRACE_CATALOG).",
)
@click.option("--requirements", type=click.Path(exists=True, dir_okay=False), help="Libraries of the catalog, pinned.")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the template; others stay."
)
@click.option(
    "--checkout",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The checkout of Millrace to deploy.  [default: here]",
)
@click.option("--no-verify", is_flag=True, help="Do not post a probe in the end.")
@changing
@as_json
def deploy(
    *,
    environment: str,
    stack: str | None,
    catalog: str,
    requirements: str | None,
    parameters: tuple[str, ...],
    checkout: Path,
    no_verify: bool,
    dry_run: bool,
    yes: bool,
    form: str | None,
) -> int:
    """Validate, build and deploy this checkout, and verify it by a probe.

    The catalog is compiled, the template checked and linted, the package built, and the change set shown; it is carried
    out once that is confirmed. CodeDeploy then moves calls to the new versions by and by, and back where they fail.
    With --dry-run the change set is made, and left in the stack: nothing else changes, but the package is uploaded.

    Needs the AWS SAM CLI (sam). What it and the packager print goes to standard error.

    \b
    Examples:
      millrace ops deploy --catalog shop.py --dry-run
      millrace ops deploy --to staging --catalog shop.py --yes
      millrace ops deploy --to production --catalog shop.py --parameter RateLimit=2000
    """
    from ...catalogs import load_catalog
    from ...ops import deployment as ops

    try:
        given = ops.parameters_of(parameters)
        goal = ops.goal_of(environment, stack)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    ops.require_checkout(checkout)
    with needing_aws():
        from ....adapters.aws.clients import Clients
    plan = ops.Deployment(
        goal=goal,
        sam=ops.sam_of(),
        region=Clients().region or "",
        requirements=None if requirements is None else str(Path(requirements).absolute()),
    )
    _compile(load_catalog(catalog))
    run = ops.passing_through(checkout)
    try:
        made = _deploy(plan, run, checkout, from_elsewhere(catalog), given, dry_run=dry_run, yes=yes)
    except ops.StepFailed as failed:
        warn(str(failed))
        return FAILED
    reports = _verified(goal.stack) if made and not no_verify else []
    facts: dict[str, Any] = {"made": made, "stack": goal.stack, "environment": goal.environment}
    if form:
        print_json({**facts, "verified": [report.as_dict() for report in reports]})
        wrong = [sentence for report in reports for sentence in report.wrong]
        for sentence in wrong:
            warn(sentence)
        return FAILED if wrong else OK
    click.echo(f"The stack {goal.stack} {'is deployed' if made else 'is as it was'}.")
    return show(reports, None) if reports else OK


def _deploy(
    plan: "Deployment",
    run: "Run",
    checkout: Path,
    catalog: str,
    parameters: dict[str, str],
    *,
    dry_run: bool,
    yes: bool,
) -> bool:
    """The steps up to the stack; whether it was deployed."""
    from ...ops.deployment import carried_out, packed_catalog, templates

    for template in templates(checkout):
        carried_out(run, f"Validating {template}", plan.validating(template))
    carried_out(run, "Building the package", plan.packing(catalog))
    packed = packed_catalog(checkout)
    if dry_run or not yes:
        carried_out(run, "Making the change set", plan.deploying(packed, parameters, execute=False))
    if dry_run:
        return False
    if not yes:
        click.confirm(f"Deploy this to {plan.goal.environment} (stack {plan.goal.stack})?", abort=True, err=True)
    carried_out(run, "Deploying", plan.deploying(packed, parameters, execute=True))
    return True


def _compile(catalog: Any) -> None:
    from ....core.pipeline.pipeline import Pipeline

    Pipeline(catalog)


def from_elsewhere(catalog: str) -> str:
    """The catalog's name as it is understood in another folder: a file's path is absolute."""
    where, colon, attribute = catalog.partition(":") if ".py:" in catalog else (catalog, "", "")
    return f"{Path(where).absolute()}{colon}{attribute}" if where.endswith(".py") else catalog


def _verified(stack: str) -> "list[Report]":
    from ....adapters.system import RandomReceiptIds
    from ...ops.access import endpoint_of
    from ...ops.stack import open_stack
    from ...ops.verification import verify

    deployed = open_stack(stack)
    ids, clock = RandomReceiptIds(), deployed.clock
    within = ALLOWED[Measure.RECEIVED_TO_CURATED]
    return verify(
        endpoint_of(deployed), clock, lambda: ids.new(clock.now()), probes=_PROBES, within=within, patience=_PATIENCE
    )
