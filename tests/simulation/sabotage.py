"""Mechanisms broken on purpose, one at a time: a simulation that does not notice them proves nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any

import attrs
import msgspec

from millrace.adapters.memory import MemoryCurated, MemoryViews
from millrace.core.errors import TransientError
from millrace.core.ports import Clock, ReceiptIds, Stores
from millrace.core.records import Changes, Curated, LedgerEntry, Lineage, Marker, RawObject, RowKey, ViewRow
from millrace.core.services.ingest import Ingest
from millrace.core.services.project import Fed, Project
from millrace.core.services.work import Work
from millrace.entrypoints.platform import Platform

from .catalog import catalog
from .endings import Assemble
from .schedule import MARGIN
from .world import World, assemble

_key = attrgetter("type", "time", "source", "id", "part")


@attrs.frozen
class Sabotage:
    """What takes the place of the memory stores, of the platform or of the margin of rebuilds, and the laws that must
    be seen broken, within so many schedules.
    """

    laws: Sequence[int]
    world: Callable[[int], World] = World
    assemble: Assemble = assemble
    margin: int = MARGIN
    schedules: int = 1000


class _Overwriting(MemoryViews):
    """Writes rows without the version check."""

    def commit(self, view: str, rows: Sequence[ViewRow]) -> Sequence[RowKey]:
        stored = self.load(view, [row.key for row in rows])
        current = {key: row.version for key, row in stored.items()}
        return super().commit(view, [msgspec.structs.replace(row, version=current.get(row.key, 0)) for row in rows])


class _Positionless(MemoryViews):
    """Keeps the states of rows and forgets their positions: what is folded again counts again."""

    def load(self, view: str, keys: Sequence[RowKey]) -> Mapping[RowKey, ViewRow]:
        rows = super().load(view, keys)
        return {key: msgspec.structs.replace(row, positions={}) for key, row in rows.items()}


class _LastWriteWins(MemoryCurated):
    """Overwrites what is there, telling nobody."""

    def insert(self, records: Sequence[Curated]) -> Sequence[Lineage | None]:
        answers = super().insert(records)
        for record, first in zip(records, answers, strict=True):
            if first is not None:
                self._changes = [record if _key(other) == _key(record) else other for other in self._changes]
        self._by_type, self._indexed = {}, 0
        return [None] * len(answers)


class _Markerless(MemoryCurated):
    """Takes the time of every event without one from its own receipt."""

    def mark(self, markers: Sequence[Marker]) -> Sequence[Marker]:
        super().mark(markers)
        return markers


class _CursorFirst(Project):
    """Advances the cursor before the rows are written."""

    def _fold(self, changes: Changes, fed: Iterable[Fed]) -> None:
        listed = list(fed)
        for each in listed:
            self._rows.advance(each.rows, changes.origin, changes.positions[-1])
        super()._fold(changes, listed)


class _Remembering(Project):
    """Reads only now and then which generations there are."""

    _known: list[Fed] | None = None
    _calls = 0

    def _fed(self) -> list[Fed]:
        self._calls += 1
        if self._known is None or self._calls % 10 == 0:
            self._known = super()._fed()
        return self._known


class _AcknowledgingFirst(Work):
    def step(self, limit: int = 10, *, adopt: bool = False) -> list[LedgerEntry] | None:
        messages = self._queue.receive(limit)
        self._queue.acknowledge(messages)
        return [self._process.receipt(message.receipt) for message in messages] or None


class _Optimistic(Work):
    """Takes a transient error for the end of the matter."""

    def step(self, limit: int = 10, *, adopt: bool = False) -> list[LedgerEntry] | None:
        messages = self._queue.receive(limit)
        for message in messages:
            with suppress(TransientError):
                self._process.receipt(message.receipt)
            self._queue.acknowledge([message])
        return [] if messages else None


class _Unqueued(Ingest):
    """Answers before the receipt is queued: a failure to queue it is nobody's business."""

    def _keep(self, raw: RawObject) -> None:
        self._raw.append(raw)
        with suppress(TransientError):
            self._queue.send(raw.receipt.id)


def _world(**ports: Callable[[], object]) -> Callable[[int], World]:
    def opened(seed: int) -> World:
        world = World()
        others: dict[str, Any] = {name: port() for name, port in ports.items()}
        if "curated" in others:  # in memory it is the feed, too
            others["feed"] = others["curated"]
        world.stores = attrs.evolve(world.stores, **others)
        return world

    return opened


def _with_project(kind: type[Project]) -> Assemble:
    def made(stores: Stores, clock: Clock, ids: ReceiptIds) -> Platform:
        platform = assemble(stores, clock, ids)
        project = kind(catalog.views.values(), stores.feed, stores.views)
        return attrs.evolve(platform, project=project, work=Work(stores.queue, platform.process, project))

    return made


def _with_work(kind: type[Work]) -> Assemble:
    def made(stores: Stores, clock: Clock, ids: ReceiptIds) -> Platform:
        platform = assemble(stores, clock, ids)
        return attrs.evolve(platform, work=kind(stores.queue, platform.process, platform.project))

    return made


def _with_ingest(stores: Stores, clock: Clock, ids: ReceiptIds) -> Platform:
    platform = assemble(stores, clock, ids)
    ingest = _Unqueued(stores.raw, stores.queue, platform.pipeline.decoder, clock, ids, platform.catalog.name)
    return attrs.evolve(platform, ingest=ingest)


SABOTAGES = {
    "view rows written without their version check": Sabotage([3, 4], world=_world(views=_Overwriting)),
    "view rows without positions": Sabotage([3, 4], world=_world(views=_Positionless)),
    "curated events overwritten": Sabotage([2, 3, 4, 8], world=_world(curated=_LastWriteWins)),
    "times without markers": Sabotage([2, 8], world=_world(curated=_Markerless)),
    "cursor before rows": Sabotage([3, 4], assemble=_with_project(_CursorFirst)),
    "acknowledged before processing": Sabotage([11], assemble=_with_work(_AcknowledgingFirst)),
    "transient errors taken as done": Sabotage([11], assemble=_with_work(_Optimistic)),
    "answered before it is queued": Sabotage([11], assemble=_with_ingest),
    "rebuilt as if alone while others insert": Sabotage([3, 4], margin=0),
    "rebuilt without a margin worth the name": Sabotage([3, 4], margin=1),
    "rebuilt while projectors remember generations": Sabotage([3, 4], assemble=_with_project(_Remembering)),
}
