"""The archive's boundary: events older than it are inserted no more. It is one row of the view store.

It only ever moves up. Who inserts may remember it for a while; whoever moves it waits that long, and as long as an
insertion may be under way, before relying on it (see ``archive``).
"""

import attrs

from ..errors import TransientError
from ..ports import ViewStore
from ..records import RowKey, ViewRow

ARCHIVE = "archive"
KEY = RowKey(0, "[]")
MAX_RACES = 100

REMEMBERED = 5 * 60_000_000
"""Microseconds for which functions on a stack remember the boundary: it costs them a read in that time, not one for
every receipt."""


@attrs.frozen
class Boundary:
    """Events with a time before ``before`` are archived, or will be; so it was said at ``announced_at``."""

    before: int
    announced_at: int


class Boundaries:
    """Reads the boundary, remembering it for ``remember`` microseconds, and moves it."""

    def __init__(self, rows: ViewStore, *, remember: int = 0) -> None:
        self._rows, self._remember = rows, remember
        self._known: Boundary | None = None
        self._read_at: int | None = None

    def read(self) -> Boundary | None:
        """The boundary as it is now; None where nothing was ever archived. One read of one row."""
        return self._load()[0]

    def before(self, now: int) -> int | None:
        """The instant before which events are inserted no more, as it was known not longer ago than is remembered."""
        if not self._remember:
            known = self.read()
        else:
            if self._read_at is None or not self._read_at <= now < self._read_at + self._remember:
                self._known, self._read_at = self.read(), now
            known = self._known
        return None if known is None else known.before

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
