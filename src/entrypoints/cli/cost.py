"""``millrace cost``: what a load would cost on AWS, and which quota it reaches first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import click

from .exits import warn
from .options import as_json
from .output import print_json, print_table

if TYPE_CHECKING:
    from ..costs.estimate import Line
    from ..costs.load import Load, Milliseconds
    from ..costs.quotas import Quota

_POSITIVE = click.FloatRange(min=0, min_open=True)
_ZERO_OR_MORE = click.FloatRange(min=0)
_SHARE = click.FloatRange(min=0, max=1)
_FUNCTIONS = ("ingestion", "transformation", "analytics", "query")


def _durations(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for value in values:
        name, _equals, number = value.partition("=")
        try:
            found[name.removesuffix("-lambda")] = milliseconds = float(number)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not FUNCTION=MILLISECONDS.") from None
        if name.removesuffix("-lambda") not in _FUNCTIONS or not 0 < milliseconds <= 900_000:
            raise click.BadParameter(f"{value!r}: functions are {', '.join(_FUNCTIONS)}, and run up to 900,000 ms.")
    return found


@click.command
@click.option("--events-per-second", type=_POSITIVE, default=100, show_default=True, metavar="N", help="On average.")
@click.option("--events-per-request", type=click.FloatRange(1, 10_000), default=1, show_default=True, metavar="N")
@click.option("--bytes-per-event", type=_POSITIVE, default=500, show_default=True, metavar="N", help="As JSON.")
@click.option(
    "--peak", type=click.FloatRange(min=1), default=1, show_default=True, metavar="X", help="Times the average."
)
@click.option("--views", type=_ZERO_OR_MORE, default=3, show_default=True, metavar="N", help="An event counts in.")
@click.option("--rows", type=_ZERO_OR_MORE, default=10, show_default=True, metavar="N", help="Of each view, per batch.")
@click.option("--identity-share", type=_SHARE, default=0, show_default=True, metavar="P", help="Events without a time.")
@click.option("--hottest-share", type=_SHARE, default=1, show_default=True, metavar="P", help="Events of one type.")
@click.option("--shards", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Of that type.")
@click.option("--queries-per-second", type=_ZERO_OR_MORE, default=0, show_default=True, metavar="N")
@click.option("--months-kept", type=_ZERO_OR_MORE, default=1, show_default=True, metavar="N", help="Of events, stored.")
@click.option(
    "--took",
    multiple=True,
    callback=_durations,
    metavar="FUNCTION=MS",
    help="Milliseconds that an invocation takes, as millrace ops performance measures them; else they are assumed.",
)
@as_json
def cost(*, took: dict[str, float], form: str | None, **given: Any) -> None:
    """Estimate what a load costs on AWS, and which quota it reaches first. Needs no AWS.

    What each event and request asks of AWS is counted in the code, and tests hold it to these numbers; durations,
    sizes and views are what the options say. The prices are list prices of a date that is told: look them up before
    you rely on them. Not in it: data that leaves AWS, jobs, backups, a second region.

    \b
    Examples:
      millrace cost --events-per-second 200
      millrace cost --events-per-second 5000 --events-per-request 50 --peak 3 --shards 8
      millrace cost --events-per-second 50 --took transformation=80 --json
    """
    from ..costs import estimate, prices, quotas
    from ..costs.load import Load, Milliseconds

    load, durations = Load(**given), Milliseconds()
    durations = _with(durations, took, load)
    lines, limits = estimate.lines(load, durations), quotas.quotas(load, durations)
    if form:
        print_json(_document(given, lines, limits, load))
    else:
        _print(lines, limits, load)
    first, over = limits[0], [quota for quota in limits if quota.share > 1]
    for quota in over:
        used = f"{quota.used:,.0f} {quota.unit} where {quota.limit:,.0f} are allowed"
        warn(f"The load exceeds the {quota.name}: {used}. To raise: {quota.raise_by}")
    if not over and not form and first.reached_at is not None:
        click.echo(
            f"\nThe first limit is the {first.name}, at {first.reached_at:,.0f} events/s. To raise: {first.raise_by}."
        )
    warn(f"List prices of {prices.REGION}, {prices.AS_OF}, {prices.SOURCE}: look them up before you rely on them")


def _with(assumed: "Milliseconds", took: dict[str, float], load: "Load") -> "Milliseconds":

    measured = dict(took)
    # What was measured is of whole invocations: what is assumed for each event is in it.
    if "transformation" in measured:
        each = assumed.transformation_event * load.events_per_request
        measured["transformation"] = max(measured["transformation"] - each, 0)
    if "analytics" in measured:
        each = assumed.analytics_change * load.changes
        measured["analytics"] = max(measured["analytics"] - each, 0)
    return attrs.evolve(assumed, **measured)


def _document(
    given: dict[str, Any], lines: "Sequence[Line]", limits: "Sequence[Quota]", load: "Load"
) -> dict[str, Any]:
    from ..costs import estimate, prices

    return {
        "load": given,
        "prices": {"region": prices.REGION, "as_of": prices.AS_OF, "source": prices.SOURCE},
        "lines": [
            {
                "service": line.service,
                "what": line.what,
                "per_month": round(line.month, 3),
                "price": line.price,
                "fixed": line.fixed,
                "dollars_per_million_events": round(estimate.per_million(line, load), 6),
                "dollars_per_month": round(line.dollars, 4),
            }
            for line in lines
        ],
        "dollars_per_million_events": round(sum(estimate.per_million(line, load) for line in lines), 4),
        "dollars_per_month": round(sum(line.dollars for line in lines), 2),
        "quotas": [
            {
                "name": quota.name,
                "unit": quota.unit,
                "limit": round(quota.limit, 3),
                "used": round(quota.used, 3),
                "share": round(quota.share, 6),
                "reached_at_events_per_second": None if quota.reached_at is None else round(quota.reached_at, 1),
                "raise": quota.raise_by,
            }
            for quota in limits
        ],
    }


def _print(lines: "Sequence[Line]", limits: "Sequence[Quota]", load: "Load") -> None:
    from ..costs import estimate

    rows = [
        {
            "service": line.service,
            "what": line.what,
            "a month": f"{line.month:,.0f}",
            "$ per million events": f"{estimate.per_million(line, load):,.3f}",
            "$ per month": f"{line.dollars:,.2f}",
        }
        for line in lines
    ]
    total = {
        "service": "total",
        "$ per million events": f"{sum(estimate.per_million(line, load) for line in lines):,.3f}",
        "$ per month": f"{sum(line.dollars for line in lines):,.2f}",
    }
    print_table(("service", "what", "a month", "$ per million events", "$ per month"), rows, total=total)
    click.echo()
    print_table(
        ("limit", "is", "used", "share", "reached at events/s"),
        [
            {
                "limit": quota.name,
                "is": f"{quota.limit:,.0f} {quota.unit}",
                "used": f"{quota.used:,.1f}",
                "share": f"{quota.share:.1%}",
                "reached at events/s": None if quota.reached_at is None else f"{quota.reached_at:,.0f}",
            }
            for quota in limits
        ],
    )
