"""``millrace ops audit-iam``: the rights of the stack's roles against those that the code uses."""

from typing import TYPE_CHECKING

import attrs
import click

from ..options import as_json
from .options import on_a_stack
from .output import show

if TYPE_CHECKING:
    from ...ops.stack import Stack


@click.command("audit-iam")
@click.option("--all", "every", is_flag=True, help="Show also the rights that are as they should be.")
@as_json
@on_a_stack
def audit_iam(*, every: bool, form: str | None, stack: "Stack") -> int:
    """Compare what the roles of the functions and of the state machine may do with what their code calls.

    Exits with 1 where a right is missing, where one is granted that no code uses or on more than it uses, or where a
    policy says something that no list of rights can stand for, such as a condition.

    \b
    Examples:
      millrace ops audit-iam --store aws:millrace
      millrace ops audit-iam --all --json --store aws:millrace
    """
    from ...ops.rights import FITS, audit

    report = audit(stack)
    if not every:
        report = attrs.evolve(report, rows=[row for row in report.rows if row["finding"] != FITS])
    if not report.wrong and not form and not every:
        click.echo("Every role may do what its code calls, and nothing else.")
        return 0
    return show([report], form)
