"""``Supervisor``: keeps a worker process working, hands over to it, and starts it again where it ends."""

import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Final

import attrs

from ...core.errors import PermanentError, StoreError, TransientError
from ...core.records import RawObject
from ...core.redriving import Choice
from ..logs import Log
from .handover import Waiting, Watch
from .wire import Answer, Counted, Done, Given, Ready, Redrive, Refused, Stop, ToWorker, hear_worker, tell
from .worker import LAST_WORK_SECONDS

LONGEST_PAUSE_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 300.0
"""How long a redrive may take until whoever asked is told that it goes on."""
_START: Final = "from millrace.entrypoints.server.worker import main; main()"


class Supervisor:
    """The serving process's side. Receipts that are not done are handed over again to a worker that takes the place of
    one that ended; processing them twice changes nothing.
    """

    counts = True

    def __init__(self, store: str, catalog: str, watch: Watch, log: Log) -> None:
        """Start a worker and wait until the store is open. Raises ``StoreError`` where it cannot be opened."""
        self.waiting = Waiting()
        self._store, self._catalog, self._watch, self._log = store, catalog, watch, log
        self._telling = threading.Lock()
        self._outgoing: SimpleQueue[ToWorker] = SimpleQueue()
        self._numbers = count(1)
        self._asked: dict[int, Future[Answer]] = {}
        self._closing = threading.Event()
        self._connection: Connection | None = None
        self._start()
        self._thread = threading.Thread(target=self._supervise, daemon=True)
        self._thread.start()
        threading.Thread(target=self._send, daemon=True).start()

    def send(self, receipt: str, raw: RawObject | None = None) -> None:
        if raw is not None:
            self.send_all([raw])
        else:
            self.waiting.add({receipt: 0})
            self._outgoing.put(Given([receipt]))

    def send_all(self, raws: Sequence[RawObject]) -> None:
        # Where there is no worker at the moment, the next one is given all that waits.
        sizes = {raw.receipt.id: len(raw.body) for raw in raws}
        self._outgoing.put(Given(raws=raws) if self.waiting.add(sizes) else Given([*sizes]))

    def redrive(self, choice: Choice, dry_run: bool) -> dict[str, Any]:
        given = {name: value for name, value in attrs.asdict(choice).items() if value is not None}
        number, answer = next(self._numbers), Future[Answer]()
        self._asked[number] = answer
        if self.failing() is not None:
            raise TransientError("nobody processes events at the moment")
        self._outgoing.put(Redrive(number, given, dry_run))
        try:
            came = answer.result(PATIENCE_SECONDS)
        except TimeoutError:
            raise TransientError("the redrive takes long, and goes on") from None
        finally:
            self._asked.pop(number, None)
        if came.failure:
            raise (TransientError if came.transient else PermanentError)(came.failure)
        return came.result

    def failing(self) -> str | None:
        return None if self._connection is not None else "the worker ended, and is started again"

    def close(self) -> None:
        self._closing.set()
        self._outgoing.put(Stop())
        self._thread.join(LAST_WORK_SECONDS + 5)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        mine, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-c", _START, str(theirs.fileno()), self._store, self._catalog]
        with theirs:
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])  # noqa: S603 (this program)
        connection = Connection(mine.detach())
        try:
            match hear_worker(connection):
                case Ready():
                    pass
                case Refused(sentence=sentence):
                    raise StoreError(sentence)
                case other:
                    raise StoreError(f"the worker began with {other!r}")
        except (EOFError, OSError):
            connection.close()
            raise StoreError("the worker ended before the store was open") from None
        except StoreError:
            connection.close()
            self._process.wait()
            raise
        with self._telling:
            self._connection = connection
        self._outgoing.put(Given(self.waiting.all()))

    def _supervise(self) -> None:
        pause = 0.1
        while True:
            if self._connection is not None:
                self._hear(self._connection)
                self._lost()
            if self._closing.is_set():
                return
            self._log.error("worker.ended", code=self._process.wait(), pause_seconds=pause)
            if self._closing.wait(pause):
                return
            try:
                self._start()
                self._log.info("worker.started", receipts=self.waiting.count)
                pause = 0.1
            except StoreError as error:
                self._log.error("worker.refused", error=str(error))
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _hear(self, connection: Connection) -> None:
        """Take in what the worker says until it is gone."""
        try:
            while True:
                match hear_worker(connection):
                    case Done(receipts=receipts):
                        self.waiting.done(receipts)
                    case Counted() as counted:
                        self._watch(counted)
                    case Answer() as answer:
                        if (asked := self._asked.get(answer.number)) is not None:
                            asked.set_result(answer)
                    case Refused(sentence=sentence):
                        self._log.error("worker.refused", error=sentence)
                    case Ready():
                        pass
        except (EOFError, OSError):
            return

    def _lost(self) -> None:
        with self._telling:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        for number, asked in [*self._asked.items()]:
            asked.set_result(Answer(number, failure="the worker ended meanwhile", transient=True))

    def _send(self) -> None:
        """Tell the worker one thing after the other: whoever has something to tell does not wait for it."""
        while True:
            message = self._outgoing.get()
            with self._telling, suppress(OSError):  # that it is gone is noticed where it is heard
                if self._connection is not None:
                    tell(self._connection, message)
