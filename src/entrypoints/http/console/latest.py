"""The latest receipts of a raw log, which lists them from the first on."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from ....core.ports import RawStore

SECOND: Final = 1_000_000
PAGE: Final = 1000
SKEW: Final = 86_400 * SECOND
"""How far ahead of this clock another one may have been that a receipt's id tells the time of."""


def latest(raw: RawStore, now: int, before: str | None, limit: int) -> list[str]:
    """Up to ``limit`` ids in descending order, those below ``before`` if it is given.

    The log is asked for spans of time that end there, longer and longer ones until enough receipts are in one; where
    more are in it than a page holds, shorter ones again. ``limit`` is below ``PAGE``.
    """
    until = now + SKEW if before is None else (millisecond_of(before) + 1) * 1000
    few, span, many = 0, SECOND, 0
    while True:
        since = max(until - span, 0)
        found = raw.list(since=since, until=until, after=None, limit=PAGE)
        if _goes_on(found, before) and span - few > 1000:
            many = span
            span = few + (span - few) // 2
            continue
        kept = deque(_below(found, before), limit)
        while _goes_on(found, before):  # so many in one millisecond
            found = raw.list(since=since, until=until, after=found[-1], limit=PAGE)
            kept.extend(_below(found, before))
        if len(kept) == limit or span >= until:
            return [*reversed(kept)]
        few = span
        span = few + max((many - few) // 2, 1000) if many else span * 8


def _goes_on(found: Sequence[str], before: str | None) -> bool:
    """Whether ids that are wanted may follow those of a page."""
    return len(found) == PAGE and (before is None or found[-1] < before)


def _below(found: Sequence[str], before: str | None) -> Iterator[str]:
    return (each for each in found if before is None or each < before)


def millisecond_of(receipt: str) -> int:
    """When a receipt was made, as its id (a UUIDv7) tells."""
    return int(receipt[:8] + receipt[9:13], 16)
