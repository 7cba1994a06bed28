"""The command line: ``millrace`` and its commands."""

import click

from ... import __version__
from . import (
    archive,
    backfill,
    catalog,
    cost,
    dead_letters,
    events,
    jobs,
    ops,
    rebuild,
    reconcile,
    restore,
    run,
    sample,
    serve,
    view,
)
from .exits import Commands


@click.group(
    "millrace", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, package_name="millrace", message="%(prog)s %(version)s")
def main() -> None:
    """Process events exactly once into curated, queryable records and windowed views.

    \b
    A first tour:
      millrace sample --events 2000 --duplicates 5 --broken 2 > sample.ndjson
      millrace run sample.ndjson
      millrace view revenue
      millrace dead-letters summary

    Every command exits with 0 on success, 1 when what it checks does not hold or a part of its work failed, and 2 on
    wrong usage. Progress and logs go to standard error.
    """


for _command in (
    run.run,
    serve.serve,
    sample.sample,
    events.events,
    view.view,
    dead_letters.dead_letters,
    backfill.backfill,
    jobs.jobs,
    rebuild.rebuild,
    archive.archive,
    restore.restore,
    reconcile.reconcile,
    catalog.catalog,
    ops.ops,
    cost.cost,
):
    main.add_command(_command)
