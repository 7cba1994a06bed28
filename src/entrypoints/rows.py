"""How curated events, view rows and catalogs are shown: the same by every command and every answer over HTTP."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..core.conditions import ENVELOPE
from ..core.numbers import plain
from ..core.times import format_time

if TYPE_CHECKING:
    from ..core.catalog import Catalog
    from ..core.records import Curated
    from ..core.views.projection import Result


def event_row(record: "Curated") -> dict[str, Any]:
    """A curated event: its envelope, then its fields; one that has a name of the envelope's is ``fields.NAME``."""
    row: dict[str, Any] = {name: value_of(record) for name, value_of in ENVELOPE.items()}
    if record.subject is None:
        del row["subject"]
    for name, value in record.fields.items():
        row[f"fields.{name}" if name in ENVELOPE else name] = value
    return row


def view_row(result: "Result") -> dict[str, Any]:
    """A row of a view: the window's start, the group, and each measure under its name."""
    return {"window": format_time(result.window), "group": result.group, **result.measures}


def contents(catalog: "Catalog") -> dict[str, Any]:
    """What a catalog declares: types, views and sources; windows in seconds."""
    return {
        "catalog": catalog.name,
        "types": [
            {
                "name": each.name,
                "version": each.version,
                "oldest": each.oldest,
                "identity": each.identity,
                "unknown": each.unknown,
                "rules": [rule.name for rule in each.rules],
                "fields": [field.name for field in each.shape.fields],
            }
            for each in catalog.declared.values()
        ],
        "views": [
            {
                "name": each.name,
                "over": each.over,
                "every": _seconds(each.every),
                "by": list(each.by),
                "measures": {name: measure.signature for name, measure in each.measures.items()},
            }
            for each in catalog.views.values()
        ],
        "sources": [
            {
                "name": each.name,
                "type": each.type,
                "records": each.records,
                "id": each.id,
                "time": each.time,
                "data": each.data,
                "signature": each.signature and each.signature.header,
            }
            for each in catalog.sources.values()
        ],
    }


def shown(value: Any) -> Any:
    """A value as JSON shows it: Decimals are strings in plain notation, everything else is what it is."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value


def _seconds(micros: int) -> int | float:
    return micros / 1_000_000 if micros % 1_000_000 else micros // 1_000_000
