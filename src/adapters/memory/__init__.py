"""The in-memory adapter: every port on plain dictionaries, deterministic, for tests and dry runs."""

from ...core.ports import Stores
from .curated import MemoryCurated
from .dead_letters import MemoryDeadLetters
from .ledger import MemoryLedger
from .queue import MemoryQueue
from .raw import MemoryRaw
from .views import MemoryViews

__all__ = [
    "MemoryCurated",
    "MemoryDeadLetters",
    "MemoryLedger",
    "MemoryQueue",
    "MemoryRaw",
    "MemoryViews",
    "memory_stores",
]


def memory_stores() -> Stores:
    """Empty stores that live as long as the object. Made for one thread: they hold no locks."""
    return Stores(
        raw=MemoryRaw(),
        curated=MemoryCurated(),
        views=MemoryViews(),
        ledger=MemoryLedger(),
        queue=MemoryQueue(),
        dead_letters=MemoryDeadLetters(),
    )
