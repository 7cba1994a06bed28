"""The archive's boundary: events older than it are inserted no more. It is one row of the view store, and a second one
says how often the archive was changed.

It only ever moves up. Who inserts may remember it for a while; whoever moves it waits that long, and as long as an
insertion may be under way, before relying on it (see ``archive``). For as long nobody can say of an event behind it
that it is not known, either: somebody may be inserting it.
"""

from typing import NamedTuple

import attrs

from ..errors import TransientError
from ..ports import ViewStore
from ..records import Reason, RowKey, ViewRow, Violation

ARCHIVE = "archive"
KEY = RowKey(0, "[]")
RUNS = RowKey(1, "[]")
"""The row by which those who change the archive notice each other: its version counts their steps."""
MAX_RACES = 100
BEHIND = Violation("", Reason.BEFORE_ARCHIVE_BOUNDARY.value, "Events of its time are archived; it is none of them.")
"""What is wrong with an event that is older than the boundary and not known."""

REMEMBERED = 5 * 60_000_000
"""Microseconds for which functions on a stack remember the boundary: it costs them a read in that time, not one for
every receipt."""


@attrs.frozen
class Boundary:
    """Events with a time before ``before`` are archived, or will be; so it was said at ``announced_at``."""

    before: int
    announced_at: int


class Closed(NamedTuple):
    """What is closed: events with a time before ``before`` are inserted no more, and from ``wait`` microseconds on
    nobody can be inserting one any more who did not know that.
    """

    before: int
    wait: int


class Boundaries:
    """Reads the boundary, remembering it for ``remember`` microseconds, and moves it.

    ``margin`` (microseconds) as of ``Archive``.
    """

    def __init__(self, rows: ViewStore, *, remember: int = 0, margin: int = 0) -> None:
        self._rows, self._remember, self._margin = rows, remember, margin
        self._known: Boundary | None = None
        self._read_at: int | None = None

    def read(self) -> Boundary | None:
        """The boundary as it is now; None where nothing was ever archived. One read of one row."""
        return self._load()[0]

    def closed(self, now: int) -> Closed | None:
        """What is closed ``now``, as it was known not longer ago than is remembered."""
        if not self._remember:
            known = self.read()
        else:
            if self._read_at is None or not self._read_at <= now < self._read_at + self._remember:
                self._known, self._read_at = self.read(), now
            known = self._known
        return None if known is None else Closed(known.before, self.wait(known, now))

    def wait(self, boundary: Boundary, now: int) -> int:
        """Microseconds until the margin is over."""
        return max(boundary.announced_at + self._margin - now, 0) if self._margin else 0

    def announce(self, before: int, now: int) -> Boundary:
        """Move the boundary up to ``before``, announced ``now``; one that is there already stays as it is."""
        for _ in range(MAX_RACES):
            known, version = self._load()
            if known is not None and known.before >= before:
                return known
            if not self._rows.commit(ARCHIVE, [ViewRow(KEY, (before, now), {}, version)]):
                return Boundary(before, now)
        raise TransientError(f"The archive's boundary lost {MAX_RACES} races.")

    def _load(self) -> tuple[Boundary | None, int]:
        row = self._rows.load(ARCHIVE, [KEY]).get(KEY)
        return (None, 0) if row is None else (Boundary(*map(int, row.states)), row.version)


def steps_of(rows: ViewStore) -> int:
    """How many steps were made that changed the archive, or were about to."""
    row = rows.load(ARCHIVE, [RUNS]).get(RUNS)
    return 0 if row is None else row.version
