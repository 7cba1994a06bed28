"""A bar that counts, on standard error, for commands whose work has pieces."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..logs import Log


@contextmanager
def counting(description: str, total: Callable[[], int | None], log: Log) -> Iterator[Callable[[int], None]]:
    """Tell how many pieces are done. ``total`` is asked only if there is a bar: on a terminal without log lines."""
    if log.verbose or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total())
        yield lambda count: progress.advance(task, count)
