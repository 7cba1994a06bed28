"""Handing over: what was accepted goes to those who process it, and how much of it waits is known."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ...core.errors import TransientError
from ...core.records import RawObject
from ...core.redriving import Choice
from .wire import Counted

MOST_RECEIPTS, MOST_BYTES = 100_000, 2 * 1024 * 1024 * 1024
"""Receipts that may wait, and bytes of their bodies: beyond that, nothing is accepted until some are processed."""
INLINE_BYTES = 64 * 1024 * 1024
"""While no more than this waits, bodies are handed over in memory; beyond it they are read from the raw log again."""

Watch = Callable[[Counted], None]


class Waiting:
    """Receipts that are handed over and not processed yet, with the size of their bodies. Threads may share it."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, sizes: Mapping[str, int]) -> bool:
        """Some more; whether there is room to carry their bodies along."""
        with self._lock:
            for receipt, size in sizes.items():
                self._bytes += size - self._sizes.get(receipt, 0)
                self._sizes[receipt] = size
            return self._bytes <= INLINE_BYTES

    def done(self, receipts: Sequence[str]) -> None:
        """These are processed."""
        with self._lock:
            for receipt in receipts:
                self._bytes -= self._sizes.pop(receipt, 0)

    def all(self) -> Sequence[str]:
        """The receipts, in the order in which they came."""
        with self._lock:
            return [*self._sizes]

    @property
    def count(self) -> int:
        return len(self._sizes)

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether those who send more have to wait."""
        return len(self._sizes) >= MOST_RECEIPTS or self._bytes >= MOST_BYTES


class Handover(Protocol):
    """Where receipts go once they are durable."""

    waiting: Waiting
    counts: bool
    """Whether a ``Watch`` is told of what is processed: not where others process it."""

    def send(self, receipt: str, raw: RawObject | None = None) -> None:
        """Have a receipt processed."""
        ...

    def send_all(self, raws: Sequence[RawObject]) -> None:
        """Have receipts processed."""
        ...

    def redrive(self, choice: Choice, dry_run: bool) -> dict[str, Any]:
        """Redrive dead letters, or say what that would come to. Raises ``MillraceError``."""
        ...

    def failing(self) -> str | None:
        """What is wrong, in a sentence; None where nothing is."""
        ...

    def close(self) -> None:
        """Process what waits, for a while, and end."""
        ...


def require_work(handover: Handover) -> None:
    """Raise ``TransientError`` where nobody processes what is handed over."""
    if (failing := handover.failing()) is not None:
        raise TransientError(failing)
