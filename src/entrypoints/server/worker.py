"""The worker: a process of its own that writes to a file store, so that accepting and processing share no interpreter.

``python -c "from millrace.entrypoints.server.worker import main; main()" DESCRIPTOR STORE CATALOG``
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

from ...adapters.system import SystemClock
from ...core.errors import MillraceError, StoreError, TransientError
from ..bootstrap import open_platform
from ..catalogs import load_catalog
from ..logs import Log
from ..platform import Platform
from .inbox import Inbox
from .meter import Meter
from .wire import Answer, Done, FromWorker, Given, Ready, Redrive, Refused, Stop, ToWorker, hear_front, tell
from .working import Working

PATIENCE_SECONDS: Final = 3.0
"""How long another writer may take to end: the worker of a server that was killed just now."""
COUNTING_SECONDS: Final = 0.25
"""From one telling of what was counted to the next, at least; what comes after a pause is told at once."""
LAST_WORK_SECONDS: Final = 20.0
"""How long what was accepted is still processed when the server ends; what is left then, the next start finds."""
NICER: Final = 5
"""Where processors are scarce, accepting goes first: what is accepted is kept, and processed when there is time."""
_DIE_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG of Linux's prctl(2)."""


class Worker:
    """The process's side of the connection, and what it works with. One thread does all of it."""

    def __init__(self, connection: Connection, log: Log) -> None:
        self._connection, self._log = connection, log
        self._inbox = Inbox(self._done)
        self._meter = Meter(SystemClock())
        self._finished: list[str] = []
        self._counted = time.monotonic()
        self._ends: float | None = None

    def serve(self, platform: Platform) -> None:
        """Work until told to stop. The process ends at once when the other side is gone."""
        self._tell(Ready())
        Working(platform, self._inbox, self._meter, self._log).run(partial(self._attend, platform))
        self._tell_of_counts()

    def refuse(self, sentence: str) -> None:
        """Tell why there will be no work."""
        self._tell(Refused(sentence))

    def _attend(self, platform: Platform, seconds: float) -> bool:
        if self._finished:
            self._tell(Done(self._finished))
            self._finished = []
        now = time.monotonic()
        if now - self._counted > COUNTING_SECONDS and self._tell_of_counts():
            self._counted = now
        if self._ends is not None:
            if now > self._ends:
                self._log.warning("worker.stopped", reason="what is left is processed at the next start")
                os._exit(0)
            return False
        try:
            while self._connection.poll(seconds):
                self._take(platform, hear_front(self._connection))
                seconds = 0
        except (EOFError, OSError):
            # Nobody is served any more. Whatever is under way is as in a crash, which nothing is lost by.
            os._exit(1)
        return self._ends is None

    def _take(self, platform: Platform, message: ToWorker) -> None:
        match message:
            case Given(receipts=receipts, raws=raws):
                for receipt in receipts:
                    self._inbox.send(receipt)
                for raw in raws:
                    self._inbox.send(raw.receipt.id, raw)
            case Redrive():
                self._redrive(platform, message)
            case Stop():
                self._ends = time.monotonic() + LAST_WORK_SECONDS

    def _tell_of_counts(self) -> bool:
        """Whether there was anything to tell."""
        if (counted := self._meter.read()) is None:
            return False
        self._tell(counted)
        return True

    def _done(self, receipts: Sequence[str]) -> None:
        self._finished += receipts

    def _redrive(self, platform: Platform, wanted: Redrive) -> None:
        from ...core.redriving import Choice
        from ..redriving import redrive

        try:
            answer = Answer(wanted.number, redrive(platform, Choice(**wanted.choice), dry_run=wanted.dry_run))
        except MillraceError as error:
            answer = Answer(wanted.number, failure=str(error), transient=isinstance(error, TransientError))
        self._tell(answer)

    def _tell(self, message: FromWorker) -> None:
        with suppress(OSError):  # who is gone is noticed where it is heard
            tell(self._connection, message)


def main() -> None:
    """Run the worker of the process that holds the other end of the descriptor."""
    descriptor, store, catalog = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to all; the serving process decides
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICER)
    _die_with_parent()
    worker = Worker(Connection(int(descriptor)), Log(verbose=False))
    try:
        loaded = load_catalog(catalog)
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with open_platform(store, loaded, write=True, mend=False) as platform:
                    worker.serve(platform)
                return
            except StoreError:
                if time.monotonic() > patience:
                    raise
                time.sleep(0.1)
    except MillraceError as error:
        worker.refuse(str(error))


def _die_with_parent() -> None:
    with suppress(OSError, AttributeError):  # elsewhere the end of the connection tells, a moment later
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
