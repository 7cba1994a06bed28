"""``Working``: the loop that processes what was accepted, keeps the views up to date, and never gives up."""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final

from ...core.errors import TransientError
from ...core.records import LedgerEntry, Message
from ...core.services.work import Work
from ..logs import Log
from ..platform import Platform
from .inbox import Inbox
from .meter import Meter, Metered

AT_ONCE: Final = 20
"""Receipts that are processed with one commit, and before there is a look at what has come."""
VIEWS_SECONDS: Final = 0.1
"""How far views lag behind: a row that many events fall into is written once for all of them."""
SETTLED_SECONDS: Final = 5.0
"""After so long without work it is noted up to where all receipts are processed, so that those who open the store need
not look: whoever looks opens files, which takes its time."""
IDLE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 5.0

Attend = Callable[[float], bool]
"""Takes in what has come, after waiting up to so many seconds for it; False once nothing will come any more."""


class Working:
    """Processes what comes into an inbox; and what waits in the store's queue, such as what an earlier run has left."""

    def __init__(self, platform: Platform, inbox: Inbox, meter: Meter, log: Log) -> None:
        stores = platform.stores
        curated: Any = Metered(stores.curated, meter)
        process = platform.process.over(curated, stores.dead_letters, stores.ledger)
        self._platform, self._inbox, self._meter, self._log = platform, inbox, meter, log
        self._apart = 0
        self._is_behind, self._projected = True, time.monotonic()
        self._is_unsettled, self._worked = False, time.monotonic()
        self._works = Work(inbox, process, platform.project), Work(stores.queue, process, platform.project)

    def run(self, attend: Attend) -> None:
        """Work until nothing comes any more and nothing is left. What fails for now is tried again, after pauses that
        grow; at the end what still fails is left to be found when the store is opened next.
        """
        pause, mended, coming = 0.0, False, True
        while True:
            coming = attend(0) and coming
            try:
                if not mended:
                    self._platform.reconcile.mend()
                    mended = True
                if self._step():
                    self._is_behind = self._is_unsettled = True
                    self._worked = time.monotonic()
                elif not coming:
                    self._catch_up()
                    return
                else:
                    attend(self._until_due())
                if self._is_behind and not self._until_due():
                    self._catch_up()
                pause = 0.0
            except TransientError as error:
                pause = min(max(pause * 2, IDLE_SECONDS), LONGEST_PAUSE_SECONDS)
                self._log.warning("receipt.failed", error=str(error), pause_seconds=pause)
                if not attend(pause):
                    return

    def _step(self) -> bool:
        """Process some receipts of the first queue that has any, with one commit; whether any has."""
        apart = self._apart > 0
        try:
            with nullcontext() if apart else self._platform.together():
                entries = self._some(1 if apart else AT_ONCE)
        except Exception:
            if apart:
                self._conclude(())
            else:  # nothing of it took effect: once more, one by one, so that what fails fails alone
                self._meter.forget()
                self._apart = self._inbox.put_back()
            raise
        finally:
            self._apart -= apart
        self._conclude(entries or ())
        if entries is not None:
            return True
        if self._is_unsettled and time.monotonic() - self._worked > SETTLED_SECONDS:
            self._platform.settle()
            self._is_unsettled = False
        return False

    def _some(self, limit: int) -> Sequence[LedgerEntry] | None:
        for work in self._works:
            try:
                entries = work.step(limit)
            finally:
                self._let_go_of_held(work)
            if entries is not None:
                return entries
        return None

    def _conclude(self, entries: Sequence[LedgerEntry]) -> None:
        """What was done is durable."""
        self._inbox.settle()
        self._meter.committed(entries)

    def _until_due(self) -> float:
        """Seconds until the views are to be brought up to date, or until it is looked whether something has come."""
        left = max(self._projected + VIEWS_SECONDS - time.monotonic(), 0.0)
        return left if self._is_behind else IDLE_SECONDS

    def _catch_up(self) -> None:
        """Bring the views up to date."""
        self._works[0].project()
        self._is_behind, self._projected = False, time.monotonic()

    def _let_go_of_held(self, work: Work) -> None:
        for receipt, reason in [*work.held.items()]:
            # It stays where it is found when the store is opened with its catalog.
            self._log.warning("receipt.held", receipt_id=receipt, reason=reason)
            self._inbox.acknowledge([Message(receipt, receipt)])
            del work.held[receipt]
