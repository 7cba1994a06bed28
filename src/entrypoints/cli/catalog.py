"""``millrace catalog``: what the catalog declares."""

from typing import Any

import click

from ..rows import contents
from .catalog_check import check, diff
from .catalog_new import new
from .catalog_schema import schema
from .catalog_test import test
from .options import Site, as_json, on_a_site
from .output import print_json, print_table

_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"))


@click.group
def catalog() -> None:
    """Begin a catalog, try it, look at it, and at what a change of it would do.

    \b
    Examples:
      millrace catalog new shop
      millrace catalog test --catalog ./shop.py
      millrace catalog list
      millrace catalog schema purchase
      millrace catalog check --catalog ./shop.py --against file:./data
      millrace catalog diff new/shop.py --catalog ./shop.py
    """


for _command in (new, test, check, diff, schema):
    catalog.add_command(_command)


@catalog.command("list")
@as_json
@on_a_site
def list_(*, form: str | None, site: Site) -> None:
    """List event types, views and foreign sources.

    \b
    Example:
      millrace catalog list --catalog ./shop.py --json
    """
    declared = contents(site.load())
    if form:
        print_json(declared)
        return
    click.echo(f"Catalog {declared['catalog']}")
    for kind in ("types", "views", "sources"):
        if rows := declared[kind]:
            click.echo()
            texts = [{name: _joined(name, value) for name, value in row.items()} for row in rows]
            print_table(list(rows[0]), texts)


def _joined(name: str, value: Any) -> Any:
    """A value as a table shows it."""
    if name == "every":
        return next((f"{value // size}{unit}" for size, unit in _UNITS if value % size == 0), f"{value}s")
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return ", ".join(value) if isinstance(value, list) else value
