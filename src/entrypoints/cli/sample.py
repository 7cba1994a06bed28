"""``millrace sample``: generated events."""

import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any

import click

from ..sample import DAY, TYPES, sample_lines
from .options import as_time, on_a_site

_BLOCK = 2000


@click.command
@click.option(
    "--events", type=click.IntRange(min=0), default=1000, show_default=True, metavar="N", help="How many lines."
)
@click.option("--seed", type=int, default=1, show_default=True, metavar="S", help="The same seed, the same bytes.")
@click.option(
    "--duplicates",
    type=click.FloatRange(0, 100),
    default=0,
    metavar="P",
    help="So many percent of the lines are exact copies of earlier ones.  [default: 0]",
)
@click.option(
    "--broken",
    type=click.FloatRange(0, 100),
    default=0,
    metavar="P",
    help="So many percent of the lines become dead letters, for various reasons.  [default: 0]",
)
@click.option("--types", "types", multiple=True, type=click.Choice(TYPES), help="Only these types.  [default: all]")
@click.option(
    "--start",
    callback=as_time,
    metavar="TIME",
    default="2026-11-23",
    show_default=True,
    help="The time of the first event.",
)
@click.option(
    "--days", type=click.FloatRange(0, 3650), default=1, show_default=True, help="The time they are spread over."
)
@on_a_site  # as every command; it has no use for it
def sample(
    *,
    events: int,
    seed: int,
    duplicates: float,
    broken: float,
    types: Sequence[str],
    start: int,
    days: float,
    **_: Any,
) -> None:
    """Write generated events of a shop as NDJSON.

    They fit the catalog that comes with Millrace: page views, purchases (of both versions), refunds and sign-ups,
    roughly in order of time, some late.

    \b
    Examples:
      millrace sample --events 100000 --seed 7 --duplicates 5 --broken 2 > sample.ndjson
      millrace sample --types purchase --days 30 | millrace run -
    """
    from random import Random

    if duplicates + broken > 100:
        raise click.UsageError("--duplicates and --broken are more than 100 percent together.")
    lines = sample_lines(
        Random(seed),  # noqa: S311 (what is wanted is that it repeats)
        events=events,
        duplicates=duplicates,
        broken=broken,
        types=types or TYPES,
        start=start,
        span=int(days * DAY),
    )
    out = sys.stdout.buffer
    while block := list(islice(lines, _BLOCK)):
        out.write(b"\n".join(block) + b"\n")
