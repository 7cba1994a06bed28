"""``millrace catalog``: what the catalog declares."""

from typing import Any

import click

from ..rows import contents
from .catalog_check import check, diff
from .catalog_schema import schema
from .options import Site, as_json, on_a_site
from .output import print_json, print_table

_UNITS = ((86_400, "d"), (3600, "h"), (60, "m"))


@click.group
def catalog() -> None:
    """Look at the catalog, and at what a change of it would do.

    \b
    Examples:
      millrace catalog list
      millrace catalog schema purchase
      millrace catalog check --catalog ./shop.py --against file:./data
      millrace catalog diff new/shop.py --catalog ./shop.py
    """


catalog.add_command(check)
catalog.add_command(diff)
catalog.add_command(schema)


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
