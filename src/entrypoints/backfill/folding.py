"""Folding archives into views alone: no store, no receipts; in this process, or with workers on this machine.

The parent reads and cuts the files and knows which identities came before. Every worker sees each chunk, in memory
that all have, and takes its share of the pieces, one after the other: it decodes, validates and transforms a piece,
sends the identities it found, is told which are new, and folds those into views of its own; these are merged at the
end. So 16 bytes an event go one way, one the other, and no event is ever sent; and as pieces are answered in their
order, it makes no difference how many workers there are.
"""

import multiprocessing
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import cycle, islice
from mmap import mmap
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import attrs

from ...core.catalog import Catalog
from ...core.pipeline.pipeline import Pipeline
from ...core.pipeline.scan import Scan, Scanner, pieces
from ...core.records import RawObject, Receipt
from ...core.views.partial import Partial
from ..files import CHUNK_BYTES, Chunk
from .seen import Seen
from .taking import Foreign

AHEAD = 2
"""Chunks that the workers have before the first of them is asked for."""
SLOT = CHUNK_BYTES
"""Bytes of the memory that has one of these chunks; a longer one goes through the pipes."""
WAITING = 4
"""Pieces of which a worker keeps the events until it is told which are new: more would not be in its cache then."""
UNANSWERED = 4096
"""Events of several pieces that may wait for an answer of a byte each: any pipe holds so much."""
ENDING_SECONDS = 10.0
"""How long a worker may take to end, once all is told or nobody wants to know."""


@attrs.define
class Folded:
    """What an archive comes to: the views, and how many events had which outcome."""

    views: Partial
    counts: Counter[str] = attrs.field(factory=Counter)
    dead_letters: Counter[str] = attrs.field(factory=Counter)


class _Found(NamedTuple):
    """What is told of a piece."""

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
            scan.fold_into(folded.views, fresh)


def _there(catalog: Catalog, chunks: Iterable[Chunk], how: Foreign, folded: Folded, seen: Seen, workers: int) -> None:
    slots = mmap(-1, AHEAD * SLOT)
    with closing(slots), _pool(catalog, workers, slots) as pool:
        turns = cycle(pool)
        given: deque[int] = deque()
        for number, chunk in enumerate(chunks):
            if len(given) == AHEAD:
                _answer(given.popleft(), turns, folded, seen)
            raw = how.raw(chunk)
            while given and len(raw.body) > SLOT:  # workers that are still sending could not take it
                _answer(given.popleft(), turns, folded, seen)
            given.append(sum(1 for _ in pieces(raw)))
            _give(raw, number % AHEAD, slots, pool)
        while given:
            _answer(given.popleft(), turns, folded, seen)
        for worker in pool:
            worker.send(None)
        for worker in pool:
            folded.views.merge(worker.recv())


def _give(raw: RawObject, slot: int, slots: mmap, pool: Sequence[Connection]) -> None:
    """Show the workers a chunk. The slot is free: the chunk that had it is answered."""
    start, size = slot * SLOT, len(raw.body)
    shown: RawObject | _Shown = raw
    if size <= SLOT:
        slots[start : start + size] = raw.body
        shown = _Shown(raw.receipt, start, size)
    for worker in pool:
        worker.send(shown)


def _answer(count: int, turns: Iterator[Connection], folded: Folded, seen: Seen) -> None:
    """Tell the workers which identities of so many pieces, those of one chunk, are new: in the order of the pieces."""
    folded.counts["receipts"] += 1
    for worker in islice(turns, count):
        found: _Found = worker.recv()
        fresh = seen.fresh(array("q", found.times), array("q", found.ties))
        _count(folded, found.counts, found.rejected, fresh)
        worker.send(fresh)


def _found(scan: Scan) -> _Found:
    return _Found(_counts(scan), scan.rejected, array("q", scan.times).tobytes(), array("q", scan.ties).tobytes())


def _counts(scan: Scan) -> Counter[str]:
    return Counter(events=scan.seen, filtered=scan.filtered, dead_lettered=scan.rejected.total())


def _count(folded: Folded, counts: Counter[str], rejected: Counter[str], fresh: Sequence[int]) -> None:
    new = sum(fresh)
    folded.counts.update(counts)
    folded.counts.update(curated=new, duplicate=len(fresh) - new)
    folded.dead_letters.update(rejected)


@contextmanager
def _pool(catalog: Catalog, workers: int, slots: mmap) -> Iterator[list[Connection]]:
    """Ends of pipes to as many workers, which end with the block."""
    # Forked, so that a catalog need not be imported again, and texts have the same hash everywhere.
    forked = multiprocessing.get_context("fork")
    pipeline = Pipeline(catalog)
    ends: list[Connection] = []
    processes = []
    try:
        for share in range(workers):
            mine, theirs = forked.Pipe()
            worker = _Worker(pipeline, theirs, slots, share, workers)
            process = forked.Process(target=worker.run, args=([*ends, mine],), daemon=True)
            process.start()
            theirs.close()
            ends.append(mine)
            processes.append(process)
        yield ends
    finally:
        for end in ends:
            end.close()  # a worker that still waits reads the end, and goes
        for process in processes:
            process.join(ENDING_SECONDS)
            if process.is_alive():  # what it has is not wanted any more
                process.kill()
                process.join()


class _Shown(NamedTuple):
    """Where in the shared memory a chunk is."""

    receipt: Receipt
    start: int
    size: int


class _Worker:
    """One of several: every piece whose number is its share of them is its."""

    def __init__(self, pipeline: Pipeline, parent: Connection, slots: mmap, share: int, workers: int) -> None:
        self._scanner, self._views = Scanner(pipeline), Partial(pipeline.catalog.views.values())
        self._parent, self._slots, self._share, self._workers = parent, slots, share, workers
        self._shown: deque[Any] = deque()
        self._waiting: deque[Scan] = deque()
        self._unanswered = 0

    def run(self, others: Sequence[Connection]) -> None:
        """Work until the parent says that it is all, or is gone."""
        for other in others:
            other.close()  # else the end of a pipe would never come
        number = 0
        with suppress(EOFError, OSError, KeyboardInterrupt):  # the parent is gone, or is interrupted as well
            while (raw := self._next()) is not None:
                for start, end in pieces(raw):
                    if number % self._workers == self._share:
                        self._take(self._scanner.piece(raw, start, end))
                    number += 1
            self._parent.send(self._views.states)

    def _next(self) -> RawObject | None:
        """The next chunk, None after the last."""
        while not self._shown:
            self._receive()
        shown = self._shown.popleft()
        if isinstance(shown, _Shown):
            return RawObject(shown.receipt, self._slots[shown.start : shown.start + shown.size])
        return shown if isinstance(shown, RawObject) else None

    def _take(self, scan: Scan) -> None:
        """Tell what was found, and fold what is answered; never so far ahead that parent and worker, both sending,
        would wait for each other.
        """
        self._unanswered += len(scan.times)
        while len(self._waiting) >= WAITING or (self._waiting and self._unanswered > UNANSWERED):
            self._receive()
        self._parent.send(_found(scan))
        self._waiting.append(scan)

    def _receive(self) -> None:
        """Take a message: an answer to the oldest piece that waits for one, or what is to be taken next."""
        message = self._parent.recv()
        if isinstance(message, bytearray):
            self._unanswered -= len(message)
            self._waiting.popleft().fold_into(self._views, message)
        else:
            self._shown.append(message)
