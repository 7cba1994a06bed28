"""Following receipts that other processes work on."""

import pytest

from millrace.adapters.memory import memory_stores
from millrace.core.errors import TransientError
from millrace.core.records import LedgerEntry
from millrace.entrypoints.following import follow


class Time:
    """Sleeping passes the time, and then something happens."""

    def __init__(self, happens: dict[int, LedgerEntry]) -> None:
        self.now, self.sleeps, self.happens = 0.0, 0, happens
        self.ledger = memory_stores().ledger

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1
        if (entry := self.happens.get(self.sleeps)) is not None:
            self.ledger.record(entry)

    def monotonic(self) -> float:
        return self.now


def test_every_receipt_is_told_of_once_as_it_is_processed() -> None:
    entries = [LedgerEntry(receipt=name, events=1, curated=1) for name in "abc"]
    time = Time({1: entries[2], 4: entries[0], 6: entries[1]})
    told = [*follow("abc", time.ledger, sleep=time.sleep, monotonic=time.monotonic)]
    assert told == [entries[2], entries[0], entries[1]]


def test_nothing_to_follow_asks_nothing() -> None:
    time = Time({})
    assert [*follow([], time.ledger, sleep=time.sleep, monotonic=time.monotonic)] == []
    assert time.sleeps == 0


def test_receipts_that_nobody_processes_are_named_and_said_to_be_kept() -> None:
    time = Time({2: LedgerEntry(receipt="a", events=1, curated=1)})
    following = follow(["a", "b"], time.ledger, patience=60, sleep=time.sleep, monotonic=time.monotonic)
    assert next(following).receipt == "a"
    with pytest.raises(TransientError, match=r"1 accepted receipts .* kept in the raw log .* the first is b"):
        next(following)
    assert 60 <= time.now < 65
