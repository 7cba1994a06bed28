"""``millrace ops``: looking after a stack, as deploy/RUNBOOK.md tells."""

import click


@click.group()
def ops() -> None:
    """Look after a stack on AWS: what deploy/RUNBOOK.md tells the operator to run.

    Every command shows what it found and exits with 1 where something is wrong. What changes something shows it first
    and asks, unless --yes is given; with --dry-run it only shows it.

    \b
    Examples:
      millrace ops health --store aws:millrace
      millrace ops executions failures --store aws:millrace
    """


for _command in ():
    ops.add_command(_command)
