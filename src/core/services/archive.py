"""Archive: curated events older than a boundary into files, verified, and only then out of the store; and back again.

The boundary is announced first: from then on ``Process`` inserts no event that is older. Once no insertion can be
under way any more that does not know it (``margin``), what lies behind it stays as it is and can be archived at
leisure; whatever happens, the same run again ends the same. A record leaves the store only when a file that was read
back has it.

Views are not touched: they have folded what is archived. Where a deletion takes changes out of the feed, they must have
folded all of it before; that is so where nobody else inserts (``margin`` 0), and is asked there. A stream keeps the
insertion of what was deleted for as long as any other.

Restoring brings records back as they were, receipt, index and ``curated_at`` included. The feed does not show that
(``CuratedStore.restore``): views have counted these events when they first came, and a rebuild reads each event once,
be it archived, stored, or both. So nothing counts twice, whenever a view is fed, rebuilt, or declared. The boundary
stays where it is: events that were never known are not let in by restoring others. The files stay, too, and the next
archiving takes the restored events out again, having written anew what was replaced meanwhile.

What is to be gone for good after it was restored is taken out of the files first (``forget``).

One run at a time: a second one makes the first one fail before it deletes anything more.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import attrs
import msgspec

from ..comparison import alike
from ..decoding.bodies import is_binary_mode
from ..decoding.cloudevents import binary_evidence
from ..decoding.decoder import Decoder
from ..errors import StoreError, TransientError, UnknownReceipt
from ..identity import EARLIEST, LATEST, record_key
from ..ports import Clock, Stores
from ..records import Curated, ViewRow
from . import rebuild
from .archived import (
    DAY,
    FOLDER,
    PART,
    Archived,
    File,
    day_of,
    file_of,
    lines_of,
    name_of,
    packed,
    prefix_of,
    read_lines,
    records_of,
)
from .boundary import ARCHIVE, REMEMBERED, RUNS, Boundaries, Boundary, steps_of
from .project import Project

STACK_MARGIN = rebuild.STACK_MARGIN + REMEMBERED
"""Microseconds that must pass on a stack: see ``rebuild``; and functions remember the boundary for a while."""


class Batch(NamedTuple):
    """Records of one type and day that were archived, or would be; ``bytes`` were written for it."""

    type: str
    day: int
    records: int
    events: int
    bytes: int = 0


class Restored(NamedTuple):
    """Records of one type that were brought back; of ``without_receipt`` the raw log has no bytes any more."""

    type: str
    records: int
    events: int
    without_receipt: int


class Archive:
    """Moves curated events into the archive and back.

    ``margin`` (microseconds): the longest that an insertion can be under way which does not know the boundary, plus
    what clocks differ by; 0 for whoever inserts alone.
    """

    def __init__(self, stores: Stores, clock: Clock, project: Project, *, margin: int) -> None:
        self._stores, self._clock, self._project, self._margin = stores, clock, project, margin
        self._boundaries = Boundaries(stores.views, margin=margin)

    def boundary_of(self, age: int) -> int:
        """The boundary for events older than ``age`` microseconds: the first instant of a day in UTC."""
        return (self._clock.now() - age) // DAY * DAY

    def announce(self, before: int) -> Boundary:
        """Let no event older than ``before`` be inserted from now on. A boundary that is higher already stays."""
        return self._boundaries.announce(before, self._clock.now())

    def wait(self) -> int:
        """Microseconds until there may be a ``run``, as the clock has it now."""
        known = self._boundaries.read() if self._margin else None
        return 0 if known is None else self._boundaries.wait(known, self._clock.now())

    def preview(self, types: Iterable[str], before: int) -> Iterator[Batch]:
        """What a run would archive with that boundary, day by day. Only reads."""
        for name in types:
            for day, records in groupby(self._stored(name, before), day_of):
                counts = [record.part == 0 for record in records]
                yield Batch(name, day, len(counts), sum(counts))

    def run(self, types: Iterable[str]) -> Iterator[Batch]:
        """Archive what is older than the boundary, telling of each batch once it has left the store.

        Raises ``TransientError`` where it is too early, the views are behind, or another run is under way;
        ``StoreError`` where what was written does not read back, or what is there already is damaged.
        """
        boundary = self._boundaries.read()
        if boundary is None:
            return
        # Of this very boundary: it may have been moved since somebody asked how long to wait.
        if wait := self._boundaries.wait(boundary, self._clock.now()):
            raise TransientError(f"Nothing may be archived yet, but in {wait / 60_000_000:.1f} minutes")
        if not self._margin and not self._project.is_current():
            raise TransientError("The views have not seen all changes yet")
        run = _Run(self._stores)
        for name in types:
            stored = (record for record in self._stored(name, boundary.before) if self._is_settled(record, boundary))
            for day, records in groupby(stored, day_of):
                for batch in _batches(records):
                    yield from self._archive(run, name, day, batch)

    def restore(
        self, decoder: Decoder, types: Iterable[str], *, since: int = EARLIEST, until: int = LATEST + 1
    ) -> Iterator[Restored]:
        """Bring archived events with time in [since, until) back into the store, telling of each batch of them."""
        archived = Archived(self._stores)
        for name in types:
            documents = _Documents(self._stores, decoder)
            for batch in _batches(archived.read(name, since=since, until=until)):
                whole = [documents.with_bytes(record) for record in batch]
                self._stores.curated.restore(whole)
                gone = sum(not record.raw for record in whole)
                yield Restored(name, len(whole), sum(record.part == 0 for record in whole), gone)

    # ------------------------------------------------------------------------------------------------------------ parts

    def _stored(self, event_type: str, before: int) -> Iterator[Curated]:
        after: int | None = None
        while page := self._stores.curated.query(event_type, since=EARLIEST, until=before, after=after, limit=PART):
            yield from page
            after = record_key(page[-1])

    def _is_settled(self, record: Curated, boundary: Boundary) -> bool:
        """A further part of an event may still be inserted behind the boundary, where a crash came between it and the
        first one; its worker may be about to insert it once more, which must then find it.
        """
        return not self._margin or record.curated_at < boundary.announced_at

    def _archive(self, run: "_Run", event_type: str, day: int, records: Sequence[Curated]) -> Iterator[Batch]:
        """Archive records of one day, in order of sort key."""
        # Listed only now: what another run has deleted was missing when these were read, and is in what is listed.
        for file, group in _by_file(self._stores, prefix_of(event_type, day), records):
            yield from self._archive_into(run, file, group)

    def _archive_into(self, run: "_Run", file: File | None, records: Sequence[Curated]) -> Iterator[Batch]:
        """Into the file within which records lie, and what lies beyond its end into a new one."""
        held = [] if file is None else _records(self._stores, file.name)
        end = record_key(held[-1]) if held else None
        inside = [record for record in records if end is not None and record_key(record) <= end]
        if file is not None and inside:
            yield self._moved(run, file.name, inside, held)
        if beyond := records[len(inside) :]:
            yield self._moved(run, name_of(beyond[0]), beyond, [])

    def _moved(self, run: "_Run", name: str, records: Sequence[Curated], held: Sequence[Curated]) -> Batch:
        known = {record_key(record): record for record in held}
        written = 0
        if any(not _same(known.get(record_key(record)), record) for record in records):
            known |= {record_key(record): record for record in records}
            written = run.write(name, [known[key] for key in sorted(known)])
        run.step()
        self._stores.curated.delete(records)
        return Batch(records[0].type, day_of(records[0]), len(records), sum(r.part == 0 for r in records), written)


def forget(stores: Stores, records: Iterable[Curated]) -> None:
    """Take records out of the archive, for those who are about to delete them from the store for good.

    A record of another receipt or index stays. Raises ``TransientError`` where somebody archives meanwhile,
    ``StoreError`` as ``Archive.run``.
    """
    boundary = Boundaries(stores.views).read()
    behind = [record for record in records if boundary is not None and record.time < boundary.before]
    for prefix, day in groupby(sorted(behind, key=_prefix_and_key), lambda record: _prefix_and_key(record)[0]):
        for file, group in _by_file(stores, prefix, [*day]):
            if file is None:
                continue
            held, gone = _records(stores, file.name), {_place(record) for record in group}
            left = [record for record in held if _place(record) not in gone]
            if len(left) < len(held):
                run = _Run(stores)
                run.write(file.name, left)
                run.step()  # once more, for those who read the file after the first step and before it was written


class _Run:
    """One run that changes the archive: it fails where another one has begun since."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._steps = stores, steps_of(stores.views)

    def step(self) -> None:
        """Let every other run notice. Raises ``TransientError`` where another one has made a step."""
        if self._stores.views.commit(ARCHIVE, [ViewRow(RUNS, (), {}, self._steps)]):
            raise TransientError("Another process is archiving")
        self._steps += 1

    def write(self, name: str, records: Sequence[Curated]) -> int:
        """Write a file, read it back, and say how many bytes it has."""
        self.step()
        lines = lines_of(records)
        body = packed(lines)
        self._stores.archive.write(FOLDER, name, body)
        there = read_lines(self._stores.archive, name)
        if there is None or there != lines or len(records_of(name, there)) != len(records):
            raise StoreError(f"the archive's file {name} does not read back as it was written; nothing was deleted")
        return len(body)


@attrs.define
class _Documents:
    """The bytes of events, read again from the raw log; remembers the last receipt."""

    stores: Stores
    decoder: Decoder
    _receipt: str = ""
    _documents: Sequence[bytes] = ()

    def with_bytes(self, record: Curated) -> Curated:
        """The record with the bytes that its content hash is of; without where the raw log does not have them."""
        if record.receipt != self._receipt:
            self._receipt = record.receipt
            try:
                raw = self.stores.raw.read(record.receipt)
            except UnknownReceipt:
                self._documents = ()
            else:
                binary = is_binary_mode(raw)
                self._documents = [binary_evidence(raw)] if binary else self.decoder.documents(raw)
        if record.index >= len(self._documents):
            return record
        return msgspec.structs.replace(record, raw=self._documents[record.index])


def _batches(records: Iterable[Curated]) -> Iterator[list[Curated]]:
    batch: list[Curated] = []
    for record in records:
        batch.append(record)
        if len(batch) == PART:
            yield batch
            batch = []
    if batch:
        yield batch


def _by_file(
    stores: Stores, prefix: str, records: Sequence[Curated]
) -> Iterator[tuple[File | None, Sequence[Curated]]]:
    """Records of one type and day, in order of sort key, by the file within which they lie or behind which they come;
    None for those that come before every file.
    """
    files = [file for name in stores.archive.names(FOLDER, prefix) if (file := file_of(name)) is not None]
    firsts = [file.first for file in files]
    for place, group in groupby(records, lambda record: bisect_right(firsts, record_key(record)) - 1):
        yield files[place] if place >= 0 else None, [*group]


def _records(stores: Stores, name: str) -> list[Curated]:
    return records_of(name, read_lines(stores.archive, name) or b"")


def _prefix_and_key(record: Curated) -> tuple[str, int]:
    return prefix_of(record.type, day_of(record)), record_key(record)


def _place(record: Curated) -> tuple[int, str, int]:
    return record_key(record), record.receipt, record.index


def _same(held: Curated | None, record: Curated) -> bool:
    return held is not None and alike(_facts(held), _facts(record))


def _facts(record: Curated) -> list[object]:
    return [record.receipt, record.index, record.version, record.subject, record.curated_at, record.fields]
