"""Work: take receipts from the queue, process them, keep the views up to date, until nothing is left."""

from collections.abc import Iterator

from ..errors import PermanentError, TransientError, UnknownReceipt
from ..ports import Queue
from ..records import LedgerEntry
from .process import Process
from .project import Project


class Work:
    """The online lane in one process: queue → process → project."""

    def __init__(self, queue: Queue, process: Process, project: Project) -> None:
        self._queue, self._process, self._project = queue, process, project
        self.held: dict[str, str] = {}
        """Receipts that this catalog cannot process, each with the reason. They stay in the queue, out of the way."""

    def step(self, limit: int = 10, *, adopt: bool = False) -> list[LedgerEntry] | None:
        """Process up to ``limit`` messages, each released again if its processing failed for now.

        ``adopt`` processes receipts that were accepted under another catalog too. None where the queue had none.
        Raises the first ``TransientError`` once the others are done.
        """
        messages = self._queue.receive(limit)
        if not messages:
            return None
        entries: list[LedgerEntry] = []
        failure: TransientError | None = None
        for message in messages:
            settle = self._queue.acknowledge
            try:
                entries.append(self._process.receipt(message.receipt, message.raw, adopt=adopt))
            except TransientError as error:
                failure, settle = failure or error, self._queue.release
            except UnknownReceipt:
                pass  # queued before its bytes were durable, by a sender that then failed: it was never accepted
            except PermanentError as error:
                self.held[message.receipt] = str(error)
                continue
            try:
                settle([message])
            except TransientError as error:  # it comes again, when its time is up
                failure = failure or error
        if failure is not None:
            raise failure
        return entries

    def drain(self, *, adopt: bool = False) -> Iterator[LedgerEntry]:
        """Process until the queue is empty and the views are up to date, yielding each receipt's entry."""
        while (entries := self.step(adopt=adopt)) is not None:
            yield from entries
            self.project()
        self.project()

    def project(self) -> None:
        """Bring the views up to date."""
        while self._project.step():
            pass
