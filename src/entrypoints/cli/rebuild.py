"""``millrace rebuild``: views from scratch, and then the switch."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..logs import Log
from .exits import Fault, warn
from .options import Site, as_json, on_a_site
from .output import print_facts, print_json

if TYPE_CHECKING:
    from ...core.catalog import Catalog
    from ...core.services.rebuild import Rebuild, Task
    from ...core.views.view import View
    from ..platform import Platform

_LONGEST_SLEEP = 30.0


@click.command
@click.argument("names", nargs=-1, metavar="VIEW...")
@click.option("--all", "every", is_flag=True, help="Rebuild every view of the catalog.")
@click.option(
    "--drop-old/--keep-old",
    "drop",
    default=None,
    help="Delete the generations that readers saw before, or keep them.  [default: keep]",
)
@click.option("--drop-only", is_flag=True, help="Build nothing, only delete what readers saw before.")
@click.option(
    "--anew",
    is_flag=True,
    help="Give up what an interrupted rebuild has done. Wanted where stored events were replaced since it began.",
)
@as_json
@on_a_site
def rebuild(
    *,
    names: Sequence[str],
    every: bool,
    drop: bool | None,
    drop_only: bool,
    anew: bool,
    form: str | None,
    site: Site,
) -> None:
    """Build views from all curated events into a new generation, then let readers see it.

    Until then they see the old one. A view that was added to a catalog is filled by rebuilding it; so is every view
    after stored events were replaced.

    On one machine nobody else may write to the store meanwhile. On a stack, events go on arriving: the command first
    waits until all that is being inserted when it begins is in the store, some 50 minutes. It can be interrupted: the
    same command goes on where it was, and several at once do no harm. With --drop-old it waits once more, until nobody
    can write to what readers saw before, some 25 minutes. From then on --drop-only goes on, after an interruption.

    \b
    Examples:
      millrace rebuild revenue
      millrace rebuild --all --drop-old
      millrace rebuild --all --drop-only
      millrace rebuild revenue --store aws:my-stack --json
    """
    from ...core.services.rebuild import STACK_MARGIN, Rebuild

    if drop_only and (anew or drop is False):
        odd = "--anew" if anew else "--keep-old"
        raise click.UsageError(f"--drop-only builds nothing and keeps nothing: leave out {odd}.")
    with site.open(write=True) as platform:
        views = _views(platform.catalog, names, every=every)
        service = Rebuild(platform.stores, platform.clock, margin=STACK_MARGIN if platform.attended else 0)
        tasks, read, seconds = ([], 0, 0.0) if drop_only else _build(service, platform, views, site.log, anew=anew)
        dropped = _drop(service, views) if drop or drop_only else len(service.sweep(views))
    report: dict[str, Any] = {
        "views": [{"view": task.view.name, "generation": task.generation.number} for task in tasks],
        "events": read,
        "seconds": round(seconds, 3),
        "dropped": dropped,
    }
    if form:
        print_json(report)
        return
    facts = {task.view.name: f"generation {task.generation.number}" for task in tasks}
    if not drop_only:
        facts |= {"events read": f"{read:,}", "seconds": f"{seconds:,.2f}"}
    if dropped or drop or drop_only:
        facts["deleted"] = f"{dropped:,} old generation{'' if dropped == 1 else 's'}"
    print_facts(facts)


def _views(catalog: "Catalog", names: Sequence[str], *, every: bool) -> "list[View]":
    if bool(names) == every:
        raise click.UsageError("Name the views to rebuild, or say --all.")
    if every and not catalog.views:
        raise Fault("The catalog has no views.")
    for name in names:
        if name not in catalog.views:
            known = ", ".join(sorted(catalog.views)) or "none"
            raise Fault(f"There is no view {name!r}; the catalog has {known}.")
    return [catalog.views[name] for name in dict.fromkeys(names or catalog.views)]


def _build(
    service: "Rebuild", platform: "Platform", views: "Sequence[View]", log: Log, *, anew: bool
) -> "tuple[Sequence[Task], int, float]":
    """Build the views and let readers see them: what was built, how many events were read, and the seconds it took."""
    tasks = service.begin(views, anew=anew)
    _wait(service, tasks)
    started, read = time.perf_counter(), 0
    with _progress(log) as advance:
        while count := service.step(tasks):
            read += count
            advance(count)
            log.debug("views.folded", views=[view.name for view in views], events=read)
    # On a stack nobody reads on from cursors but commands. Where one has, the new generation's may never follow.
    while not service.finish(tasks):
        if platform.project.step():
            continue
        raise Fault("The new generation is not whole yet: run the command again.", code=1)
    return tasks, read, time.perf_counter() - started


def _wait(service: "Rebuild", tasks: "Sequence[Task]", sleep: Callable[[float], None] = time.sleep) -> None:
    """Let the time pass until the rebuild may read, saying once how long that is."""
    told = False
    while wait := service.wait(tasks) / 1_000_000:
        if not told:
            warn(
                f"Waiting {_minutes(wait)}, until all that is being inserted now is in the store; "
                "after an interruption, the same command goes on"
            )
            told = True
        sleep(min(wait, _LONGEST_SLEEP))


def _drop(service: "Rebuild", views: "Sequence[View]", sleep: Callable[[float], None] = time.sleep) -> int:
    """Drop what readers saw before, and delete it once nobody can write to it; how many generations."""
    dropped, told = len(service.drop(views)), False
    while (left := service.unswept(views)) is not None:
        if left and not told:
            warn(
                f"Waiting {_minutes(left / 1_000_000)}, until nobody can write to what is deleted; "
                "after an interruption, --drop-only goes on"
            )
            told = True
        sleep(min(left / 1_000_000, _LONGEST_SLEEP))
        dropped += len(service.sweep(views))
    return dropped


def _minutes(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


@contextmanager
def _progress(log: Log) -> Iterator[Callable[[int], None]]:
    """A count of events, on standard error if that is a terminal and no log lines go there."""
    if log.verbose or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} events"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("rebuilding", total=None)
        yield lambda count: progress.advance(task, count)
