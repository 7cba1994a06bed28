"""Opening and closing a local store: one folder with the raw log, the database and the writer's lock."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal

from ...core.errors import StoreError, TransientError
from ...core.ports import Stores
from ...core.services.reconcile import VERIFIED
from .curated import LocalCurated
from .database import NAME, Database
from .dead_letters import LocalDeadLetters
from .errors import translated
from .files import LocalFiles
from .ledger import LocalLedger
from .lock import WriterLock
from .queue import LocalQueue
from .raw import LocalRaw
from .views import LocalViews


class LocalStore:
    """An open store. Threads may share it; a process that forks must open its own."""

    def __init__(self, path: Path, lock: WriterLock | None, *, appends: bool = False) -> None:
        """Use ``open_local``. The store owns the lock from here on."""
        self.path = path
        self.writable = lock is not None
        self._lock = lock
        self._closed = False
        raw = LocalRaw(path / "raw", write=self.writable or appends)
        self._database = Database(path, write=self.writable)
        queue = LocalQueue(self._database)
        if self.writable:
            try:
                queue.expire()
            except BaseException:
                self._database.close(durably=False)
                raise
        curated = self._curated = LocalCurated(self._database)
        self._views = LocalViews(self._database)
        self.stores = Stores(
            raw=raw,
            curated=curated,
            feed=curated,
            views=self._views,
            ledger=LocalLedger(self._database),
            queue=queue,
            dead_letters=LocalDeadLetters(self._database),
            job_files=LocalFiles(path / "jobs", write=self.writable),
            archive=LocalFiles(path / "archive", write=self.writable),
        )

    def note_verified(self, until: int) -> None:
        """Note up to when the ledger was found whole (see ``Reconcile``); readers may, for all after them."""
        with suppress(StoreError, TransientError):  # the next reader looks again
            self._views.advance_aside(*VERIFIED, until)

    @contextmanager
    def together(self) -> Iterator[None]:
        """One commit for all that the block writes, but for the raw log and files: what is written often, a page that
        many things fall on, is written once. After an error, nothing of it took effect.
        """
        try:
            with self._database.together():
                yield
        except BaseException:
            self._curated.forget_tail()
            raise

    def close(self) -> None:
        """Everything written is durable, and another process may write. Closing again changes nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._database.close(durably=self.writable)
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> "LocalStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_local(path: Path, *, write: bool | Literal["if-free", "raw-log"]) -> LocalStore:
    """The store in the folder ``path``.

    ``write=True`` takes the writer's lock and creates what is missing; ``False`` reads a store that exists, creates
    nothing, and works while another process writes; ``"if-free"`` is the first where nobody holds the lock and the
    second where somebody does: ``LocalStore.writable`` tells which. ``"raw-log"`` appends to the raw log and reads
    everything else: for a process whose own child holds the lock, and appends nothing.

    Raises ``StoreError``: no store there, another writer, another format, a damaged file, a folder that cannot be
    used. Raises ``TransientError`` where ``"if-free"`` meets a store that another process is just creating.
    """
    path = Path(path)
    if not write or write == "raw-log":
        if not _exists(path):
            raise StoreError(f"there is no store at {path}")
        return LocalStore(path, None, appends=bool(write))
    with translated(path):
        path.mkdir(parents=True, exist_ok=True)
        try:
            lock = WriterLock(path / "lock")
        except StoreError:
            if write != "if-free":
                raise
            if not _exists(path):
                raise TransientError(f"the store at {path} is just being created by another process") from None
            return LocalStore(path, None)
    try:
        return LocalStore(path, lock)
    except BaseException:
        lock.release()
        raise


def _exists(path: Path) -> bool:
    try:
        return (path / NAME).stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
