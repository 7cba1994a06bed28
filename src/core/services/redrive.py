"""Redrive: dead letters processed again after a fix, until what can be processed now has left them.

The receipts of a letter's occurrences are processed again, which is idempotent. Then an occurrence whose event no
longer gives the letter leaves it: what became of the event is durable by then. A crash in between is mended by
redriving again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from ..errors import PermanentError, StoreError, UnknownReceipt
from ..ports import Stores
from ..records import DeadLetter
from ..redriving import Choice, Failure, Redriven, Returned, Step, Verdict, failed_again
from .outcomes import Given, Outcome, Outcomes
from .process import Process, Processed
from .rehearsal import rehearsal

ATTEMPTS = 5
"""An event that failed in the same way so often is left alone unless forced."""
BATCH = 500
"""Letters that are settled together."""
PLACES = 10_000
"""Occurrences at which a batch is full before that; one letter may have more."""
PAGE = 1000
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


class _Run:
    """One run: what it has learned of receipts, and the occurrences that it put into other letters itself."""

    def __init__(self, process: Process, attempts: int | None, *, adopt: bool) -> None:
        self._process, self._attempts, self._adopt = process, attempts, adopt
        self._outcomes = Outcomes()
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

    def step(self, batch: Sequence[Placed]) -> tuple[Step, Mapping[str, Collection[Place]], Collection[DeadLetter]]:
        """Process what the letters of a batch need, and say what to settle."""
        says: dict[str, Given] = {}
        wanted: defaultdict[str, list[tuple[int, Given]]] = defaultdict(list)
        for letter, places in batch:
            if not self.skips(letter):
                says[letter.id] = given = Given(letter.id, Failure.of(letter).digest)
                for receipt, index in places:
                    wanted[receipt].append((index, given))
        # Of other letters of the receipts nothing is settled; a store that keeps every copy may fold them, though.
        beside: set[str] = set()
        self._outcomes.begin()
        outcomes = {receipt: self._outcome(receipt, wanted[receipt], beside) for receipt in sorted(wanted)}
        done: dict[str, Collection[Place]] = dict.fromkeys(beside, ())
        failed: list[DeadLetter] = []
        results: list[Redriven] = []
        for letter, places in batch:
            if letter.id not in says:
                results.append(Redriven(letter, Verdict.SKIPPED))
                continue
            result, left, again = self._judged(letter, says[letter.id], places, outcomes)
            results.append(result)
            done[letter.id] = left
            if again is not None:
                failed.append(again)
        return Step(results, receipts=self.taken()), done, failed

    def _judged(
        self, letter: DeadLetter, says: Given, places: Sequence[Place], outcomes: Mapping[str, Outcome]
    ) -> tuple[Redriven, Collection[Place], DeadLetter | None]:
        """What became of a letter, the occurrences that it loses, and what it is from now on if it failed again."""
        held: str | None = None
        again: bytes | None = None
        now: DeadLetter | None = None
        left: list[Place] = []
        moved = False
        for receipt, index in places:
            outcome = outcomes[receipt]
            if outcome.why is not None:
                held = held or outcome.why
                continue
            given = outcome.given(index)
            if given is not None and given.letter == letter.id:
                again = again or given.digest
                continue
            left.append((receipt, index))
            if given is not None:
                moved = True
                self.moved[given.letter].add((receipt, index))
                if now is None and (failure := self._outcomes.failures.get(given.digest)) is not None:
                    now = _another(letter, given.letter, (receipt, index), failure)
        verdict = Verdict.OTHER if moved else Verdict.PASSED
        after: DeadLetter | None = None
        if again is not None:
            same = again == says.digest
            after = failed_again(letter, Failure.of(letter) if same else self._outcomes.failures[again])
            now = now if same else after
            verdict = Verdict.SAME if after.fingerprint == letter.fingerprint else Verdict.OTHER
        if held is not None:
            verdict = Verdict.HELD
        return Redriven(letter, verdict, now, held), left, after

    def _outcome(self, receipt: str, wanted: Sequence[tuple[int, Given]], beside: set[str]) -> Outcome:
        """What a receipt comes to; the ids of all the letters that it gives are added to ``beside``."""
        known = self._outcomes.known(receipt, wanted)
        if known is not None:
            return known
        try:
            processed = self._processed(receipt)
        except StoreError:
            raise
        except PermanentError as error:
            return self._outcomes.add_failed(receipt, str(error))
        beside.update(islice((letter.id for letter in processed.letters), max(PLACES - len(beside), 0)))
        letters = {index: letter for letter in processed.letters for _, index in letter.occurrences}
        indexes = {index for index, _ in wanted}
        return self._outcomes.add(receipt, letters, indexes, alone=processed.entry.events == 1)

    def _processed(self, receipt: str) -> Processed:
        self._taken += 1
        return self._process.run(receipt, adopt=self._adopt)


def _another(letter: DeadLetter, id: str, place: Place, failure: Failure) -> DeadLetter:
    """The letter that an event gives instead of one that it gave before."""
    return msgspec.structs.replace(letter, id=id, occurrences=(place,), seen=1, attempts=1, **failure._asdict())
