"""``holds_the_laws``: what Millrace promises of every catalog, held against a history of events."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET

from ..core.catalog import Catalog
from ..core.comparison import alike, differences
from ..core.records import DeadLetter
from ..core.views.partial import Partial
from ..core.views.projection import results
from ..entrypoints.rows import view_row
from .delivered import Delivered
from .memory import SOURCE, MemoryPlatform, document_of

History = Iterable[Delivered | Mapping[str, Any] | bytes | str]

_ALL, _TOLD = 10**9, 5


class LawBroken(AssertionError):
    """A law does not hold for a history; says which, and where."""


def holds_the_laws(catalog: Catalog, history: History) -> None:
    """Raise ``LawBroken`` unless all of this holds for the history, whose events are sent one by one, in order:

    1. Every event ends in exactly one outcome; one that is in order never ends as a dead letter, and a broken one
       (``Delivered.dead``) as one with that reason. What functions of the catalog raise breaks this.
    2. A view equals the plain fold over the distinct curated events.
    3. Processing everything again changes nothing, and what is sent again is a duplicate of what was curated.
    4. What the raw log is processed into once more, several receipts at a time, is what there is: functions of the
       catalog that are not pure break this.

    Other events than ``Delivered`` are only to end in some outcome.
    """
    sent = [each if isinstance(each, Delivered) else document_of(each) for each in history]
    live = MemoryPlatform(catalog)
    receipts = [_accepted(live, each) for each in sent]
    for each, receipt in zip(sent, receipts, strict=True):
        _check_outcome(live, each, receipt)
    if not (account := live.platform.reconcile.run()).holds:
        raise LawBroken(f"Law 1: not every event is accounted for: {account}")
    before = _held(live)
    _require_same(2, {"views": _folded(live)}, {"views": before["views"]}, "A view is not the plain fold")
    for receipt in receipts:
        live.platform.process.receipt(receipt)
    _require_same(3, before, _held(live), "Processing every receipt again changed something")
    _require_same(4, before, _held(_replayed(live, receipts)), "The raw log, processed once more, gives something else")
    for each in sent:
        _accepted(live, each)
    _require_same(3, _lasting(before), _lasting(_held(live)), "Sending everything again changed something")


def _accepted(platform: MemoryPlatform, each: Delivered | bytes) -> str:
    """The receipt of an event, which is processed."""
    # As of a file, since what is no event at all must become a dead letter too.
    document = each.document if isinstance(each, Delivered) else each
    receipt = platform.platform.ingest.chunk(document, source=SOURCE, content_type="application/json", origin="history")
    platform.drain()
    return receipt


def _check_outcome(live: MemoryPlatform, each: Delivered | bytes, receipt: str) -> None:
    stores = live.platform.stores
    entry = stores.ledger.entries([receipt])[receipt]
    if not entry.balanced:
        raise LawBroken(f"Law 1: an event has more or less than one outcome: {entry}\n{_text(each)}")
    if isinstance(each, Delivered) and (found := next(iter(entry.dead_letters), None)) != each.dead:
        letters = [one for one in _letters(live) if found == one.reason and (receipt, 0) in one.occurrences]
        why = [f"{wrong.pointer} {wrong.message}".strip() for letter in letters for wrong in letter.violations]
        outcome = f"became a dead letter ({found}: {'; '.join(why)})" if found else "was taken"
        expected = f"a dead letter ({each.dead})" if each.dead else "in order"
        raise LawBroken(f"Law 1: an event {outcome}, and is {expected}:\n{_text(each)}")


def _replayed(live: MemoryPlatform, receipts: Sequence[str]) -> MemoryPlatform:
    """Another platform that was given the raw log alone, and processes several receipts at a time."""
    other = MemoryPlatform(live.platform.catalog, now=live.now)
    for receipt in receipts:
        raw = live.platform.stores.raw.read(receipt)
        other.platform.stores.raw.append(raw)
        other.platform.stores.queue.send(receipt)
    other.drain()
    return other


def _held(platform: MemoryPlatform) -> dict[str, Any]:
    """All that a platform holds of the history."""
    catalog, ledger = platform.platform.catalog, platform.platform.stores.ledger
    return {
        "events": platform.events(),
        "views": {name: platform.view(name) for name in catalog.views},
        "dead letters": {letter.id: msgspec.to_builtins(letter) for letter in _letters(platform)},
        "ledger": {entry.receipt: msgspec.to_builtins(entry) for entry in ledger.list(after=None, limit=_ALL)},
    }


def _lasting(held: dict[str, Any]) -> dict[str, Any]:
    """What is the same however often the same is sent."""
    return {"events": held["events"], "views": held["views"], "dead letters": dict.fromkeys(held["dead letters"])}


def _folded(platform: MemoryPlatform) -> dict[str, Any]:
    """The rows of every view, folded at once from all that was curated."""
    catalog = platform.platform.catalog
    partial = Partial(catalog.views.values())
    for name in catalog.declared:
        partial.fold(platform.records(name))
    return {name: [*map(view_row, results(view, partial.rows(view)))] for name, view in catalog.views.items()}


def _letters(platform: MemoryPlatform) -> Sequence[DeadLetter]:
    return platform.platform.stores.dead_letters.browse(after=None, limit=_ALL)


def _require_same(law: int, expected: dict[str, Any], found: dict[str, Any], what: str) -> None:
    if alike(expected, found):
        return
    places = [*islice(differences(expected, found), _TOLD)]
    told = "\n".join(f"  {each.pointer}: {_side(each.before)} became {_side(each.after)}" for each in places)
    raise LawBroken(f"Law {law}: {what}:\n{told}")


def _side(value: Any) -> str:
    return "nothing" if value is UNSET else repr(value)


def _text(each: Delivered | bytes) -> str:
    return (each.document if isinstance(each, Delivered) else each).decode(errors="backslashreplace")
