"""Folding archives into views alone: no store, no receipts; in this process, or with workers on this machine.

The parent reads and cuts the files and knows which identities came before. A worker decodes, validates and transforms
a chunk, sends the identities it found, is told which are new, and folds those into views of its own; these are merged
at the end. So a chunk's bytes go one way, 16 bytes an event the other, and no event is ever sent.
"""

import multiprocessing
import sys
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

import attrs

from ...core.catalog import Catalog
from ...core.pipeline.pipeline import Pipeline
from ...core.pipeline.scan import Scan, Scanner
from ...core.records import RawObject
from ...core.views.partial import Partial
from ..files import Chunk
from .seen import Seen
from .taking import Foreign

AHEAD = 4
"""Chunks that a worker is given before it is asked for the first of them."""
SWITCH_SECONDS = 0.0001


@attrs.define
class Folded:
    """What an archive comes to: the views, and how many events had which outcome."""

    views: Partial
    counts: Counter[str] = attrs.field(factory=Counter)
    dead_letters: Counter[str] = attrs.field(factory=Counter)


class _Found(NamedTuple):
    """What is told of a scan."""

    counts: Counter[str]
    rejected: Counter[str]
    times: bytes
    ties: bytes


def fold_archive(catalog: Catalog, chunks: Iterable[Chunk], how: Foreign, workers: int = 1) -> Folded:
    """Fold every chunk's events into the catalog's views, each identity once: that which came first.

    An event whose identity came before counts as ``duplicate`` whatever it says; only a store tells conflicts.
    Raises ``CatalogError``.
    """
    folded, seen = Folded(Partial(catalog.views.values())), Seen()
    try:
        if workers == 1:
            _here(catalog, chunks, how, folded, seen)
        else:
            _there(catalog, chunks, how, folded, seen, workers)
    finally:
        seen.close()
    return folded


def _here(catalog: Catalog, chunks: Iterable[Chunk], how: Foreign, folded: Folded, seen: Seen) -> None:
    scanner = Scanner(Pipeline(catalog))
    for chunk in chunks:
        folded.counts["receipts"] += 1
        for scan in scanner.scan(how.raw(chunk)):
            fresh = seen.fresh(scan.times, scan.ties)
            _count(folded, _counts(scan), scan.rejected, fresh)
            folded.views.fold(scan.fresh(fresh))


def _there(catalog: Catalog, chunks: Iterable[Chunk], how: Foreign, folded: Folded, seen: Seen, workers: int) -> None:
    with _pool(catalog, workers) as pool:
        given: deque[Connection] = deque()
        for worker, chunk in zip(cycle(pool), chunks, strict=False):
            worker.send(how.raw(chunk))
            given.append(worker)
            if len(given) >= AHEAD * workers:
                _answer(given.popleft(), folded, seen)
        while given:
            _answer(given.popleft(), folded, seen)
        for worker in pool:
            worker.send(bytearray())
        for worker in pool:
            folded.views.merge(worker.recv())


def _answer(worker: Connection, folded: Folded, seen: Seen) -> None:
    """Tell a worker which identities of its oldest chunk are new: in the order of the chunks, whoever had them."""
    found: _Found = worker.recv()
    fresh = seen.fresh(array("q", found.times), array("q", found.ties))
    folded.counts["receipts"] += 1
    _count(folded, found.counts, found.rejected, fresh)
    if fresh:
        worker.send(fresh)


def _found(scans: Sequence[Scan]) -> _Found:
    counts, rejected, times, ties = Counter[str](), Counter[str](), array("q"), array("q")
    for scan in scans:
        counts.update(_counts(scan))
        rejected.update(scan.rejected)
        times.extend(scan.times)
        ties.extend(scan.ties)
    return _Found(counts, rejected, times.tobytes(), ties.tobytes())


def _counts(scan: Scan) -> Counter[str]:
    return Counter(events=scan.seen, filtered=scan.filtered, dead_lettered=scan.rejected.total())


def _count(folded: Folded, counts: Counter[str], rejected: Counter[str], fresh: Sequence[int]) -> None:
    new = sum(fresh)
    folded.counts.update(counts)
    folded.counts.update(curated=new, duplicate=len(fresh) - new)
    folded.dead_letters.update(rejected)


@contextmanager
def _pool(catalog: Catalog, workers: int) -> Iterator[list[Connection]]:
    """Ends of pipes to as many workers, which end with the block."""
    # Forked, so that a catalog need not be imported again, and texts have the same hash everywhere.
    forked = multiprocessing.get_context("fork")
    pipeline = Pipeline(catalog)
    ends: list[Connection] = []
    processes = []
    try:
        for _ in range(workers):
            mine, theirs = forked.Pipe()
            process = forked.Process(target=_work, args=(pipeline, theirs, [*ends, mine]), daemon=True)
            process.start()
            theirs.close()
            ends.append(mine)
            processes.append(process)
        yield ends
    finally:
        for end in ends:
            end.close()  # a worker that still waits reads the end, and goes
        for process in processes:
            process.join()


def _work(pipeline: Pipeline, parent: Connection, others: Sequence[Connection]) -> None:
    """A worker: chunks come, identities go, and at the end the views."""
    # The thread that receives needs the interpreter for an instant many times over; by default it would wait 5 ms each.
    sys.setswitchinterval(SWITCH_SECONDS)
    for end in others:
        end.close()  # else the end of a pipe would never come
    scanner, views = Scanner(pipeline), Partial(pipeline.catalog.views.values())
    waiting: deque[list[Scan]] = deque()
    inbox: SimpleQueue[RawObject | bytearray | None] = SimpleQueue()
    # Always read, so that parent and worker never wait for each other to read what both are just sending.
    Thread(target=_receive, args=(parent, inbox), daemon=True).start()
    with suppress(OSError, KeyboardInterrupt):  # the parent is gone, or is interrupted as well
        while (message := inbox.get()) is not None:
            if isinstance(message, RawObject):
                found = [*scanner.scan(message)]
                parent.send(_found(found))
                if any(scan.events for scan in found):
                    waiting.append(found)
            elif message:
                for scan in waiting.popleft():
                    fresh, message = message[: len(scan.events)], message[len(scan.events) :]
                    views.fold(scan.fresh(fresh))
            else:
                parent.send(views.states)


def _receive(parent: Connection, inbox: "SimpleQueue[RawObject | bytearray | None]") -> None:
    with suppress(EOFError, OSError):
        while True:
            inbox.put(parent.recv())
    inbox.put(None)
