"""Dead letters in dictionaries."""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import nsmallest

import msgspec

from ...core.records import DeadLetter

SHOWN = 100


class MemoryDeadLetters:
    """Letters by id, each with the set of its occurrences."""

    def __init__(self) -> None:
        self._letters: dict[str, DeadLetter] = {}
        self._ids: list[str] = []
        self._occurrences: dict[str, set[tuple[str, int]]] = {}

    def add(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            if letter.id not in self._letters:
                self._letters[letter.id] = letter
                insort(self._ids, letter.id)
            self._occurrences.setdefault(letter.id, set()).update(letter.occurrences)

    def get(self, letter: str) -> DeadLetter | None:
        found = self._letters.get(letter)
        if found is None:
            return None
        occurrences = self._occurrences[letter]
        return msgspec.structs.replace(found, occurrences=tuple(nsmallest(SHOWN, occurrences)), seen=len(occurrences))

    def browse(self, *, after: str | None, limit: int) -> Sequence[DeadLetter]:
        start = 0 if after is None else bisect_right(self._ids, after)
        return [found for letter in self._ids[start : start + limit] if (found := self.get(letter))]

    def occurrences(self) -> Mapping[str, int]:
        totals: Counter[str] = Counter()
        for identity, letter in self._letters.items():
            totals[letter.reason] += len(self._occurrences[identity])
        return dict(totals)

    def places(self, letters: Sequence[str]) -> Mapping[str, Sequence[tuple[str, int]]]:
        return {letter: sorted(self._occurrences[letter]) for letter in letters if letter in self._letters}

    def settle(self, done: Mapping[str, Collection[tuple[str, int]]], failed: Collection[DeadLetter] = ()) -> None:
        for letter, places in done.items():
            if letter not in self._letters:
                continue
            self._occurrences[letter].difference_update(places)
            if not self._occurrences[letter]:
                del self._letters[letter], self._occurrences[letter]
                del self._ids[bisect_left(self._ids, letter)]
        for now in failed:
            if now.id in self._letters:
                self._letters[now.id] = now

    def given_up(self) -> Sequence[str]:
        # The queue delivers for as long as it takes.
        return []

    def forget(self, receipts: Collection[str]) -> None:
        pass
