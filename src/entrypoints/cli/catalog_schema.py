"""``millrace catalog schema``: JSON Schemas of event types in each of their versions."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
import msgspec

from .exits import Fault
from .options import Site, on_a_site

if TYPE_CHECKING:
    from ...core.catalog import Catalog
    from ...core.catalog.declarations import EventType


@click.command
@click.argument("type", metavar="[TYPE]", required=False)
@click.option("--version", type=click.IntRange(min=1), help="The version.  [default: the current one]")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Write a file TYPE.VERSION.schema.json for each version, of all types where no TYPE is given.",
)
@click.option("--json", "form", flag_value="json", hidden=True)  # it is JSON anyway
@on_a_site
def schema(*, type: str | None, version: int | None, output: Path | None, site: Site, **_: Any) -> None:
    """Print the JSON Schema (2020-12) of the data of a TYPE, or write those of all types and versions.

    Of an older version, the schema says what the class declared for it says (data= of its upcaster).

    \b
    Examples:
      millrace catalog schema purchase > purchase.schema.json
      millrace catalog schema purchase --version 1
      millrace catalog schema --output schemas --catalog ./shop.py
    """
    loaded = site.load()
    if output is None:
        if type is None:
            raise Fault("Name a TYPE, or give --output DIRECTORY for the schemas of all.")
        click.echo(_text(loaded, _declared(loaded, type), version))
        return
    chosen = [*loaded.declared.values()] if type is None else [_declared(loaded, type)]
    texts = {
        f"{quote(each.name, safe='')}.{number}.schema.json": _text(loaded, each, number)
        for each in chosen
        for number in ([version] if version else range(each.oldest, each.version + 1))
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (output / name).write_text(f"{text}\n", encoding="utf-8")
        click.echo(output / name)


def _declared(catalog: "Catalog", name: str) -> "EventType":
    if name not in catalog.types:
        raise Fault(f"There is no event type {name!r}; the catalog has {', '.join(sorted(catalog.declared))}.")
    return catalog.types[name]


def _text(catalog: "Catalog", declared: "EventType", version: int | None) -> str:
    from ...core.catalog.jsonschema import json_schema

    try:
        found = json_schema(catalog.name, declared, version)
    except LookupError:
        known = f"{declared.oldest} to {declared.version}" if declared.oldest < declared.version else declared.version
        raise Fault(f"There is no version {version} of {declared.name!r}; the catalog accepts {known}.") from None
    encoded = msgspec.json.Encoder(decimal_format="number").encode(found)
    return msgspec.json.format(encoded, indent=2).decode()
