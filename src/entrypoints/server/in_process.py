"""Handing over within one process: a thread that works on stores in memory; and none, where a stack's functions do."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from ...core.ports import Queue
from ...core.records import RawObject
from ...core.redriving import Choice
from ..logs import Log
from ..platform import Platform
from .handover import Waiting, Watch
from .inbox import Inbox
from .meter import Meter
from .working import Working

MOST_SENDERS: Final = 16


class Thread:
    """Processes what is accepted in a thread of this process."""

    counts = True

    def __init__(self, platform: Platform, watch: Watch, log: Log) -> None:
        self.waiting = Waiting()
        self._platform, self._watch = platform, watch
        self._inbox, self._meter = Inbox(self.waiting.done), Meter(platform.clock)
        self._tasks: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self._ending = False
        working = Working(platform, self._inbox, self._meter, log)
        self._thread = threading.Thread(target=working.run, args=(self._attend,), daemon=True)
        self._thread.start()

    def send(self, receipt: str, raw: RawObject | None = None) -> None:
        self.waiting.add({receipt: 0 if raw is None else len(raw.body)})
        self._inbox.send(receipt, raw)
        with self._changed:
            self._changed.notify()

    def send_all(self, raws: Sequence[RawObject]) -> None:
        for raw in raws:
            self.send(raw.receipt.id, raw)

    def redrive(self, choice: Choice, dry_run: bool) -> dict[str, Any]:
        from ..redriving import redrive

        result = Future[dict[str, Any]]()

        def task() -> None:
            try:
                result.set_result(redrive(self._platform, choice, dry_run=dry_run))
            except Exception as error:  # told to whoever asked
                result.set_exception(error)

        with self._changed:
            self._tasks.append(task)
            self._changed.notify()
        return result.result()

    def failing(self) -> str | None:
        return None if self._thread.is_alive() else "the thread that processes events has ended"

    def close(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()

    def _attend(self, seconds: float) -> bool:
        with self._changed:
            if seconds and not (self._inbox or self._tasks or self._ending):
                self._changed.wait(seconds)
            tasks, self._tasks = self._tasks, []
        for task in tasks:
            task()
        if (counted := self._meter.read()) is not None:
            self._watch(counted)
        return not self._ending


class Elsewhere:
    """Hands over to a queue that others attend to; how much waits there is theirs to know."""

    counts = False

    def __init__(self, queue: Queue, platform: Platform) -> None:
        self.waiting = Waiting()
        self._queue, self._platform = queue, platform

    def send(self, receipt: str, raw: RawObject | None = None) -> None:
        self._queue.send(receipt, raw)

    def send_all(self, raws: Sequence[RawObject]) -> None:
        with ThreadPoolExecutor(min(len(raws), MOST_SENDERS)) as pool:
            for _ in pool.map(lambda raw: self._queue.send(raw.receipt.id, raw), raws):  # raises what any raised
                pass

    def redrive(self, choice: Choice, dry_run: bool) -> dict[str, Any]:
        from ..redriving import redrive

        return redrive(self._platform, choice, dry_run=dry_run)

    def failing(self) -> str | None:
        return None

    def close(self) -> None:
        pass
