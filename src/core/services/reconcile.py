"""Reconcile: the proof that nothing is lost, receipt by receipt, and the mending of what is missing."""

from collections.abc import Iterator

import attrs

from ..identity import EARLIEST, LATEST
from ..ports import Stores

PAGE = 1000


@attrs.define
class Account:
    """What a reconciliation found. ``missing`` receipts have no ledger entry; ``unbalanced`` ones do not add up;
    ``unknown`` are ledger entries whose receipt the raw log does not hold.
    """

    receipts: int = 0
    events: int = 0
    curated: int = 0
    duplicate: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    stored: int | None = None
    missing: list[str] = attrs.field(factory=list)
    unbalanced: list[str] = attrs.field(factory=list)
    unknown: list[str] = attrs.field(factory=list)
    resent: int = 0

    @property
    def holds(self) -> bool:
        """Whether every event of every receipt is accounted for."""
        return not (self.missing or self.unbalanced or self.unknown) and self.stored in (None, self.curated)


class Reconcile:
    """Compares the raw log with the ledger and the curated store."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def run(self, *, since: int = EARLIEST, until: int = LATEST, repair: bool = False) -> Account:
        """Account for every receipt of a time range; over all time, count the curated events too.

        ``repair`` sends receipts without an entry, or whose entry does not add up, to the queue again.
        """
        account, stores = Account(), self._stores
        for page in self._pages(since, until):
            entries = stores.ledger.entries(page)
            for receipt in page:
                account.receipts += 1
                entry = entries.get(receipt)
                if entry is None:
                    account.missing.append(receipt)
                    continue
                if not entry.balanced:
                    account.unbalanced.append(receipt)
                account.events += entry.events
                account.curated += entry.curated
                account.duplicate += entry.duplicate
                account.filtered += entry.filtered
                account.dead_lettered += entry.dead_lettered
        if (since, until) == (EARLIEST, LATEST):
            account.stored = stores.curated.count()
            account.unknown = [*self._unknown()]
        if repair:
            for receipt in (*account.missing, *account.unbalanced):
                stores.queue.send(receipt)
                account.resent += 1
        return account

    def mend(self) -> int:
        """Send every receipt without a ledger entry to the queue, and say how many there were.

        What a crash between any two steps of ingest and process leaves behind, this finds.
        """
        sent = 0
        for page in self._pages(EARLIEST, LATEST):
            entries = self._stores.ledger.entries(page)
            for receipt in page:
                if receipt not in entries:
                    self._stores.queue.send(receipt)
                    sent += 1
        return sent

    def _pages(self, since: int, until: int) -> Iterator[list[str]]:
        after: str | None = None
        while page := self._stores.raw.list(since=since, until=until, after=after, limit=PAGE):
            yield [*page]
            after = page[-1]

    def _unknown(self) -> Iterator[str]:
        receipts = {receipt for page in self._pages(EARLIEST, LATEST) for receipt in page}
        after: str | None = None
        while page := self._stores.ledger.list(after=after, limit=PAGE):
            yield from (entry.receipt for entry in page if entry.receipt not in receipts)
            after = page[-1].receipt
