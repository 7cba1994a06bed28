"""Redrive: dead letters processed again after a fix, until what can be processed now has left them.

The receipts of a letter's occurrences are processed again, which is idempotent. Then an occurrence whose event no
longer gives the letter leaves it: what became of the event is durable by then. A crash in between is mended by
redriving again.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from itertools import islice

from ..errors import PermanentError, StoreError, UnknownReceipt
from ..ports import Stores
from ..records import DeadLetter
from ..redriving import Choice, Redriven, Returned, Step, Verdict
from .process import Process, Processed
from .rehearsal import rehearsal

ATTEMPTS = 5
"""An event that failed in the same way so often is left alone unless forced."""
BATCH = 500
"""Letters that are settled together."""
PLACES = 10_000
"""Occurrences at which a batch is full before that; one letter may have more."""
PAGE = 1000
REMEMBERED = 2_000_000
"""Letters whose outcome is kept for the others of their receipts, in the same run; beyond it, receipts are processed
for every batch that needs them.
"""
WEIGHT = 10
"""Letters that take as much room as a receipt."""
DETAILED = 20_000
"""Those of which also what is wrong is kept, to be told."""

Place = tuple[str, int]


Placed = tuple[DeadLetter, Sequence[Place]]
"""A letter with the occurrences that are meant."""


class Redrive:
    """Redrives what is chosen, in batches. Every effect is idempotent."""

    def __init__(self, stores: Stores, process: Process) -> None:
        self._stores, self._process = stores, process

    def letters(self, choice: Choice) -> Iterator[Placed]:
        """The letters that fit, in order of id, each with all the occurrences that are meant."""
        waiting: list[DeadLetter] = []
        count = 0
        for letter in self._browsed():
            if choice.fits(letter):
                waiting.append(letter)
                count += letter.seen
                if count >= PLACES or len(waiting) == PAGE:
                    yield from self._placed(waiting, choice)
                    waiting, count = [], 0
        yield from self._placed(waiting, choice)

    def run(
        self,
        choice: Choice,
        *,
        limit: int | None = None,
        attempts: int | None = ATTEMPTS,
        adopt: bool = False,
        dry: bool = False,
        size: int = BATCH,
    ) -> Iterator[Step]:
        """Redrive the letters that fit, up to ``limit`` of them in order of id, yielding what each batch of up to
        ``size`` came to; and before them the receipts that the queue gave up.

        Letters that failed ``attempts`` times are skipped (None: none are), and do not count for the limit. ``dry``
        says what would be, and writes nothing. ``adopt`` processes receipts of other catalogs too. Raises
        ``TransientError``; what was not settled then is mended by redriving again.
        """
        run = _Run(rehearsal(self._process, self._stores.curated) if dry else self._process, attempts, adopt=adopt)
        if choice.of_receipts:
            yield from self._return(run, choice, dry=dry, size=size)
        batch: list[Placed] = []
        tried = count = 0
        for letter, places in self.letters(choice):
            if limit is not None and tried >= limit:
                break
            if meant := [place for place in places if place not in run.moved.get(letter.id, ())]:
                batch.append((letter, meant))
                count += len(meant)
                tried += not run.skips(letter)
            if len(batch) == size or count >= PLACES:
                yield self._settled(run, batch, dry=dry)
                batch, count = [], 0
        if batch:
            yield self._settled(run, batch, dry=dry)

    def _settled(self, run: "_Run", batch: Sequence[Placed], *, dry: bool) -> Step:
        step, done, failed = run.step(batch)
        if not dry and (done or failed):
            self._stores.dead_letters.settle(done, failed)
        return step

    def _return(self, run: "_Run", choice: Choice, *, dry: bool, size: int) -> Iterator[Step]:
        receipts = [each for each in self._stores.dead_letters.given_up() if choice.receipt in (None, each)]
        for start in range(0, len(receipts), size):
            returned = [run.returned(receipt) for receipt in receipts[start : start + size]]
            if not dry:
                self._stores.dead_letters.forget({each.receipt for each in returned if each.why is None})
            yield Step(returned=returned, receipts=run.taken())

    def _browsed(self) -> Iterator[DeadLetter]:
        after: str | None = None
        while page := self._stores.dead_letters.browse(after=after, limit=PAGE):
            yield from page
            after = page[-1].id

    def _placed(self, letters: Sequence[DeadLetter], choice: Choice) -> Iterator[Placed]:
        """The letters with their occurrences; without those that turn out to have none in the receipt."""
        many = [letter.id for letter in letters if letter.seen > len(letter.occurrences)]
        found = self._stores.dead_letters.places(many) if many else {}
        for letter in letters:
            every = found.get(letter.id, letter.occurrences)
            if places := [place for place in every if choice.receipt in (None, place[0])]:
                yield letter, places


class _Outcome:
    """What a receipt came to: which letters its events gave, or ``why`` it was not processed.

    20 bytes a letter, in order of index, since all receipts of a run are remembered; ``details`` has whole letters.
    """

    __slots__ = ("_given", "details", "why")
    _SIZE = 20

    def __init__(self, letters: Mapping[int, DeadLetter], why: str | None = None) -> None:
        self._given = b"".join(index.to_bytes(4) + bytes.fromhex(letters[index].id) for index in sorted(letters))
        self.details, self.why = letters, why

    def __len__(self) -> int:
        return len(self._given) // self._SIZE

    def given(self, index: int) -> str | None:
        """The id of the letter that the event at an index gave."""
        place = bisect_left(range(len(self)), index, key=self._index)
        if place == len(self) or self._index(place) != index:
            return None
        return self._given[place * self._SIZE + 4 : (place + 1) * self._SIZE].hex()

    def _index(self, place: int) -> int:
        return int.from_bytes(self._given[place * self._SIZE : place * self._SIZE + 4])


class _Run:
    """One run: what it has learned of receipts, and the occurrences that it put into other letters itself."""

    def __init__(self, process: Process, attempts: int | None, *, adopt: bool) -> None:
        self._process, self._attempts, self._adopt = process, attempts, adopt
        self._outcomes: dict[str, _Outcome] = {}
        self._room, self._detailed = REMEMBERED, DETAILED
        self._taken = 0
        self.moved: defaultdict[str, set[Place]] = defaultdict(set)

    def taken(self) -> int:
        """How many receipts were processed since this was asked before."""
        taken, self._taken = self._taken, 0
        return taken

    def skips(self, letter: DeadLetter) -> bool:
        """Whether a letter has failed too often."""
        return self._attempts is not None and letter.attempts >= self._attempts

    def returned(self, receipt: str) -> Returned:
        """Process a receipt that was given up."""
        try:
            processed = self._processed(receipt)
        except UnknownReceipt:
            return Returned(receipt)
        except StoreError:
            raise
        except PermanentError as error:
            return Returned(receipt, why=str(error))
        for letter in processed.letters:
            self.moved[letter.id].update(letter.occurrences)
        return Returned(receipt, processed.entry)

    def step(self, batch: Sequence[Placed]) -> tuple[Step, Mapping[str, Collection[Place]], Collection[str]]:
        """Process what the letters of a batch need, and say what to settle."""
        wanted: defaultdict[str, set[int]] = defaultdict(set)
        for letter, places in batch:
            if not self.skips(letter):
                for receipt, index in places:
                    wanted[receipt].add(index)
        # Of other letters of the receipts nothing is settled; a store that keeps every copy may fold them, though.
        beside: set[str] = set()
        outcomes = {receipt: self._outcome(receipt, wanted[receipt], beside) for receipt in sorted(wanted)}
        done: dict[str, Collection[Place]] = dict.fromkeys(beside, ())
        failed: list[str] = []
        results: list[Redriven] = []
        for letter, places in batch:
            if self.skips(letter):
                results.append(Redriven(letter, Verdict.SKIPPED))
                continue
            result, left, again = self._judged(letter, places, outcomes)
            results.append(result)
            done[letter.id] = left
            if again:
                failed.append(letter.id)
        return Step(results, receipts=self.taken()), done, failed

    def _judged(
        self, letter: DeadLetter, places: Sequence[Place], outcomes: Mapping[str, _Outcome]
    ) -> tuple[Redriven, Collection[Place], bool]:
        """What became of a letter, the occurrences that it loses, and whether it failed again."""
        held: str | None = None
        now: DeadLetter | None = None
        left: list[Place] = []
        again = other = False
        for receipt, index in places:
            outcome = outcomes[receipt]
            if outcome.why is not None:
                held = held or outcome.why
                continue
            given, detail = outcome.given(index), outcome.details.get(index)
            if given == letter.id:
                again = True
            else:
                left.append((receipt, index))
                if given is not None:
                    other = True
                    self.moved[given].add((receipt, index))
            if detail is not None and (detail.id, detail.violations) != (letter.id, letter.violations):
                now = now or detail
        if held is not None:
            return Redriven(letter, Verdict.HELD, now, held), left, again
        verdict = Verdict.SAME if again else Verdict.OTHER if other else Verdict.PASSED
        return Redriven(letter, verdict, now), left, again

    def _outcome(self, receipt: str, indexes: Collection[int], beside: set[str]) -> _Outcome:
        """What a receipt comes to at these indexes; the ids of letters at others are added to ``beside``."""
        known = self._outcomes.get(receipt)
        if known is not None:
            return known
        try:
            processed = self._processed(receipt)
        except StoreError:
            raise
        except PermanentError as error:
            outcome, alone = _Outcome({}, str(error)), False
        else:
            outcome = _Outcome({index: letter for letter in processed.letters for _, index in letter.occurrences})
            alone = processed.entry.events == 1
            beside.update(islice((letter.id for letter in processed.letters), max(PLACES - len(beside), 0)))
        if not alone:
            self._remember(receipt, outcome)
        outcome.details = {index: letter for index, letter in outcome.details.items() if index in indexes}
        return outcome

    def _remember(self, receipt: str, outcome: _Outcome) -> None:
        """Keep an outcome if there is room, for the other letters of the receipt."""
        letters = len(outcome)
        if letters + WEIGHT > self._room:
            return
        self._room -= letters + WEIGHT
        kept = self._outcomes[receipt] = copy(outcome)
        if letters > self._detailed:
            kept.details = {}
        else:
            self._detailed -= letters

    def _processed(self, receipt: str) -> Processed:
        self._taken += 1
        return self._process.run(receipt, adopt=self._adopt)
