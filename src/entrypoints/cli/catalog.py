"""``millrace catalog``: what the catalog declares."""

from typing import Any

import click
import msgspec

from ..rows import contents
from .catalog_check import check, diff
from .exits import Fault
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


@catalog.command
@click.argument("type", metavar="TYPE")
@click.option("--version", type=click.IntRange(min=1), help="The version; only the current one has a schema.")
@click.option("--json", "form", flag_value="json", hidden=True)  # it is JSON anyway
@on_a_site
def schema(*, type: str, version: int | None, site: Site, **_: Any) -> None:
    """Print the JSON Schema (2020-12) of the data of a TYPE.

    \b
    Example:
      millrace catalog schema purchase > purchase.schema.json
    """
    from ...core.catalog.jsonschema import json_schema

    loaded = site.load()
    if type not in loaded.types:
        raise Fault(f"There is no event type {type!r}; the catalog has {', '.join(sorted(loaded.declared))}.")
    declared = loaded.types[type]
    if version not in (None, declared.version):
        known = f"version {declared.version}; older ones are upcast to it" if declared.upcasters else "version 1"
        raise Fault(f"There is no schema of {type!r} in version {version}: its class declares {known}.")
    encoded = msgspec.json.Encoder(decimal_format="number").encode(json_schema(loaded.name, declared))
    click.echo(msgspec.json.format(encoded, indent=2).decode())


def _joined(name: str, value: Any) -> Any:
    """A value as a table shows it."""
    if name == "every":
        return next((f"{value // size}{unit}" for size, unit in _UNITS if value % size == 0), f"{value}s")
    if isinstance(value, dict):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return ", ".join(value) if isinstance(value, list) else value
