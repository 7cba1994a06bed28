"""The writer's lock: of all processes at most one writes to a local store."""

import fcntl
import os
from pathlib import Path

from ...core.errors import StoreError


class WriterLock:
    """An advisory lock on one file. The system drops it when its process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock, creating the file. Raises ``StoreError`` if somebody holds it."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreError(
                f"the store at {path.parent} is being written by another process (pid {holder});"
                " stop that one first, or read only"
            ) from None
        except BaseException:
            os.close(self._descriptor)
            raise
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let others write. The file stays: removing it could take another's lock away."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
