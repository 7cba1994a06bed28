"""Process: the events of a receipt into the curated store or among the dead letters, and the ledger entry that says so.

Repeating it, at any time and from any crash, gives the same outcomes: a stored record knows which receipt and index
wrote it, and outcomes are read off that lineage.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from typing import NamedTuple, TypeVar

import msgspec

from ..canonical import canonical_text
from ..decoding.events import Event, NoEvent
from ..errors import OtherCatalog, TransientError, UnknownReceipt, Unstorable
from ..identity import content_hash
from ..pipeline.failures import rejected_letter
from ..pipeline.pipeline import Batch, Pipeline
from ..ports import Clock, CuratedStore, DeadLetters, Ledger, RawStore
from ..records import Curated, DeadLetter, LedgerEntry, Lineage, Marker, Outcome, RawObject, Reason, Receipt, Violation
from .archived import Archived
from .boundary import BEHIND, Closed

Answer = TypeVar("Answer")


class Processed(NamedTuple):
    """What a receipt came to: its ledger entry, and the dead letters among its events."""

    entry: LedgerEntry
    letters: Sequence[DeadLetter]


class Process:
    """Processes receipts. Every effect is idempotent."""

    def __init__(
        self,
        pipeline: Pipeline,
        raw: RawStore,
        curated: CuratedStore,
        dead_letters: DeadLetters,
        ledger: Ledger,
        clock: Clock,
        archived: Archived | None = None,
    ) -> None:
        self._pipeline, self._raw, self._curated = pipeline, raw, curated
        self._dead_letters, self._ledger, self._clock = dead_letters, ledger, clock
        self._archived = archived

    def over(self, curated: CuratedStore, dead_letters: DeadLetters, ledger: Ledger) -> "Process":
        """The same process, which writes to these."""
        other = copy(self)
        other._curated, other._dead_letters, other._ledger = curated, dead_letters, ledger
        return other

    def receipt(self, receipt: str, raw: RawObject | None = None, *, adopt: bool = False) -> LedgerEntry:
        """``run``, for those who need the ledger entry only."""
        return self.run(receipt, raw, adopt=adopt).entry

    def run(self, receipt: str, raw: RawObject | None = None, *, adopt: bool = False) -> Processed:
        """Process one receipt (read from the raw log unless given) and say what it came to, once that is durable.

        Raises ``TransientError`` from the ports, after which it may be called again; ``UnknownReceipt``;
        ``OtherCatalog`` for a receipt that was accepted under another catalog, unless ``adopt``.
        """
        raw = raw or self._raw.read(receipt)
        if not adopt:
            require_catalog(raw.receipt, self._pipeline.catalog.name)
        now = self._clock.now()
        closed = None if self._archived is None else self._archived.closed(now)
        batch = self._pipeline.run(raw, now)
        own_times = dict.fromkeys(batch.unmarked)
        records = self._marked(batch)
        outcomes = self._insert(records, batch.parts, batch.letters, own_times, closed)
        if batch.letters:
            self._dead_letters.add(batch.letters)
        reasons = Counter(letter.reason for letter in batch.letters)
        entry = LedgerEntry(
            receipt=receipt,
            events=batch.events,
            curated=outcomes[Outcome.CURATED],
            duplicate=outcomes[Outcome.DUPLICATE],
            filtered=batch.filtered,
            dead_lettered=len(batch.letters),
            dead_letters=dict(sorted(reasons.items())),
        )
        self._ledger.record(entry)
        return Processed(entry, batch.letters)

    def _marked(self, batch: Batch) -> dict[int, Curated]:
        """The records by place, with the time of their marker where that decides their identity."""
        records = dict(enumerate(batch.records))
        if not batch.unmarked:
            return records
        mine = [records[place] for place in batch.unmarked]
        markers = [Marker(r.source, r.id, r.type, r.time, r.receipt, r.index) for r in mine]
        for place, record, first in zip(batch.unmarked, mine, self._curated.mark(markers), strict=True):
            if first.type != record.type:
                found = f"{first.type!r} in receipt {first.receipt}, index {first.index}"
                batch.letters.append(_conflict(record, None, f"an event of type {found}"))
                del records[place]
                batch.parts.pop(place, None)
            elif first.time != record.time:
                records[place] = msgspec.structs.replace(record, time=first.time)
                if place in batch.parts:
                    batch.parts[place] = [msgspec.structs.replace(p, time=first.time) for p in batch.parts[place]]
        return records

    def _insert(
        self,
        records: dict[int, Curated],
        parts: dict[int, list[Curated]],
        letters: list[DeadLetter],
        own_times: dict[int, None],
        closed: Closed | None,
    ) -> Counter[Outcome]:
        # What is archived is not inserted again, though the store would take it.
        old = {} if closed is None else {place: r for place, r in records.items() if r.time < closed.before}
        for place in old:
            del records[place]
        found = self._settle(self._curated.insert, records, parts, letters, own_times)
        if closed is not None and old:
            found = [*found, *self._find_first(old, parts, letters, own_times, closed.wait)]
            records |= old
        outcomes = Counter({Outcome.CURATED: len(found)})
        if any(found):
            firsts = Firsts(self._raw, self._pipeline)
            lost = [(*item, first) for item, first in zip(records.items(), found, strict=True) if first is not None]
            for place, record, lineage in lost:
                outcomes[Outcome.CURATED] -= 1
                parts.pop(place, None)
                if firsts.same_event(record, lineage):
                    outcomes[Outcome.DUPLICATE] += 1
                    continue
                where = f"another event in receipt {lineage.receipt}, index {lineage.index}"
                letters.append(_conflict(record, own_times.get(place, record.time), where))
        # Only now, since the further records of an event that lost must not be kept: all are of the one that was first.
        further = [part for place in sorted(parts) if place in records for part in parts[place]]
        if further and old:
            further = self._unfinished(further)
        if further:
            self._curated.insert(further)
        return outcomes

    def _find_first(
        self,
        old: dict[int, Curated],
        parts: dict[int, list[Curated]],
        letters: list[DeadLetter],
        own_times: dict[int, None],
        wait: int,
    ) -> Sequence[Lineage | None]:
        """As an insertion would answer, for events behind the archive's boundary that are known; the others leave
        ``old`` and become dead letters, once nobody can be inserting them any more.
        """
        if self._archived is None:
            return []
        answers: list[Lineage | None] = []
        held = self._settle(self._archived.find, old, parts, letters, own_times)
        for (place, record), first in zip([*old.items()], held, strict=True):
            if first is None:
                if wait:
                    raise TransientError(f"Whether an event is too old can be told in {wait / 60_000_000:.1f} minutes.")
                reason = Reason.BEFORE_ARCHIVE_BOUNDARY
                letters.append(rejected_letter(record, own_times.get(place, record.time), reason, BEHIND))
                del old[place]
                parts.pop(place, None)
            elif (first.receipt, first.index) == (record.receipt, record.index):
                answers.append(None)
            else:
                # No hash of its bytes is at hand: the content itself is compared.
                answers.append(Lineage(first.source, first.id, first.receipt, first.index, b""))
        return answers

    def _unfinished(self, further: Sequence[Curated]) -> list[Curated]:
        """Those of the further records that are neither stored nor archived: a crash may have come before they were."""
        if self._archived is None:
            return [*further]
        held = self._archived.find(further)
        return [record for record, known in zip(further, held, strict=True) if known is None]

    def _settle(
        self,
        ask: Callable[[Sequence[Curated]], Sequence[Answer]],
        records: dict[int, Curated],
        parts: dict[int, list[Curated]],
        letters: list[DeadLetter],
        own_times: dict[int, None],
    ) -> Sequence[Answer]:
        """What ``ask`` answers for the first record of each event whose records the store can hold; the others leave
        ``records`` and become dead letters.
        """

        def refuse(place: int, error: Unstorable) -> None:
            record = records.pop(place)
            wrong = Violation("", "unstorable", str(error))
            letters.append(rejected_letter(record, own_times.get(place, record.time), Reason.TRANSFORM_ERROR, wrong))

        for place in [place for place in parts if place in records]:
            try:
                self._curated.check(parts[place])
            except Unstorable as error:
                refuse(place, error)
        while records:
            try:
                return ask([*records.values()])
            except Unstorable as error:
                refuse([*records][error.position], error)
        return []


def require_catalog(receipt: Receipt, mine: str) -> None:
    """Raise ``OtherCatalog`` for a receipt that was accepted under another catalog than ``mine``."""
    if receipt.catalog not in ("", mine):
        raise OtherCatalog(f"Receipt {receipt.id} was accepted under catalog {receipt.catalog!r}; this is {mine!r}.")


class Firsts:
    """Events that were first, read again from the raw log for comparison; remembers the last receipt."""

    def __init__(self, raw: RawStore, pipeline: Pipeline) -> None:
        self._raw, self._pipeline = raw, pipeline
        self._receipt: RawObject | None = None
        self._documents: Sequence[bytes] = ()

    def same_event(self, record: Curated, first: Lineage) -> bool:
        """Whether a record has the identity and the content of the one that was first.

        Equal bytes are equal content. Other bytes may be too: the canonical content decides, which no catalog
        changes.
        """
        if (record.source, record.id) != (first.source, first.id):
            return False
        if content_hash(record.raw) == first.content:
            return True
        try:
            stored = self._event(first.receipt, first.index)
            ours = self._event(record.receipt, record.index)
        except (UnknownReceipt, NoEvent, IndexError):
            return False  # what cannot be compared is not called a duplicate
        return _content(stored) == _content(ours)

    def _event(self, receipt: str, index: int) -> Event:
        if self._receipt is None or self._receipt.receipt.id != receipt:
            self._receipt = self._raw.read(receipt)
            self._documents = self._pipeline.decoder.documents(self._receipt)
        return self._pipeline.decoder.read(self._receipt, index, self._documents[index])


def _content(event: Event) -> str:
    """What an event says, apart from its identity and the envelope it came in."""
    return canonical_text([event.type, event.subject, event.version, event.data])


def _conflict(record: Curated, own_time: int | None, found: str) -> DeadLetter:
    message = f"The identity (source, id, type, time) belongs to {found}, which has other content."
    return rejected_letter(record, own_time, Reason.CONFLICT, Violation("", "conflict", message))
