"""Replace: a changed catalog applied to what is stored, receipt by receipt. Views follow by being rebuilt.

Repeating it, also after a crash at any point, leads to the same end: each step is one that processing or the store
repeats without effect, and what is left to do is found by comparing again.
"""

from collections import Counter

import attrs

from ..diffs import Category, EventDiff
from ..ports import Stores
from ..records import Curated, LedgerEntry, Outcome, RawObject
from .diff import Diff
from .process import Process


@attrs.define
class Replaced:
    """What was done. ``types`` are those of which stored records were replaced or deleted: the views over them need a
    rebuild.
    """

    receipts: int = 0
    replaced: int = 0
    """Events whose records were written anew, in whole or in part."""
    inserted: int = 0
    """Events that were new."""
    lost: int = 0
    """Events that left the curated store."""
    kept: int = 0
    """Events that would be lost, and were left as they are."""
    waiting: int = 0
    """New events of receipts in which others would be lost: they were not inserted."""
    types: set[str] = attrs.field(factory=set)

    def merge(self, other: "Replaced") -> None:
        """Count what another one has counted as well."""
        for name in ("receipts", "replaced", "inserted", "lost", "kept", "waiting"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.types |= other.types


class Replace:
    """Makes what is stored of receipts what the catalog makes of them."""

    def __init__(self, diff: Diff, process: Process, stores: Stores, *, lose: bool = False) -> None:
        """With ``lose``, stored events that would be rejected or filtered become dead letters or are filtered, and then
        leave the store; without, they stay, and nothing else of their receipt is processed, since its ledger entry
        would no longer agree with what is stored.
        """
        self._diff, self._process, self._lose = diff, process, lose
        self._curated, self._ledger = stores.curated, stores.ledger

    def receipt(self, raw: RawObject, *, adopt: bool = False) -> Replaced:
        """Apply the catalog to one receipt, which must be in the raw log. Raises as ``Process.run`` does."""
        diffs = self._diff.receipt(raw)
        counts = Counter(diff.category for diff in diffs)
        changed = [diff for diff in diffs if diff.category is Category.CHANGED]
        lost = [diff for diff in diffs if diff.category is Category.LOST]
        stays = lost and not self._lose
        done = Replaced(receipts=1, replaced=len(changed))
        if overlap := [record for diff in changed for record in diff.records[: len(diff.stored)]]:
            self._curated.replace(overlap)
        if stays:
            done.kept, done.waiting = len(lost), counts[Category.NEW]
        else:
            done.lost, done.inserted = len(lost), counts[Category.NEW]
            longer = any(len(diff.records) > len(diff.stored) for diff in changed)
            if lost or longer or counts[Category.NEW] or not self._is_accounted(raw.receipt.id, diffs):
                self._process.run(raw.receipt.id, raw, adopt=adopt)
        # Only now: what leaves the store is among the dead letters by then. An event is found from its first part on,
        # so that goes last: whatever a crash leaves of an event is found again.
        gone = [*_surplus(changed), *(record for diff in lost if not stays for record in diff.stored)]
        for part in sorted({record.part for record in gone}, reverse=True):
            self._curated.delete([record for record in gone if record.part == part])
        done.types = {diff.type or "" for diff in (changed if stays else [*changed, *lost])}
        return done

    def _is_accounted(self, receipt: str, diffs: list[EventDiff]) -> bool:
        """Whether the ledger has the receipt as it would come out now. It does not where only the reason of a rejection
        changed, or where a crash came between what processing inserts and what it writes down.
        """
        return self._ledger.entries([receipt]).get(receipt) == _entry(receipt, diffs)


def _entry(receipt: str, diffs: list[EventDiff]) -> LedgerEntry:
    """The ledger entry of events as they compare."""
    counts = Counter(diff.category for diff in diffs)
    reasons = Counter(diff.reason or "" for diff in diffs if diff.category in (Category.LOST, Category.REJECTED))
    filtered = counts[Category.FILTERED] + reasons.pop(Outcome.FILTERED, 0)
    return LedgerEntry(
        receipt=receipt,
        events=len(diffs),
        curated=counts[Category.NEW] + counts[Category.SAME] + counts[Category.CHANGED],
        duplicate=counts[Category.DUPLICATE],
        filtered=filtered,
        dead_lettered=reasons.total(),
        dead_letters=dict(sorted(reasons.items())),
    )


def _surplus(changed: list[EventDiff]) -> list[Curated]:
    """The stored records of events that come to fewer now."""
    return [record for diff in changed for record in diff.stored[len(diff.records) :]]
