"""``millrace view``: the rows of a view."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from .exits import Fault, warn
from .options import Site, Span, as_csv, as_json, in_a_span, on_a_site
from .output import print_csv, print_objects, print_table

if TYPE_CHECKING:
    from ...core.records import ViewRow
    from ...core.views.view import View
    from ..platform import Platform


@click.command
@click.argument("name")
@in_a_span
@click.option(
    "--by",
    "groups",
    multiple=True,
    metavar="FIELD[,FIELD]",
    help="Merge the view's groups to these fields; may be given several times. --by '' (or --by none) merges "
    "each window to one row.",
)
@click.option("--plot", is_flag=True, help="A chart of one measure: a bar for each window, or a line for each group.")
@click.option("--measure", metavar="NAME", help="The measure to plot.  [default: the first that is a number]")
@click.option("--all", "whole", is_flag=True, help="Plot every window, however many screens that takes.")
@as_csv
@as_json
@on_a_site
def view(
    *,
    name: str,
    groups: Sequence[str],
    plot: bool,
    measure: str | None,
    whole: bool,
    form: str | None,
    span: Span,
    site: Site,
) -> None:
    """Show the rows of the view NAME, by window and group.

    --since and --until choose windows by their start. JSON is a list of {"window", "group", MEASURE…}; Decimals are
    strings.

    \b
    Examples:
      millrace view revenue --since 7d
      millrace view revenue --by '' --csv > hourly.csv
      millrace view refunds --by reason --json
      millrace view revenue --since 2d --by '' --plot
      millrace view revenue --plot --measure orders
    """
    if (measure or whole) and not plot:
        raise click.UsageError("--measure and --all say how to --plot.")
    if plot and form is not None:
        raise click.UsageError(f"--plot is for people, --{form} for programs; give one of them.")
    with site.open() as platform:
        views = platform.catalog.views
        if name not in views:
            known = ", ".join(sorted(views)) or "none"
            raise Fault(f"There is no view {name!r}; the catalog has {known}.")
        by = _fields(views[name], groups)
        rows = list(_rows(platform, views[name], span))
    from ...core.times import format_time
    from ...core.views.projection import results
    from ..rows import view_row

    found = results(views[name], rows, by)
    if form == "json":
        print_objects(map(view_row, found), form)
        return
    columns = ["window", *by, *views[name].measures]
    flat: list[dict[str, Any]] = [{"window": format_time(r.window), **r.group, **r.measures} for r in found]
    if form == "csv":
        print_csv(columns, flat)
    elif plot and found:
        from .plot import measure_of, print_plot

        print_plot(views[name], measure_of(views[name], found, measure), found, whole=whole)
    elif flat:
        print_table(columns, flat, total=_total(views[name], rows) if len(flat) > 1 else None)
    else:
        warn("The view has no such rows")


def _fields(view: "View", groups: Sequence[str]) -> tuple[str, ...]:
    if not groups:
        return view.by
    names = tuple(dict.fromkeys(name.strip() for group in groups for name in group.split(",") if name.strip()))
    if names == ("none",) and "none" not in view.by:
        return ()
    for name in names:
        if name not in view.by:
            grouped = f"is grouped by {', '.join(view.by)}" if view.by else "has no groups"
            raise Fault(f"View {view.name!r} {grouped}; it cannot be merged by {name!r}.")
    return names


def _rows(platform: "Platform", view: "View", span: Span) -> Iterator["ViewRow"]:
    from ...core.services.generations import Generations

    return Generations(platform.stores.views).rows(view, since=span.since, until=span.until)


def _total(view: "View", rows: Sequence["ViewRow"]) -> dict[str, Any]:
    """What the measures say of all rows together."""
    states = list(rows[0].states)
    measures = view.measures.values()
    for row in rows[1:]:
        states = [m.merge(one, other) for m, one, other in zip(measures, states, row.states, strict=True)]
    return {
        "window": "total",
        **{name: m.result(state) for (name, m), state in zip(view.measures.items(), states, strict=True)},
    }
