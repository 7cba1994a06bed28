"""What a redrive is asked, and what it answers: which letters are chosen, and what became of each."""

import enum
from collections.abc import Sequence
from typing import NamedTuple

import attrs

from .records import DeadLetter, LedgerEntry


class Verdict(enum.StrEnum):
    """What a redrive comes to for one letter."""

    PASSED = "passed"
    """Its event is processed."""
    SAME = "same"
    """It fails in the same way again."""
    OTHER = "other"
    """It fails in another way, for which there is another letter."""
    HELD = "held"
    """It cannot be processed here: the raw log does not have it, or it needs another catalog."""
    SKIPPED = "skipped"
    """It failed too often, and was not tried."""


@attrs.frozen(kw_only=True)
class Choice:
    """Which letters: those that fit everything that is given. Of a letter with a ``receipt``, the occurrences in it."""

    reason: str | None = None
    event_type: str | None = None
    fingerprint: str | None = None
    receipt: str | None = None
    letter: str | None = None

    @property
    def of_receipts(self) -> bool:
        """Whether only the receipt matters, so that receipts without a letter are meant too."""
        return (self.reason, self.event_type, self.fingerprint, self.letter) == (None, None, None, None)

    def fits(self, letter: DeadLetter) -> bool:
        """Whether a letter may be meant; whether it has the receipt is looked up only where it shows it."""
        return (
            self.reason in (None, letter.reason)
            and self.event_type in (None, letter.event_type)
            and self.fingerprint in (None, letter.fingerprint)
            and self.letter in (None, letter.id)
            and (
                self.receipt is None
                or letter.seen > len(letter.occurrences)
                or any(receipt == self.receipt for receipt, _ in letter.occurrences)
            )
        )


class Redriven(NamedTuple):
    """One letter: ``now`` is the one that its event gives now, where that says something else (of very many letters not
    each has it); ``why`` says what held it.
    """

    letter: DeadLetter
    verdict: Verdict
    now: DeadLetter | None = None
    why: str | None = None


class Returned(NamedTuple):
    """A receipt that the queue had given up: its ledger entry, or why there is none.

    Neither, where the raw log has no such receipt: it was queued by a sender that then failed, and never accepted.
    """

    receipt: str
    entry: LedgerEntry | None = None
    why: str | None = None


class Step(NamedTuple):
    """One batch, settled. ``receipts`` counts those that were processed for it."""

    letters: Sequence[Redriven] = ()
    returned: Sequence[Returned] = ()
    receipts: int = 0
