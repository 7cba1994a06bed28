"""``Keeping``: receipts into the raw log, all that come at the same time together, and on to those who process them."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from ...core.ports import RawStore
from ...core.records import RawObject
from .handover import Handover


class Keeping:
    """A thread that keeps. While it writes some receipts, the next ones gather; whoever is alone does not wait."""

    def __init__(self, raw: RawStore, handover: Handover) -> None:
        self._raw, self._handover = raw, handover
        self._gathered: list[tuple[RawObject, asyncio.Future[None]]] = []
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="keeping", daemon=True)
        self._thread.start()

    async def keep(self, raw: RawObject) -> None:
        """Return once the receipt is durable and handed over. Raises what the raw log or the queue raises."""
        kept = asyncio.get_running_loop().create_future()
        with self._changed:
            self._gathered.append((raw, kept))
            self._changed.notify()
        await kept

    def close(self) -> None:
        """Once nobody keeps anything any more."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._gathered:
                    if self._ending:
                        return
                    self._changed.wait()
                group, self._gathered = self._gathered, []
            errors = self._keep([raw for raw, _ in group])
            loop = group[0][1].get_loop()
            loop.call_soon_threadsafe(_settle, [kept for _, kept in group], errors)

    def _keep(self, raws: Sequence[RawObject]) -> Sequence[Exception | None]:
        """What went wrong with each. One that cannot be kept is no harm to its neighbours."""
        try:
            self._raw.append_all(raws)
            self._handover.send_all(raws)
        except Exception as error:  # told to whoever sent them
            if len(raws) == 1:
                return [error]
            return [found for raw in raws for found in self._keep([raw])]
        return [None] * len(raws)


def _settle(group: Sequence["asyncio.Future[None]"], errors: Sequence[Any]) -> None:
    for kept, error in zip(group, errors, strict=True):
        if kept.cancelled():
            continue
        if error is None:
            kept.set_result(None)
        else:
            kept.set_exception(error)
