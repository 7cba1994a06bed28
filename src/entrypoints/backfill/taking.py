"""Taking old data in: files and objects chunk by chunk, another store receipt by receipt, into the open store."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from ...core.decoding.events import NoEvent
from ...core.identity import EARLIEST, LATEST
from ...core.pipeline.pipeline import Pipeline
from ...core.ports import Ledger, RawStore
from ...core.records import LedgerEntry, RawObject, Receipt
from ..files import Advance, Chunk, Input, Trouble, read
from ..following import follow
from ..platform import Platform
from .sources import Marks

AT_ONCE = 500
"""Receipts that a stack is sent before it is waited for."""
PAGE = 1000


class Wanted(NamedTuple):
    """Which events are wanted: of these types (none: of all), with a time in [since, until).

    What holds a wanted event is taken in as a whole, so that the ledger accounts for every event of every receipt.
    """

    types: Collection[str] = ()
    since: int = EARLIEST
    until: int = LATEST + 1

    @property
    def all(self) -> bool:
        return not self.types and (self.since, self.until) == (EARLIEST, LATEST + 1)

    def held_by(self, raw: RawObject, pipeline: Pipeline) -> bool:
        """Whether one of the events of a receipt is wanted. Events without a time of their own have any."""
        if self.all:
            return True
        for index, document in enumerate(pipeline.decoder.documents(raw)):
            with suppress(NoEvent):
                event = pipeline.decoder.read(raw, index, document)
                timely = event.time is None or self.since <= event.time < self.until
                if timely and (not self.types or event.type in self.types):
                    return True
        return False


class Foreign(NamedTuple):
    """How chunks of files are read: the source of events that name none, and what maps documents that are no events."""

    source: str
    foreign: str | None

    def raw(self, chunk: Chunk, receipt_id: str = "", received_at: int = 0) -> RawObject:
        """The chunk as its receipt will have it, for those who only look at it."""
        receipt = Receipt(
            id=receipt_id,
            received_at=received_at,
            content_type=chunk.content_type,
            origin=chunk.origin,
            source=self.source,
            foreign=self.foreign,
            line=chunk.line,
            chunk=True,
        )
        return RawObject(receipt, chunk.body)


def take_files(
    platform: Platform, inputs: Iterable[Input], how: Foreign, wanted: Wanted, marks: Marks, advance: Advance
) -> Iterator[LedgerEntry | Trouble]:
    """Take in the wanted chunks of the inputs that no earlier run has, and say what each came to."""
    sent: list[str] = []
    for source in inputs:
        mark = marks.of(source)
        if mark.whole:
            advance(source.size)
            continue
        number, troubled = 0, False
        for item in read(source, advance):
            if isinstance(item, Trouble):
                troubled = True
                yield item
                continue
            number += 1
            if number <= mark.chunks or not wanted.held_by(how.raw(item), platform.pipeline):
                continue
            reserved = mark.reserved if number == mark.chunks + 1 else None
            if reserved is None:  # noted first: after a crash the same chunk gets the same receipt
                reserved = platform.ingest.reserve()
                marks.set(source, number - 1, reserved=reserved)
            sent.append(
                platform.ingest.chunk(
                    item.body,
                    source=how.source,
                    content_type=item.content_type,
                    origin=item.origin,
                    line=item.line,
                    foreign=how.foreign,
                    reserved=reserved,
                )
            )
            if not platform.attended or len(sent) >= AT_ONCE:
                yield from _settled(platform, sent)
        marks.set(source, number, whole=not troubled)
    yield from _settled(platform, sent)


def take_receipts(
    platform: Platform, raw: RawStore, types: Collection[str], since: int, until: int
) -> Iterator[LedgerEntry]:
    """Take in the receipts of another store's raw log under their ids: those received in [since, until) that hold an
    event of these types (none: of any) and are not processed here yet.
    """
    sent: list[str] = []
    for found in receipts_of(raw, platform.pipeline, Wanted(types), since, until, platform.stores.ledger):
        platform.stores.raw.append(found)
        platform.stores.queue.send(found.receipt.id, found)
        sent.append(found.receipt.id)
        if not platform.attended or len(sent) >= AT_ONCE:
            yield from _settled(platform, sent)
    yield from _settled(platform, sent)


def receipts_of(
    raw: RawStore, pipeline: Pipeline, wanted: Wanted, since: int, until: int, done: Ledger | None = None
) -> Iterator[RawObject]:
    """Receipts of a raw log received in [since, until) that hold a wanted event and have no entry in ``done``."""
    after: str | None = None
    while page := raw.list(since=since, until=until, after=after, limit=PAGE):
        after = page[-1]
        known = {} if done is None else done.entries(page)
        for receipt in page:
            if receipt not in known and wanted.held_by(found := raw.read(receipt), pipeline):
                yield found


def _settled(platform: Platform, sent: list[str]) -> Iterator[LedgerEntry]:
    """What the receipts came to, which were accepted; they are taken off the list."""
    if platform.attended:
        yield from follow(sent, platform.stores.ledger)
    elif sent:
        yield from (entry for entry in platform.work.drain() if entry.receipt in sent)
    sent.clear()
