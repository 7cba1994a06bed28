"""What receipts came to in one run of a redrive, remembered for the other letters of theirs."""

from bisect import bisect_left
from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from ..records import DeadLetter
from ..redriving import Failure

REMEMBERED = 2_000_000
"""Letters whose outcome is kept for the others of their receipts, in the same run; beyond it, receipts are processed
for every batch that needs them.
"""
WEIGHT = 10
"""Letters that take as much room as a receipt."""
DETAILED = 50_000
"""Violations that are kept, of failures that differ. Beyond it, the receipt of an event that now fails in other words
than its letter says is processed for every batch that needs it.
"""


class Given(NamedTuple):
    """The letter that an event gave: its id, and the digest of its ``Failure``."""

    letter: str
    digest: bytes


class Outcome:
    """What a receipt came to: which letters its events gave, or ``why`` it was not processed.

    28 bytes a letter, in order of index, since all receipts of a run are remembered.
    """

    __slots__ = ("_given", "why")
    _SIZE = 28

    def __init__(self, given: Mapping[int, Given], why: str | None = None) -> None:
        self._given = b"".join(
            index.to_bytes(4) + bytes.fromhex(given[index].letter) + given[index].digest for index in sorted(given)
        )
        self.why = why

    def __len__(self) -> int:
        return len(self._given) // self._SIZE

    def given(self, index: int) -> Given | None:
        """What the event at an index gave; None where it is no dead letter."""
        place = bisect_left(range(len(self)), index, key=self._index)
        if place == len(self) or self._index(place) != index:
            return None
        found = self._given[place * self._SIZE + 4 : (place + 1) * self._SIZE]
        return Given(found[:16].hex(), found[16:])

    def _index(self, place: int) -> int:
        return int.from_bytes(self._given[place * self._SIZE : place * self._SIZE + 4])


class Outcomes:
    """The outcomes of a run, as far as there is room. ``failures`` says, by digest, how events fail in it: also as far
    as there is room, but what the batch that is under way needs is there in any case.
    """

    def __init__(self) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._kept: dict[bytes, Failure] = {}
        self._batch: dict[bytes, Failure] = {}
        self._room, self._detailed = REMEMBERED, DETAILED
        self.failures: Mapping[bytes, Failure] = ChainMap(self._batch, self._kept)

    def begin(self) -> None:
        """A batch begins: what the one before it needed is let go, unless there was room for it."""
        self._batch.clear()

    def known(self, receipt: str, wanted: Iterable[tuple[int, Given]]) -> Outcome | None:
        """The outcome of a receipt that is remembered; None where the receipt must be processed again: for an event, by
        index, that gives the letter it is wanted for, in words that are not that letter's and were not kept.
        """
        outcome = self._outcomes.get(receipt)
        if outcome is None:
            return None
        for index, letter in wanted:
            given = outcome.given(index)
            if given is None or given.letter != letter.letter or given.digest == letter.digest:
                continue
            if given.digest not in self.failures:
                return None
        return outcome

    def add(self, receipt: str, letters: Mapping[int, DeadLetter], wanted: Collection[int], *, alone: bool) -> Outcome:
        """The outcome of a receipt that was processed, by the letters that it gave at which index; the batch needs
        those that are ``wanted``. With ``alone`` no later batch will need it.
        """
        given: dict[int, Given] = {}
        failures: dict[bytes, Failure] = {}
        for index, letter in letters.items():
            failure = Failure.of(letter)
            digest = failure.digest
            given[index] = Given(letter.id, digest)
            failures[digest] = failure
            if index in wanted:
                self._batch[digest] = failure
        outcome = Outcome(given)
        if not alone and self._remember(receipt, outcome):
            for digest, failure in failures.items():
                weight = max(len(failure.violations), 1)
                if weight <= self._detailed and digest not in self._kept:
                    self._detailed -= weight
                    self._kept[digest] = failure
        return outcome

    def add_failed(self, receipt: str, why: str) -> Outcome:
        """The outcome of a receipt that cannot be processed."""
        outcome = Outcome({}, why)
        self._remember(receipt, outcome)
        return outcome

    def _remember(self, receipt: str, outcome: Outcome) -> bool:
        """Keep an outcome if there is room; whether it is kept now and was not before."""
        weight = len(outcome) + WEIGHT
        if weight > self._room or receipt in self._outcomes:
            return False
        self._room -= weight
        self._outcomes[receipt] = outcome
        return True
