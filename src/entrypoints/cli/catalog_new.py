"""``millrace catalog new``: a catalog to start from, with a test and a sample."""

import keyword
import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

import click

from .exits import Fault
from .options import on_a_site

_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,63}")


@click.command
@click.argument("name")
@click.option(
    "--directory",
    metavar="DIRECTORY",
    default=".",
    help="Where to; it is made if need be.  [default: the current directory]",
)
@on_a_site  # as every command; it has no use for it
def new(*, name: str, directory: str, **_: Any) -> None:
    """Write a catalog to start from: NAME.py, commented, a test of it (test_NAME.py) and a sample (NAME.ndjson).

    They work as they are; the catalog shows an event type in two versions, a rule, a transform, a view and examples,
    to be changed to what you have. NAME is a name for a Python module. Files that exist are never overwritten.

    \b
    Examples:
      millrace catalog new shop
      millrace catalog new greenhouse --directory catalogs
    """
    from . import starter

    folder = Path(directory)
    texts = {f"{name}.py": starter.CATALOG, f"test_{name}.py": starter.TEST, f"{name}.ndjson": starter.SAMPLE}
    _require_name(name)
    for file in (*texts, name):  # a package of that name would be imported in place of the module
        if (folder / file).exists():
            raise Fault(f"{folder / file} exists; nothing was written.")
    _require_free(name)
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        try:
            with (folder / file).open("x", encoding="utf-8") as opened:
                opened.write(Template(text).substitute(name=name))
        except FileExistsError:
            raise Fault(f"{folder / file} exists, and was left as it is.") from None
        click.echo(f"Wrote {folder / file}")
    click.echo("\nNext:")
    for command in _next_steps(name, directory):
        click.echo(f"  {command}")
    click.echo("\nThe test needs pytest and Hypothesis: pip install 'millrace[testing]'")


def _next_steps(name: str, directory: str) -> list[str]:
    return [
        *([] if directory == "." else [f"cd {shlex.quote(directory)}"]),
        f"millrace catalog test --catalog {name}.py",
        f"millrace run {name}.ndjson --catalog {name}.py",
        f"millrace view revenue --catalog {name}.py",
        f"millrace dead-letters list --catalog {name}.py",
        f"pytest test_{name}.py",
    ]


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise Fault(
            f"{name!r} is no name for a catalog: up to 64 letters, digits and _, a letter first, and no word of Python "
            "itself such as 'class'."
        )


def _require_free(name: str) -> None:
    """The test imports the catalog by its name, which must not lead elsewhere."""
    if find_spec(name) is not None:
        raise Fault(f"{name!r} is the name of a Python module that is there already; choose another.")
