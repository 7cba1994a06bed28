"""Replace: a changed catalog applied to what is stored, receipt by receipt. Views follow by being rebuilt.

Repeating it, also after a crash at any point, leads to the same end: each step is one that processing or the store
repeats without effect, and what is left to do is found by comparing again.

What is archived stays as it is. To apply the catalog to it, too, it is restored, replaced in the store, and archived
again, which writes anew what was changed. Only what leaves the store for good is taken out of the archive here: it
would come back with the archive else.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from ..diffs import Category, EventDiff
from ..ports import Stores
from ..records import Curated, LedgerEntry, Outcome, RawObject
from ..views.view import View
from .archive import forget
from .diff import Diff
from .outdated import Outdated
from .process import Process


@attrs.define
class Replaced:
    """What was done. ``types`` are those of which stored records were replaced or deleted."""

    receipts: int = 0
    replaced: int = 0
    """Events whose records were written anew, in whole or in part."""
    inserted: int = 0
    """Events that were new."""
    lost: int = 0
    """Events that left the curated store."""
    kept: int = 0
    """Events that would be lost, or changed where they are archived, and were left as they are."""
    archived: int = 0
    """Those of them that are archived."""
    waiting: int = 0
    """Events that are new or come to more records, of receipts that could not be processed: they wait for that."""
    types: set[str] = attrs.field(factory=set)

    def merge(self, other: "Replaced") -> None:
        """Count what another one has counted as well."""
        for name in ("receipts", "replaced", "inserted", "lost", "kept", "archived", "waiting"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.types |= other.types


class Replace:
    """Makes what is stored of receipts what the catalog makes of them."""

    def __init__(self, diff: Diff, process: Process, stores: Stores, *, lose: bool = False) -> None:
        """With ``lose``, stored events that would be rejected or filtered become dead letters or are filtered, and then
        leave the store; without, they stay, and their receipt is not processed, since its ledger entry would no longer
        agree with what is stored: what is new in it is not inserted. So it is with archived ones in any case.
        """
        self._diff, self._process, self._lose = diff, process, lose
        self._stores, self._curated, self._ledger = stores, stores.curated, stores.ledger
        self._outdated = Outdated(stores)

    def outdated(self, views: Iterable[View]) -> list[View]:
        """Those of the views that need a rebuild after what was replaced, now or at any time before."""
        return self._outdated.of(views)

    def receipt(self, raw: RawObject, *, adopt: bool = False) -> Replaced:
        """Apply the catalog to one receipt, which must be in the raw log. Raises as ``Process.run`` does."""
        diffs = self._diff.receipt(raw)
        new = sum(diff.category is Category.NEW for diff in diffs)
        changed = [diff for diff in diffs if diff.category is Category.CHANGED and not diff.archived]
        lost = [diff for diff in diffs if diff.category is Category.LOST and not diff.archived]
        archived = [diff for diff in diffs if diff.category in (Category.CHANGED, Category.LOST) and diff.archived]
        # Processing would insert the further records of an archived event beside what the archive has of it.
        stays = (lost and not self._lose) or any(diff.category is Category.LOST or _grows(diff) for diff in archived)
        done = Replaced(receipts=1, kept=len(archived), archived=len(archived))
        if stays:
            done.kept += len(lost)
            done.waiting = new + sum(map(_grows, changed))
            changed = [diff for diff in changed if not _grows(diff)]
        if about := {diff.type or "" for diff in (changed if stays else [*changed, *lost])}:
            self._outdated.note(sorted(about))
        rewritten = self._rewrite(changed)
        done.replaced = len(rewritten)
        if not stays:
            done.lost, done.inserted = len(lost), new
            if lost or new or any(map(_grows, changed)) or not self._is_accounted(raw.receipt.id, diffs):
                self._process.run(raw.receipt.id, raw, adopt=adopt)
        # Only now: what leaves the store is among the dead letters by then. An event is found from its first part on,
        # so that goes last: whatever a crash leaves of an event is found again.
        gone = [*_surplus(changed), *(record for diff in lost if not stays for record in diff.stored)]
        if gone:
            forget(self._stores, gone)
        for part in sorted({record.part for record in gone}, reverse=True):
            self._curated.delete([record for record in gone if record.part == part])
        done.types = {diff.type or "" for diff in (rewritten if stays else [*rewritten, *lost])}
        return done

    def _rewrite(self, changed: Sequence[EventDiff]) -> list[EventDiff]:
        """Write changed records over the stored ones. Those of the events that are changed in the store, by this or by
        what is left to do: not what was archived since it was compared.
        """
        records = [record for diff in changed for record in diff.records[: len(diff.stored)]]
        answers = iter(self._curated.replace(records) if records else ())
        found = []
        for diff in changed:
            written = [next(answers) for _ in diff.records[: len(diff.stored)]]
            if any(written) or len(diff.records) != len(diff.stored):
                found.append(diff)
        return found

    def _is_accounted(self, receipt: str, diffs: list[EventDiff]) -> bool:
        """Whether the ledger has the receipt as it would come out now. It does not where only the reason of a rejection
        changed, or where a crash came between what processing inserts and what it writes down.
        """
        return self._ledger.entries([receipt]).get(receipt) == entry_of(receipt, diffs)


def entry_of(receipt: str, diffs: Sequence[EventDiff]) -> LedgerEntry:
    """The ledger entry of events as they compare: what processing them would write."""
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


def _grows(diff: EventDiff) -> bool:
    """Whether an event comes to more records now."""
    return len(diff.records) > len(diff.stored)


def _surplus(changed: list[EventDiff]) -> list[Curated]:
    """The stored records of events that come to fewer now."""
    return [record for diff in changed for record in diff.stored[len(diff.records) :]]
