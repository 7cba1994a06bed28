"""Where the simulation takes place: stores that can be restarted, a ticking clock, receipt ids from a seed."""

import shutil
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from millrace.adapters.local import open_local
from millrace.adapters.memory import memory_stores
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.ports import Clock, ReceiptIds, Stores
from millrace.entrypoints.platform import Platform

from .catalog import catalog

START = 1_795_399_200_000_000  # 2026-11-23T02:00:00Z


class World:
    """The memory adapter: its stores outlive a restart.

    Workers work on ``exposed``, where an adapter's own surroundings may fail; ``stores`` are the same ones, looked at
    from outside, where they never do. ``faults`` counts what failed. ``forgets``: what is deleted is gone from the
    feed, so that views must have folded it before.
    """

    forgets = False

    def __init__(self, seed: int = 0) -> None:
        self.stores = memory_stores()
        self.faults: Counter[str] = Counter()

    @property
    def exposed(self) -> Stores:
        return self.stores

    def expire(self) -> None:
        """What was received and not acknowledged becomes visible again."""
        queue: Any = self.stores.queue
        queue.expire()

    def restart(self) -> None:
        self.expire()

    def close(self) -> None:
        pass


class LocalWorld(World):
    """The local adapter, in memory-backed files where there are such."""

    forgets = True

    def __init__(self, seed: int = 0) -> None:
        self.faults = Counter()
        shared = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="millrace-", dir=shared if shared.is_dir() else None))
        self._open()

    def _open(self) -> None:
        self._store = open_local(self._folder / "store", write=True)
        self.stores = self._store.stores

    def restart(self) -> None:
        self._store.close()
        self._open()

    def close(self) -> None:
        self._store.close()
        shutil.rmtree(self._folder)


class TickingClock:
    """Every look at it is a little later."""

    def __init__(self, random: Random) -> None:
        self._random, self._now = random, START

    def now(self) -> int:
        self._now += self._random.randint(1, 5000)
        return self._now

    def pass_time(self, microseconds: int) -> None:
        self._now += microseconds


class SeededIds:
    """UUIDs of version 7 whose random bits come from a seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def new(self, received_at: int) -> str:
        random_bits = self._random.getrandbits(12) << 64 | 0b10 << 62 | self._random.getrandbits(62)
        return str(UUID(int=received_at // 1000 << 80 | 0x7 << 76 | random_bits))


@cache
def pipeline() -> Pipeline:
    """The compiled catalog, which takes longer than a schedule."""
    return Pipeline(catalog)


def assemble(stores: Stores, clock: Clock, ids: ReceiptIds, *, margin: int = 0) -> Platform:
    """As ``Platform.assemble``, but the catalog is compiled once for all."""
    return Platform.assemble(catalog, stores, clock, ids, margin=margin, pipeline=pipeline())
