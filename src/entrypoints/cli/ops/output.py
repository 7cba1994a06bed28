"""How operations show what they found, and make the changes they propose."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..exits import FAILED, OK, warn
from ..output import print_json, print_table

if TYPE_CHECKING:
    from ...ops.findings import Change, Report


def show(reports: "Sequence[Report]", form: str | None) -> int:
    """Print reports; the exit code says whether something is wrong."""
    wrong = [sentence for report in reports for sentence in report.wrong]
    if form:
        found = [report.as_dict() for report in reports]
        print_json(found[0] if len(found) == 1 else found)
    else:
        for number, report in enumerate(reports):
            if number:
                click.echo()
            if len(reports) > 1:
                click.echo(report.title)
            if report.rows:
                print_table(report.columns, report.rows)
            else:
                click.echo("Nothing.")
    for sentence in wrong:
        warn(sentence)
    return FAILED if wrong else OK


def carry_out(changes: "Sequence[Change]", *, dry_run: bool, yes: bool, form: str | None) -> int:
    """Show the changes, ask, and make those that are needed; with ``dry_run`` only show them."""
    made = make(changes, dry_run=dry_run, yes=yes, form=form)
    if form:
        print_json({"made": made, "changes": [change.as_dict() for change in changes if change.needed]})
    return OK


def make(changes: "Sequence[Change]", *, dry_run: bool, yes: bool, form: str | None) -> bool:
    """``carry_out`` for who has more to say: prints no JSON, and says whether something was changed."""
    needed = [change for change in changes if change.needed]
    if not form:
        if needed:
            print_table(("of", "before", "after"), [change.as_dict() for change in needed])
        else:
            click.echo("There is nothing to change.")
    if not needed or dry_run:
        return False
    if not yes:
        click.confirm("Make this change?" if len(needed) == 1 else "Make these changes?", abort=True, err=True)
    for change in needed:
        change.apply()
    return True
