"""``millrace catalog test``: a catalog's examples, tried on the catalog itself."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click
from msgspec import UNSET

from .exits import FAILED, OK, warn
from .options import Site, as_json, on_a_site
from .output import cell, print_json, print_table, printable

if TYPE_CHECKING:
    from ...core.comparison import Difference
    from ...core.pipeline.trials import Trial


@click.command("test")
@as_json
@on_a_site
def test(*, form: str | None, site: Site) -> int:
    """Try the catalog on its examples: those that it declares, and generated ones of every type and version.

    A declared example (catalog.example) holds if its data is curated into exactly the fields it names, or filtered,
    or rejected for exactly the reasons it names. A generated one is made from the class of the type, or from that of
    an older version; it holds if no rule, transform or upcaster raises, and if what upcasters make of it is valid.
    Nothing is stored. Exits with 1 if an example does not hold.

    \b
    Examples:
      millrace catalog test --catalog ./shop.py
      millrace catalog test --catalog ./shop.py --json

    \b
    In the catalog:
      catalog.example(Purchase, {"amount": "1200", "currency": "EUR"}, curated={"amount": 1200, "large": True})
      catalog.example(Purchase, {"amount": -1, "currency": "EUR"}, rejected="/amount")
      catalog.example(Purchase, {"amount": 5}, version=1)
    """
    from ...core.pipeline.pipeline import Pipeline
    from ...core.pipeline.trials import trials, untried

    pipeline = Pipeline(site.load())
    found = [*trials(pipeline)]
    unknown = untried(pipeline, found)
    failed = sum(not trial.holds for trial in found)
    if form:
        print_json(
            {
                "holds": not failed,
                "catalog": pipeline.catalog.name,
                "failed": failed,
                "examples": [_row(trial) for trial in found],
                "untried": [{"type": name, "version": version} for name, version in unknown],
            }
        )
    else:
        _print(found)
        for name, version in unknown:
            warn(f"Nothing tries version {version} of {name!r}: declare an example of it")
        click.echo(f"{failed:,} of {len(found):,} examples fail." if failed else f"All {len(found):,} examples hold.")
    return FAILED if failed else OK


def _print(found: list["Trial"]) -> None:
    """A table of all, then what is wrong with those that failed."""
    rows = [
        {
            "": "ok" if trial.holds else "FAIL",
            "type": trial.type,
            "version": trial.version,
            "example": "generated" if trial.place is None else PurePath(trial.place).name,
            "came out as": trial.got,
        }
        for trial in found
    ]
    if rows:
        print_table([*rows[0]], rows)
        click.echo()
    for trial in found:
        if not trial.holds:
            click.echo(f"{trial.place or 'generated'}: {printable(trial.type)}, version {trial.version}")
            click.echo(f"  data      {printable(cell(trial.data))}")
            click.echo(f"  expected  {printable(trial.expected)}")
            click.echo(f"  got       {printable(trial.got)}")
            for difference in trial.differences:
                sides = _sides(difference)
                click.echo(printable(f"    {difference.pointer or '/'}: expected {sides[0]}, got {sides[1]}"))
            click.echo()


def _sides(difference: "Difference") -> tuple[str, str]:
    before, after = (
        "nothing" if side is UNSET else f'"{side}"' if isinstance(side, str) else cell(side) or "null"
        for side in (difference.before, difference.after)
    )
    return before, after


def _row(trial: "Trial") -> dict[str, Any]:
    differences = [
        {"pointer": each.pointer}
        | ({} if each.before is UNSET else {"expected": each.before})
        | ({} if each.after is UNSET else {"got": each.after})
        for each in trial.differences
    ]
    return {
        "holds": trial.holds,
        "type": trial.type,
        "version": trial.version,
        "place": trial.place,
        "data": trial.data,
        "expected": trial.expected,
        "got": trial.got,
        "differences": differences,
    }
