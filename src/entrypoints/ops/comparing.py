"""Two platforms of one raw log compared: curated events, views, ledger and dead letters, by count and hash.

The first is the live one, where events go on arriving; the second was rebuilt from receipts of a span. What the live
one has of receipts outside of the span, or has not processed yet, is left out on both sides, and so are the rows of
views that this counts in: nothing else may differ. When an event was curated is not compared, and of receipts that
raced for one event not which was first.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

import attrs
import msgspec

from ...core.identity import EARLIEST, LATEST, record_key
from ...core.records import Curated, DeadLetter, LedgerEntry, RowKey, ViewRow
from ...core.services.archived import Archived
from ...core.services.generations import Generations
from ...core.views.projection import bucket, results
from ...core.views.view import View
from ..platform import Platform
from .findings import Report
from .pairs import paired

PAGE: Final = 1000
SAMPLE: Final = 5
"""Differences that are told, at most."""
SHOWN: Final = 100
"""Occurrences that a dead letter shows, at most (``DeadLetter``)."""


class Digest:
    """A running count and hash of values in order."""

    def __init__(self) -> None:
        self.count = 0
        self._hash = sha256()

    def add(self, value: Any) -> None:
        line = msgspec.json.encode(value, order="deterministic")
        self._hash.update(len(line).to_bytes(8) + line)
        self.count += 1

    @property
    def text(self) -> str:
        """16 hex digits."""
        return self._hash.hexdigest()[:16]


@attrs.define
class Part:
    """What one kind of things came to on both sides. ``left_out`` are those of the live one that were not compared;
    ``further`` are only in the rebuilt one, and no harm.
    """

    name: str
    live: Digest = attrs.field(factory=Digest)
    rebuilt: Digest = attrs.field(factory=Digest)
    left_out: int = 0
    further: int = 0
    different: list[str] = attrs.field(factory=list)

    @property
    def same(self) -> bool:
        """Whether both sides are equal."""
        return (self.live.count, self.live.text) == (self.rebuilt.count, self.rebuilt.text)

    def add(self, name: str, live: Any, rebuilt: Any) -> None:
        """One thing; None where a side does not have it."""
        if live is not None:
            self.live.add(live)
        if rebuilt is not None:
            self.rebuilt.add(rebuilt)
        if live != rebuilt and len(self.different) < SAMPLE:
            self.different.append(name)

    def as_row(self) -> dict[str, Any]:
        """For a report."""
        return {
            "what": self.name,
            "live": self.live.count,
            "rebuilt": self.rebuilt.count,
            "left out": self.left_out,
            "further": self.further,
            "hash live": self.live.text,
            "hash rebuilt": self.rebuilt.text,
            "same": self.same,
        }


def report_of(parts: Sequence[Part]) -> Report:
    """The comparison as a table."""
    columns = ("what", "live", "rebuilt", "left out", "further", "hash live", "hash rebuilt", "same")
    wrong = [f"The {part.name} differ: {', '.join(part.different)}" for part in parts if not part.same]
    return Report("Comparison", columns, [part.as_row() for part in parts], wrong)


class Comparing:
    """Compares what two platforms with the same catalog hold of the receipts received in [since, until)."""

    def __init__(self, live: Platform, rebuilt: Platform, since: int, until: int) -> None:
        self._live, self._rebuilt = live, rebuilt
        # A receipt's id tells a millisecond.
        self._since, self._until = since // 1000 * 1000, -(-until // 1000) * 1000
        self._waiting: set[str] = set()
        self._touched: dict[str, set[RowKey]] = {view: set() for view in live.catalog.views}

    def run(self) -> list[Part]:
        """Reads both sides whole, a page at a time; in memory are rows of views that are left out, and dead letters."""
        ledger = self._ledger()
        events = self._events()
        views = [self._view(view) for view in self._live.catalog.views.values()]
        return [events, *views, self._letters(), ledger]

    # --------------------------------------------------------------------------------------------------------- parts

    def _ledger(self) -> Part:
        part = Part("ledger entries")
        after: str | None = None
        raw = self._rebuilt.stores.raw
        while page := raw.list(since=self._since, until=self._until, after=after, limit=PAGE):
            ours, theirs = (side.stores.ledger.entries(page) for side in (self._live, self._rebuilt))
            for receipt in page:
                if receipt not in ours:
                    self._waiting.add(receipt)
                    part.left_out += 1
                else:
                    part.add(receipt, _entry(ours.get(receipt)), _entry(theirs.get(receipt)))
            after = page[-1]
        return part

    def _events(self) -> Part:
        part = Part("curated events")
        for name in sorted(self._live.catalog.types):
            ours, theirs = (_events_of(side, name) for side in (self._live, self._rebuilt))
            for live, rebuilt in paired(ours, theirs, record_key):
                if live is not None and not self._holds(live.receipt):
                    self._leave_out(live, part)
                elif live is None and rebuilt is not None and rebuilt.receipt in self._waiting:
                    self._leave_out(rebuilt, part)
                else:
                    told = rebuilt or live
                    place = "" if told is None else f"{told.type} {told.id} of {told.source}"
                    part.add(place, _event(live), _event(rebuilt))
        return part

    def _view(self, view: View) -> Part:
        part = Part(f"rows of view {view.name}")
        ours, theirs = (_rows_of(side, view) for side in (self._live, self._rebuilt))
        for live, rebuilt in paired(ours, theirs, lambda row: row.key):
            told = live or rebuilt
            if told is None:
                continue
            if told.key in self._touched[view.name]:
                part.left_out += 1
            else:
                part.add(f"{told.key.window} {told.key.group}", _result(view, live), _result(view, rebuilt))
        return part

    def _letters(self) -> Part:
        part = Part("dead letters")
        ours, theirs = (self._letters_of(side) for side in (self._live, self._rebuilt))
        for letter in sorted({*ours, *theirs}):
            if letter not in ours:
                part.further += 1  # redriven, purged, or forgotten by the queue; the ledger tells of it
                continue
            (mine, places), (other, there) = ours[letter], theirs.get(letter, (None, set()))
            # Occurrences may have been settled; of many, a letter shows the first.
            shown = sorted(places & there) if places - there and len(places) == SHOWN else sorted(places)
            part.add(letter, [*mine, shown], other and [*other, sorted({*shown} & there)])
        return part

    def _letters_of(self, side: Platform) -> dict[str, tuple[list[Any], set[tuple[str, int]]]]:
        found: dict[str, tuple[list[Any], set[tuple[str, int]]]] = {}
        after: str | None = None
        while page := side.stores.dead_letters.browse(after=after, limit=PAGE):
            for letter in page:
                places = {place for place in letter.occurrences if self._holds(place[0])}
                if places:
                    found[letter.id] = _letter(letter), places
            after = page[-1].id
        return found

    def _holds(self, receipt: str) -> bool:
        """Whether a receipt is of the span, and was processed by the live platform."""
        return receipt not in self._waiting and self._since <= _received(receipt) < self._until

    def _leave_out(self, record: Curated, part: Part) -> None:
        part.left_out += 1
        for view in self._live.catalog.views.values():
            if view.over == record.type:
                self._touched[view.name].update(bucket(view, [record]))


def _received(receipt: str) -> int:
    """The instant that a receipt's id (UUIDv7) tells, in microseconds; the millisecond's first."""
    return int(receipt.replace("-", "")[:12], 16) * 1000


def _events_of(side: Platform, name: str) -> Iterator[Curated]:
    """All curated events of a type by sort key, in order, stored or archived."""
    archived = Archived(side.stores)
    after: int | None = None
    while page := archived.page(name, after, PAGE):
        yield from page
        after = record_key(page[-1])


def _rows_of(side: Platform, view: View) -> Iterator[ViewRow]:
    """The rows of a view that readers see, by key, in order."""
    rows = Generations(side.stores.views).current_rows(view)
    after: RowKey | None = None
    while page := side.stores.views.rows(rows, since=EARLIEST, until=LATEST + 1, after=after, limit=PAGE):
        yield from page
        after = page[-1].key


def _event(record: Curated | None) -> Any:
    if record is None:
        return None
    one = record
    return [one.type, one.time, one.source, one.id, one.part, one.version, one.subject, one.fields]


def _result(view: View, row: ViewRow | None) -> Any:
    if row is None:
        return None
    [found] = results(view, [row])
    return [found.window, found.group, found.measures]


def _entry(entry: LedgerEntry | None) -> Any:
    if entry is None:
        return None
    accepted = entry.curated + entry.duplicate  # of receipts that raced, either may be the first
    return [entry.receipt, entry.events, accepted, entry.filtered, entry.dead_lettered, dict(entry.dead_letters)]


def _letter(letter: DeadLetter) -> list[Any]:
    return [letter.id, letter.reason, letter.stage, letter.fingerprint, letter.event_type, letter.event_id]
