"""Backfill of files and objects: taken into a store, or folded into views alone."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..files import Advance, Chunk, Input, Trouble, read
from .exits import FAILED, OK, WRONG_USAGE, warn
from .options import Site, Span
from .output import print_json
from .run import DEFAULT_SOURCE, Totals, bytes_bar, print_summary

if TYPE_CHECKING:
    from ..backfill.taking import Foreign


def take(site: Site, source: str, types: tuple[str, ...], span: Span, named: str | None, form: str | None) -> int:
    """Take another store or files into the site's store, and say what they came to."""
    from ..backfill.sources import Marks, is_store, open_inputs
    from ..backfill.taking import Wanted, take_files, take_receipts
    from ..bootstrap import open_stores

    totals, troubles, started = Totals(), list[str](), time.perf_counter()
    with site.open(write=True) as platform:
        if is_store(source):
            with open_stores(source, platform.catalog) as other:
                for entry in take_receipts(platform, other.raw, types, span.since, span.until):
                    totals.add(entry)
        else:
            how, wanted = how_read(platform.catalog.sources, named), Wanted(types, *span)
            asked = (platform.catalog.name, how.source, how.foreign or "", repr(wanted))
            marks = Marks(platform.stores.job_files, *asked)
            with open_inputs(source) as inputs, counted_bytes(inputs, site) as (counted, advance):
                for item in take_files(platform, counted, how, wanted, marks, advance):
                    if isinstance(item, Trouble):
                        troubles.append(item.message)
                    else:
                        totals.add(item)
    for message in troubles:
        warn(message)
    if not totals.counts["receipts"] and not troubles:
        warn(f"There is nothing to do: {source} holds nothing that was asked for and is not here already")
    summary = totals.summary(time.perf_counter() - started)
    if form:
        print_json(summary)
    else:
        print_summary(summary)
    if not troubles:
        return OK
    return FAILED if totals.counts["receipts"] else WRONG_USAGE


def fold(
    site: Site, source: str, types: tuple[str, ...], span: Span, named: str | None, workers: int, form: str | None
) -> int:
    """Fold files into views alone, and print these."""
    from ...core.pipeline.pipeline import Pipeline
    from ...core.views.projection import results
    from ..backfill.folding import fold_archive
    from ..backfill.sources import open_inputs
    from ..backfill.taking import Wanted
    from ..rows import view_row

    catalog, started = site.load(), time.perf_counter()
    how, wanted = how_read(catalog.sources, named), Wanted(types, *span)
    pipeline, troubles = Pipeline(catalog), list[str]()
    with open_inputs(source) as inputs, counted_bytes(inputs, site) as (counted, advance):
        chunks = (
            chunk
            for chunk in chunks_of(counted, advance, troubles)
            if wanted.all or wanted.held_by(how.raw(chunk), pipeline)
        )
        folded = fold_archive(catalog, chunks, how, workers)
    for message in troubles:
        warn(message)
    if not folded.counts["events"]:
        warn(f"There is nothing to do: {source} holds no events that were asked for")
    totals = Totals()
    totals.counts.update(folded.counts)
    totals.reasons.update(folded.dead_letters)
    summary = totals.summary(time.perf_counter() - started)
    if form:
        views = {
            view.name: [view_row(row) for row in results(view, folded.views.rows(view))]
            for view in catalog.views.values()
        }
        print_json({**summary, "views": views})
    else:
        print_summary(summary)
    return FAILED if troubles else OK


def how_read(sources: Any, named: str | None) -> "Foreign":
    """How files are read where --source names one of the catalog's sources, another one, or none."""
    from ..backfill.taking import Foreign

    return Foreign(named or DEFAULT_SOURCE, named if named in sources else None)


def chunks_of(inputs: Iterable[Input], advance: Advance, troubles: list[str]) -> Iterator[Chunk]:
    """The chunks of inputs; what could not be read of them is added to ``troubles``."""
    for found in inputs:
        for item in read(found, advance):
            if isinstance(item, Trouble):
                troubles.append(item.message)
            else:
                yield item


@contextmanager
def counted_bytes(inputs: Iterator[Input], site: Site) -> Iterator[tuple[Iterable[Input], Advance]]:
    """A bar over the bytes; of how many there are, where they are files and no endless listing."""
    first = next(inputs, None)
    if first is None:
        yield (), lambda _: None
        return
    if first.opened is None:
        sized = [first, *inputs]
        rest: Iterable[Input] = sized
    else:
        sized, rest = [], chain([first], inputs)
    with bytes_bar(sized, site.log) as advance:
        yield rest, advance
