"""The in-memory adapter: every port on plain dictionaries, deterministic, for tests and dry runs."""

from ...core.ports import Stores
from .curated import MemoryCurated
from .dead_letters import MemoryDeadLetters
from .files import MemoryFiles
from .ledger import MemoryLedger
from .orchestrator import MemoryOrchestrator
from .queue import MemoryQueue
from .raw import MemoryRaw
from .shared import shared
from .views import MemoryViews

__all__ = [
    "MemoryCurated",
    "MemoryDeadLetters",
    "MemoryFiles",
    "MemoryLedger",
    "MemoryOrchestrator",
    "MemoryQueue",
    "MemoryRaw",
    "MemoryViews",
    "memory_stores",
    "shared",
]


def memory_stores() -> Stores:
    """Empty stores that live as long as the object. Made for one thread: they hold no locks."""
    curated = MemoryCurated()
    return Stores(
        raw=MemoryRaw(),
        curated=curated,
        feed=curated,
        views=MemoryViews(),
        ledger=MemoryLedger(),
        queue=MemoryQueue(),
        dead_letters=MemoryDeadLetters(),
        job_files=MemoryFiles(),
        archive=MemoryFiles(),
    )
