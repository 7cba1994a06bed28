"""Reconcile: the proof that nothing is lost, receipt by receipt, and the mending of what is missing.

What it holds in memory are pages and gaps, however long the log is: receipts and ledger entries come in one order.
"""

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

import attrs

from ..errors import UnknownReceipt
from ..identity import EARLIEST, LATEST, received_at, record_key
from ..ports import Stores
from ..records import LedgerEntry
from .archived import Archived

PAGE = 1000

VERIFIED: Final = "receipts", "ledger"
"""The cursor that says up to which instant every receipt was found to have a ledger entry. No view has such a name."""
MARGIN: Final = 120_000_000
"""Microseconds: a receipt that is accepted now may have been given its id, which tells the time, so much before."""


class Verified(NamedTuple):
    """What was found of receipts and ledger entries: up to which instant each has one, whether all have, and how many
    receipts were looked at.
    """

    until: int
    whole: bool
    receipts: int


@attrs.define
class Account:
    """What a reconciliation found. ``missing`` receipts have no ledger entry; ``unbalanced`` ones do not add up;
    ``unknown`` are ledger entries whose receipt the raw log does not hold, ``gone`` receipts that it does not hold
    though curated events came from them; these are sought where the numbers are wrong.

    ``stored`` and ``archived`` are counted over all time: events in the curated store, and those in the archive that
    are not in the store as well.
    """

    receipts: int = 0
    events: int = 0
    curated: int = 0
    duplicate: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    stored: int | None = None
    archived: int | None = None
    missing: list[str] = attrs.field(factory=list)
    unbalanced: list[str] = attrs.field(factory=list)
    unknown: list[str] = attrs.field(factory=list)
    gone: list[str] = attrs.field(factory=list)
    resent: int = 0

    @property
    def holds(self) -> bool:
        """Whether every event of every receipt is accounted for."""
        return not (self.missing or self.unbalanced or self.unknown or self.gone) and self.kept in (None, self.curated)

    @property
    def kept(self) -> int | None:
        """How many curated events there are, stored or archived; None where they were not counted."""
        return None if self.stored is None else self.stored + (self.archived or 0)

    def add(self, receipt: str, entry: LedgerEntry | None) -> None:
        """Account for one receipt of the raw log."""
        self.receipts += 1
        if entry is None:
            self.missing.append(receipt)
            return
        if not entry.balanced:
            self.unbalanced.append(receipt)
        self.events += entry.events
        self.curated += entry.curated
        self.duplicate += entry.duplicate
        self.filtered += entry.filtered
        self.dead_lettered += entry.dead_lettered


class Reconcile:
    """Compares the raw log with the ledger and the curated store."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._archived = stores, Archived(stores)

    def run(
        self, *, since: int = EARLIEST, until: int = LATEST, repair: bool = False, types: Collection[str] = ()
    ) -> Account:
        """Account for every receipt of a time range; over all time, count the curated events too, stored and archived.

        ``repair`` sends receipts without an entry, or whose entry does not add up, to the queue again. ``types`` are
        those whose events are looked through for receipts that are gone, if there is cause.
        """
        account, stores = Account(), self._stores
        if (since, until) == (EARLIEST, LATEST):
            self._account_for_all(account)
            if types and not account.missing and (account.unknown or account.kept != account.curated):
                account.gone = [*self._gone(types)]
        else:
            for page in self._pages(since, until):
                entries = stores.ledger.entries(page)
                for receipt in page:
                    account.add(receipt, entries.get(receipt))
        if repair:
            for receipt in (*account.missing, *account.unbalanced):
                stores.queue.send(receipt)
                account.resent += 1
        return account

    def verify(self, now: int, *, at_most: int | None = None) -> Verified:
        """Look whether every receipt has a ledger entry, beginning shortly before where ``note`` says. Only reads.
        After about ``at_most`` receipts beyond that it is left open whether all have.

        What comes into the raw log with older ids, by a copy, ``mend`` and ``run`` find.
        """
        noted = self._stores.views.cursor(*VERIFIED)
        if noted > now:  # by a clock that was ahead
            noted = 0
        until, receipts, further = noted, 0, 0
        for page in self._pages(noted - MARGIN if noted else EARLIEST, LATEST):
            entries = self._stores.ledger.entries(page)
            for receipt in page:
                if receipt not in entries:
                    return Verified(min(until, now), False, receipts)
                until, receipts = max(until, received_at(receipt)), receipts + 1
                further += until > noted
            if at_most is not None and further >= at_most:
                return Verified(min(until, now), False, receipts)
        return Verified(min(until, now), True, receipts)

    def note(self, verified: Verified) -> None:
        """Begin there the next time."""
        self._stores.views.advance(*VERIFIED, verified.until)

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

    def _account_for_all(self, account: Account) -> None:
        receipts = (receipt for page in self._pages(EARLIEST, LATEST) for receipt in page)
        entries = self._entries()
        receipt, entry = next(receipts, None), next(entries, None)
        while receipt is not None or entry is not None:
            if receipt is not None and (entry is None or receipt < entry.receipt):
                # It may have been recorded since the page was read in which its entry was sought.
                account.add(receipt, self._stores.ledger.entries([receipt]).get(receipt))
                receipt = next(receipts, None)
            elif entry is not None and receipt == entry.receipt:
                account.add(receipt, entry)
                receipt, entry = next(receipts, None), next(entries, None)
            elif entry is not None:
                if not self._is_kept(entry.receipt):
                    account.unknown.append(entry.receipt)
                entry = next(entries, None)
        account.stored = self._stores.curated.count()
        account.archived = sum(events - stored for _, events, stored in self._archived.events())

    def _entries(self) -> Iterator[LedgerEntry]:
        after: str | None = None
        while page := self._stores.ledger.list(after=after, limit=PAGE):
            yield from page
            after = page[-1].receipt

    def _gone(self, types: Collection[str]) -> Iterator[str]:
        """Receipts of curated events that the raw log does not hold, each once."""
        known: dict[str, bool] = {}
        for name in sorted({*types, *self._archived.types()}):
            after: int | None = None
            while page := self._archived.page(name, after, PAGE):
                after = record_key(page[-1])
                for receipt in dict.fromkeys(record.receipt for record in page):
                    if receipt not in known:
                        known[receipt] = self._is_kept(receipt)
                        if not known[receipt]:
                            yield receipt
                # What was found to be there is forgotten: only gaps are held.
                known = {receipt: kept for receipt, kept in known.items() if not kept}

    def _is_kept(self, receipt: str) -> bool:
        try:
            self._stores.raw.read(receipt)
        except UnknownReceipt:
            return False
        return True
