"""Following receipts that others process: their ledger entries, as they appear."""

import time
from collections.abc import Callable, Collection, Iterator

from ..core.errors import TransientError
from ..core.ports import Ledger
from ..core.records import LedgerEntry

PATIENCE_SECONDS = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0


def follow(
    receipts: Collection[str],
    ledger: Ledger,
    *,
    patience: float = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[LedgerEntry]:
    """The entry of each receipt once it has one, in the order in which they are found.

    Raises ``TransientError`` where for ``patience`` seconds no further one appeared.
    """
    waiting = list(receipts)
    last, pause = monotonic(), FIRST_PAUSE
    while waiting:
        found = ledger.entries(waiting)
        yield from found.values()
        waiting = [receipt for receipt in waiting if receipt not in found]
        if found:
            last, pause = monotonic(), FIRST_PAUSE
        elif monotonic() - last >= patience:
            raise TransientError(
                f"{len(waiting)} accepted receipts are not processed yet, and for {patience:.0f} seconds none was: "
                f"they are kept in the raw log and wait in the queue, the first is {waiting[0]}"
            )
        if waiting:
            sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
