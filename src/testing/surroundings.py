"""A clock that stands still until it is told otherwise, and receipt ids that count."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from ..core.times import EPOCH, to_micros


class StandingClock:
    """Stands at an instant. ``now`` is in microseconds, as the platform asks for it."""

    def __init__(self, instant: datetime) -> None:
        self.set(instant)

    def now(self) -> int:
        return self._now

    @property
    def instant(self) -> datetime:
        """Where it stands, in UTC."""
        return EPOCH + timedelta(microseconds=self._now)

    def set(self, instant: datetime) -> None:
        """Stand at an instant. Raises ``ValueError`` for one without an offset, since nobody could tell which it is."""
        if instant.tzinfo is None:
            raise ValueError(f"{instant} has no offset; give it one, such as tzinfo=UTC")
        self._now = to_micros(instant.astimezone(UTC))


class CountedIds:
    """UUIDs of version 7 with their time, and a number that counts where others are random."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, received_at: int) -> str:
        self._count += 1
        return str(UUID(int=received_at // 1000 << 80 | 0x7 << 76 | 0b10 << 62 | self._count))
