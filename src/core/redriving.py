"""What a redrive is asked, and what it answers: which letters are chosen, and what became of each."""

import enum
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import attrs
import msgspec

from .records import DeadLetter, LedgerEntry, Violation


class Verdict(enum.StrEnum):
    """What a redrive comes to for one letter."""

    PASSED = "passed"
    """Its event is processed."""
    SAME = "same"
    """It fails in the same way again: for the same reason, and with the same fingerprint."""
    OTHER = "other"
    """It fails in another way: another letter says so, or this one does from now on."""
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


class Failure(NamedTuple):
    """How an event fails: what its dead letter says apart from which event it is, and how often it was tried."""

    reason: str
    stage: str
    fingerprint: str
    violations: tuple[Violation, ...]

    @classmethod
    def of(cls, letter: DeadLetter) -> "Failure":
        """What a letter says."""
        return cls(letter.reason, letter.stage, letter.fingerprint, letter.violations)

    @property
    def digest(self) -> bytes:
        """8 bytes that stand for it."""
        return sha256(msgspec.json.encode(self)).digest()[:8]


def failed_again(letter: DeadLetter, failure: Failure) -> DeadLetter:
    """The letter as it is after its event failed once more, for the same reason.

    The attempts that a letter counts are failures in the same way, that is with the same fingerprint: where the event
    is wrong, and which rule or constraint says so. With another fingerprint they begin at 1 again: the catalog is no
    longer the one under which they were counted. Other words for the same thing (they may quote a limit, or the time
    of day) are no other way, or an event whose error never reads the same would be tried for ever.
    """
    attempts = letter.attempts + 1 if failure.fingerprint == letter.fingerprint else 1
    return msgspec.structs.replace(letter, attempts=attempts, **failure._asdict())


class Redriven(NamedTuple):
    """One letter, as it was: ``now`` is the one that its event gives now, where that says something else: the letter
    itself (its id is the same), or another one, with the identity that this one has. Of very many other letters not
    each is told. ``why`` says what held it.
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
