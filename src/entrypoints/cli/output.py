"""What commands print on standard output: JSON, CSV, and tables for people."""

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Context, Decimal
from itertools import chain, islice
from typing import Any

import click
import msgspec

from ...core.numbers import plain
from ..rows import shown

Row = Mapping[str, Any]
_BLOCK = 500
_FOLDED = 24
"""A column that is wider than this can be folded to this width and still be read."""
# Control characters, and those that turn the direction of text: a terminal obeys them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_SIX_PLACES, _WIDE = Decimal("0.000001"), Context(prec=200)
_NUMBERS = (int, Decimal, float)


def printable(text: str) -> str:
    """The text with characters that a terminal would obey written as escapes."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    _write(msgspec.json.format(msgspec.json.encode(shown(value)), indent=2) + b"\n")


def print_objects(rows: Iterable[Row], form: str) -> None:
    """Objects one a line (``ndjson``), or as one array (``json``), written while they come."""
    encoded = (msgspec.json.encode(shown(row)) for row in rows)
    if form == "ndjson":
        for block in _blocks(encoded):
            _write(b"".join(line + b"\n" for line in block))
        return
    separator = b"[\n"
    for block in _blocks(encoded):
        _write(separator + b",\n".join(block))
        separator = b",\n"
    _write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def print_csv(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """A header and a line for each row; arrays and objects are JSON text, what is absent or null is empty."""
    for block in chain([None], _blocks(rows)):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if block is None:
            writer.writerow(columns)
        else:
            writer.writerows([cell(row.get(column)) for column in columns] for row in block)
        _write(text.getvalue().encode())


def cell(value: Any) -> str:
    """A value as text: numbers in plain notation, null as nothing, arrays and objects as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return plain(value)
        case list() | tuple() | dict():
            return msgspec.json.encode(shown(value)).decode()
        case _:
            return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Row], *, total: Row | None = None) -> None:
    """A table for people; columns of numbers to the right. ``total`` is a last row, set apart.

    On a terminal that is too narrow, one value a line; where none is, plain text with columns two blanks apart.
    """
    every = [*rows, *([total] if total else [])]
    right = {
        column
        for column in columns
        if (seen := [row[column] for row in rows if row.get(column) is not None])
        and all(isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in seen)
    }
    texts = [[printable(brief(row.get(column))) for column in columns] for row in every]
    if sys.stdout.isatty():
        _rich_table(columns, texts, right, has_total=total is not None)
        return
    heads = [*map(printable, columns)]
    widths = [max(map(len, column)) for column in zip(heads, *texts, strict=True)]
    for line in (heads, *texts):
        aligned = (
            text.rjust(width) if column in right else text.ljust(width)
            for column, text, width in zip(columns, line, widths, strict=True)
        )
        click.echo("  ".join(aligned).rstrip())


def print_facts(facts: Row) -> None:
    """Names and values, one a line."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        click.echo(f"{printable(name).ljust(width)}  {printable(cell(value))}".rstrip())


def _rich_table(columns: Sequence[str], texts: list[list[str]], right: set[str], *, has_total: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    if sum(min(width, _FOLDED) + 2 for width in widths) > console.width:
        for line in texts:
            facts = zip(columns, line, strict=True)
            print_facts({column: text for column, text in facts if text})
            click.echo()
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(printable(column)), justify="right" if column in right else "left", overflow="fold")
    for place, line in enumerate(texts, 1):
        to_total = len(texts) - place if has_total else -1
        table.add_row(*map(Text, line), style="bold" if to_total == 0 else None, end_section=to_total == 1)
    console.print(table)


def brief(value: Any) -> str:
    """A mean may have 38 digits; nobody reads them in a table."""
    if isinstance(value, Decimal) and -value.as_tuple().exponent > 6:  # type: ignore[operator]
        return f"{plain(value.quantize(_SIX_PLACES, context=_WIDE))}…"
    return cell(value)


def _blocks(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while block := list(islice(iterator, _BLOCK)):
        yield block


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
