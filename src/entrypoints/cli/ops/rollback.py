"""``millrace ops rollback``: the functions back to the version before."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..exits import warn
from ..options import as_json
from .looking import names
from .options import changing, on_a_stack
from .output import carry_out

if TYPE_CHECKING:
    from ...ops.stack import Stack


@click.command
@click.argument("functions", nargs=-1, metavar="[FUNCTION]...")
@click.option("--to", "version", type=click.IntRange(min=1), metavar="VERSION", help="To this version.")
@changing
@as_json
@on_a_stack
def rollback(
    *, functions: Sequence[str], version: int | None, dry_run: bool, yes: bool, form: str | None, stack: "Stack"
) -> int:
    """Put the alias prod of functions back to the version before, by number.

    Without a FUNCTION: all that the last deployment changed, together. While a deployment moves calls to a new version
    by and by, they all go back to the old one. A function that is behind its newest version already stays where it
    is, so that running this twice goes back only once; --to goes further back, or forward again.

    The next deployment moves prod forward again: mend what is wrong before it.

    \b
    Examples:
      millrace ops rollback --dry-run --store aws:millrace
      millrace ops rollback --yes --store aws:millrace
      millrace ops rollback transformation --to 7 --store aws:millrace
    """
    from ...ops.rollback import remarks, rolling_back, serving_of, targets

    named = names(stack, tuple(functions)) if functions else []
    if version is not None and not named:
        raise click.UsageError("Each function counts its own versions: with --to, name the FUNCTION.")
    found = [serving_of(stack, function) for function in stack.functions]
    goals = targets(found, named, version)
    for remark in remarks(found, goals, named, version):
        warn(remark)
    code = carry_out(rolling_back(stack, found, goals), dry_run=dry_run, yes=yes, form=form)
    if goals and not dry_run:
        warn("The next deployment moves prod forward again")
    return code
