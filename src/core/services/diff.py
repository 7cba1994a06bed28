"""Diff: what a catalog would make of the events of receipts, beside what is kept of them. Writes nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
import msgspec

from ..comparison import Difference, changes
from ..decoding.events import Event, NoEvent
from ..diffs import Category, EventDiff
from ..pipeline.pipeline import Batch, Pipeline
from ..ports import Stores
from ..records import Curated, Lineage, Marker, Outcome, RawObject, Reason, Violation
from .boundary import BEHIND
from .holdings import Held, Holdings, part_of
from .process import Firsts, require_catalog


@attrs.frozen
class _Refusal:
    reason: str
    violations: Sequence[Violation]
    type: str | None
    id: str | None
    source: str


class Diff:
    """Compares receipt by receipt. Of what it has seen it holds a number for each new event, and no event.

    Values are compared as they are stored: by type and by value, so that 12 and Decimal("12") differ, 1.50 and 1.5 do
    not. An event is stored if it is in the curated store or archived. It is found by its identity; one whose type, id
    or time the catalog now reads differently (of a foreign source that was declared otherwise) counts as new. What is
    not stored and older than the archive's boundary would be rejected, as processing it would be.
    """

    def __init__(self, pipeline: Pipeline, stores: Stores, *, adopt: bool = False, contents: bool = False) -> None:
        """``adopt`` takes receipts that were accepted under another catalog too. ``contents`` reads the first delivery
        of what is stored already, to tell duplicates from conflicts, which are rejected; else all are duplicates.
        """
        self._pipeline, self._stores, self._adopt, self._contents = pipeline, stores, adopt, contents
        self._holdings = Holdings(stores)
        self._seen: set[int] = set()
        self._marks: dict[tuple[str, str], Marker] = {}

    def events(self, raws: Iterable[RawObject]) -> Iterator[EventDiff]:
        """What would become of the events of receipts, in order. Raises as ``receipt`` does."""
        for raw in raws:
            yield from self.receipt(raw)

    def receipt(self, raw: RawObject) -> list[EventDiff]:
        """What would become of the events of one receipt, in order.

        Raises ``OtherCatalog`` for a receipt that was accepted under another catalog, unless they are adopted.
        """
        if not self._adopt:
            require_catalog(raw.receipt, self._pipeline.catalog.name)
        batch = self._pipeline.run(raw, 0)
        refused = {
            letter.index: _Refusal(letter.reason, letter.violations, letter.event_type, letter.event_id, letter.source)
            for letter in batch.letters
        }
        kept = self._kept(batch, refused)
        held = self._holdings.find({i: [*records, part_of(records[0], len(records))] for i, records in kept.items()})
        for index, error in held.refused.items():
            wrong = Violation("", "unstorable", str(error))
            refused[index] = _refusal(Reason.TRANSFORM_ERROR, wrong, kept.pop(index)[0])
        diffs = self._compared(kept, held, refused)
        if gone := set(range(batch.events)).difference(diffs):
            diffs |= self._gone(raw, gone, refused)
        return [diffs[index] for index in sorted(diffs)]

    # ---------------------------------------------------------------------------------------------------------- curated

    def _kept(self, batch: Batch, refused: dict[int, _Refusal]) -> dict[int, list[Curated]]:
        """The records of each event that would be curated, by its index, with the time of its marker."""
        kept = {first.index: [first, *batch.parts.get(place, ())] for place, first in enumerate(batch.records)}
        unmarked = [batch.records[place] for place in batch.unmarked]
        for first, held in zip(unmarked, self._marked(unmarked), strict=True):
            if held.type != first.type:
                message = f"The identity belongs to an event of type {held.type!r} in receipt {held.receipt}."
                refused[first.index] = _refusal(Reason.CONFLICT, Violation("", "conflict", message), first)
                del kept[first.index]
            elif held.time != first.time:
                kept[first.index] = [msgspec.structs.replace(r, time=held.time) for r in kept[first.index]]
        return kept

    def _marked(self, records: Sequence[Curated]) -> Iterator[Marker]:
        """The marker that each would find: one that is stored, or that an earlier one would have written."""
        markers = [Marker(r.source, r.id, r.type, r.time, r.receipt, r.index) for r in records]
        held = self._stores.curated.marked(markers) if markers else ()
        for marker, first in zip(markers, held, strict=True):
            yield first or self._marks.setdefault((marker.source, marker.id), marker)

    def _compared(
        self, kept: Mapping[int, list[Curated]], held: Held, refused: dict[int, _Refusal]
    ) -> dict[int, EventDiff]:
        diffs: dict[int, EventDiff] = {}
        others: dict[int, Curated] = {}
        mine: dict[int, list[Curated]] = {}
        for index, records in kept.items():
            first = held.records[index][0]
            if first is None:
                if held.boundary is not None and records[0].time < held.boundary:
                    refused[index] = _refusal(Reason.BEFORE_ARCHIVE_BOUNDARY, BEHIND, records[0])
                else:
                    diffs[index] = _diff(self._category_of_absent(records[0]), records)
            elif not _is_mine(first, records[0]):
                others[index] = first
            else:
                mine[index] = [record for record in held.records[index] if record is not None]
        archived = held.archived | self._holdings.add_further(mine, than={index: len(kept[index]) for index in mine})
        for index, stored in mine.items():
            changed = _changes(stored, kept[index])
            category = Category.CHANGED if changed else Category.SAME
            diffs[index] = _diff(category, kept[index], changes=changed, stored=stored, is_archived=index in archived)
        return diffs | self._deliveries(kept, others, refused)

    def _category_of_absent(self, record: Curated) -> Category:
        seen = len(self._seen)
        self._seen.add(hash((record.type, record.time, record.source, record.id)))
        return Category.NEW if len(self._seen) > seen else Category.DUPLICATE

    def _deliveries(
        self, kept: Mapping[int, list[Curated]], others: Mapping[int, Curated], refused: dict[int, _Refusal]
    ) -> dict[int, EventDiff]:
        """Those that another delivery came before; the ones with other contents are refused."""
        diffs, firsts = {}, Firsts(self._stores.raw, self._pipeline)
        # By the receipt of the first, which is thus read once.
        for index, held in sorted(others.items(), key=lambda item: (item[1].receipt, item[0])):
            record, lineage = kept[index][0], Lineage(held.source, held.id, held.receipt, held.index, b"")
            if self._contents and not firsts.same_event(record, lineage):
                message = f"The identity belongs to another event in receipt {held.receipt}, index {held.index}."
                refused[index] = _refusal(Reason.CONFLICT, Violation("", "conflict", message), record)
            else:
                diffs[index] = _diff(Category.DUPLICATE, kept[index])
        return diffs

    # ------------------------------------------------------------------------------------------------------------- gone

    def _gone(self, raw: RawObject, indexes: Iterable[int], refused: Mapping[int, _Refusal]) -> dict[int, EventDiff]:
        """The events that would not be curated: lost where they are stored, else rejected or filtered."""
        events = self._read(raw, indexes)
        stored, archived = self._stored(raw, events)
        diffs = {}
        for index in indexes:
            if (refusal := refused.get(index)) is None:
                event, absent = events[index], Category.FILTERED
                refusal = _Refusal(Outcome.FILTERED.value, (), event.type, event.id, event.source)
            else:
                absent = Category.REJECTED
            diffs[index] = EventDiff(
                category=Category.LOST if index in stored else absent,
                type=refusal.type,
                id=refusal.id,
                source=refusal.source,
                receipt=raw.receipt.id,
                index=index,
                reason=refusal.reason,
                violations=refusal.violations,
                stored=stored.get(index, ()),
                archived=index in archived,
            )
        return diffs

    def _read(self, raw: RawObject, indexes: Iterable[int]) -> dict[int, Event]:
        decoder, events = self._pipeline.decoder, {}
        documents = decoder.documents(raw)
        for index in indexes:
            try:
                events[index] = decoder.read(raw, index, documents[index])
            except NoEvent:
                continue
        return events

    def _stored(self, raw: RawObject, events: Mapping[int, Event]) -> tuple[dict[int, list[Curated]], set[int]]:
        """What is stored of these deliveries, all records of each, and those of which something is archived. How a
        catalog of before identified them is not known: they are sought at their own time and at their marker's.
        """
        receipt = raw.receipt.id
        markers = [Marker(e.source, e.id, e.type, e.time or 0, receipt, index) for index, e in events.items()]
        held = self._stores.curated.marked(markers) if markers else ()
        asked: dict[int, list[Curated]] = {}
        for (index, event), first in zip(events.items(), held, strict=True):
            times = {event.time, first.time if first is not None and first.type == event.type else None} - {None}
            asked[index] = [
                Curated(event.type, time, event.source, event.id, 0, 0, None, receipt, index, 0, {})
                for time in times
                if time is not None
            ]
        stored: dict[int, list[Curated]] = {}
        kept = self._holdings.find(asked)
        for index, found in kept.records.items():
            if mine := [record for record in found if record is not None and _is_mine(record, asked[index][0])]:
                stored[index] = mine[:1]
        further = self._holdings.add_further(stored, than=dict.fromkeys(stored, 0))
        return stored, {index for index in kept.archived | further if index in stored}


def _is_mine(stored: Curated, record: Curated) -> bool:
    return (stored.receipt, stored.index) == (record.receipt, record.index)


def _changes(stored: Sequence[Curated], records: Sequence[Curated]) -> list[Difference]:
    common = min(len(stored), len(records))
    found = [
        change
        for part in range(common)
        for change in changes(stored[part], records[part], f"/parts/{part}" if part else "")
    ]
    found += [Difference(f"/parts/{part}", before=stored[part].fields) for part in range(common, len(stored))]
    found += [Difference(f"/parts/{part}", after=records[part].fields) for part in range(common, len(records))]
    return found


def _refusal(reason: Reason, wrong: Violation, record: Curated) -> _Refusal:
    return _Refusal(reason.value, (wrong,), record.type, record.id, record.source)


def _diff(
    category: Category,
    records: Sequence[Curated],
    *,
    changes: Sequence[Difference] = (),
    stored: Sequence[Curated] = (),
    is_archived: bool = False,
) -> EventDiff:
    first = records[0]
    return EventDiff(
        category,
        first.type,
        first.id,
        first.source,
        first.receipt,
        first.index,
        changes=changes,
        stored=stored,
        records=records,
        archived=is_archived,
    )
