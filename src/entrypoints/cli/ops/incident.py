"""``millrace ops incident``: a file for each, with what was known when it began."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..exits import OK
from ..options import Command, as_json
from ..output import print_json
from .options import on_a_stack

if TYPE_CHECKING:
    from ...ops.stack import Stack


def in_a_folder(command: Command) -> Command:
    """--folder, as the argument ``folder``."""
    return click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("incidents"),
        show_default=True,
        help="Where the incident files are.",
    )(command)


@click.group()
def incident() -> None:
    """Open and close incident files.

    \b
    Examples:
      millrace ops incident new "Orders are late" --store aws:millrace
      millrace ops incident close 2026-11-25-orders-are-late --store aws:millrace
    """


@incident.command()
@click.argument("title")
@in_a_folder
@as_json
@on_a_stack
def new(*, title: str, folder: Path, form: str | None, stack: "Stack") -> int:
    """Open an incident: a file with the time, what is wrong, what is measured, and links.

    \b
    Example:
      millrace ops incident new "Orders are late" --store aws:millrace
    """
    from ...ops.health import health
    from ...ops.incidents import opened

    return _told(opened(stack, title, folder, lambda: health(stack)), form)


@incident.command()
@click.argument("incident")
@in_a_folder
@as_json
@on_a_stack
def close(*, incident: str, folder: Path, form: str | None, stack: "Stack") -> int:
    """Close an incident, given by its file or its name: the end, how long it took, and what is left to write.

    \b
    Example:
      millrace ops incident close 2026-11-25-orders-are-late --store aws:millrace
    """
    from ...ops.health import health
    from ...ops.incidents import closed

    return _told(closed(stack, incident, folder, lambda: health(stack)), form)


def _told(path: Path, form: str | None) -> int:
    if form:
        print_json({"file": str(path)})
    else:
        click.echo(path)
    return OK
