"""Mechanisms broken on purpose, one at a time: a simulation that does not notice them proves nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any

import attrs
import msgspec

from millrace.adapters.memory import MemoryCurated, MemoryViews
from millrace.core.errors import TransientError
from millrace.core.jobs import Shard, Tally
from millrace.core.ports import Clock, ReceiptIds, Stores
from millrace.core.records import Changes, Curated, LedgerEntry, Lineage, Marker, RawObject, RowKey, ViewRow
from millrace.core.services.archive import Archive, Batch
from millrace.core.services.ingest import Ingest
from millrace.core.services.jobs import Jobs
from millrace.core.services.process import Process
from millrace.core.services.project import Fed, Project
from millrace.core.services.work import Work
from millrace.entrypoints.platform import Platform

from .catalog import catalog
from .endings import Assemble
from .schedule import Setting, among_others
from .world import World

_key = attrgetter("type", "time", "source", "id", "part")


@attrs.frozen
class Sabotage:
    """A setting with something broken in it, and the laws that must be seen broken, within so many schedules."""

    laws: Sequence[int]
    setting: Setting
    schedules: int = 300


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
        if self._known is None or self._calls % 30 == 0:
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

    def keep(self, raw: RawObject) -> None:
        self._raw.append(raw)
        with suppress(TransientError):
            self._queue.send(raw.receipt.id)


class _Showing(MemoryCurated):
    """Shows what is restored as if it were new."""

    def restore(self, records: Sequence[Curated]) -> None:
        self.insert([record for record, stored in zip(records, self.find(records), strict=True) if stored is None])


class _DeletingFirst(Archive):
    """Deletes records before the file that has them is written."""

    def _moved(self, run: Any, name: str, records: Sequence[Curated], held: Sequence[Curated]) -> Batch:
        self._stores.curated.delete(records)
        return super()._moved(run, name, records, held)


class _MarkingFirst(Jobs):
    """Notes that a shard is done, and then does it."""

    def load(self, job: str, shard: Shard) -> Tally:
        name = f"loaded/{shard.shard:06}.json"
        if self._files.read(job, name) is None:
            self._files.write(job, name, msgspec.json.encode(Tally()))
            self._files.write(job, name, msgspec.json.encode(self._loaded(job, shard)))
        return super().load(job, shard)


class _Trusting(Jobs):
    """Loads in vain, and asks the ledger only for what it has."""

    def _loaded(self, job: str, shard: Shard) -> Tally:
        return Tally(receipts=shard.receipts)

    def _entries(self, job: str, shard: Shard) -> Iterator[LedgerEntry]:
        yield from self._stores.ledger.entries([*self._receipts_of(job, shard)]).values()


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
        platform = among_others(stores, clock, ids)
        project = kind(catalog.views.values(), stores.feed, stores.views)
        return attrs.evolve(platform, project=project, work=Work(stores.queue, platform.process, project))

    return made


def _with_work(kind: type[Work]) -> Assemble:
    def made(stores: Stores, clock: Clock, ids: ReceiptIds) -> Platform:
        platform = among_others(stores, clock, ids)
        return attrs.evolve(platform, work=kind(stores.queue, platform.process, platform.project))

    return made


def _with_jobs(kind: type[Jobs]) -> Assemble:
    def made(stores: Stores, clock: Clock, ids: ReceiptIds) -> Platform:
        platform = among_others(stores, clock, ids)
        return attrs.evolve(platform, jobs=kind(platform.pipeline, platform.process, stores, clock))

    return made


def _with_ingest(stores: Stores, clock: Clock, ids: ReceiptIds) -> Platform:
    platform = among_others(stores, clock, ids)
    ingest = _Unqueued(stores.raw, stores.queue, platform.pipeline.decoder, clock, ids, platform.catalog.name)
    return attrs.evolve(platform, ingest=ingest)


def _without_boundary(stores: Stores, clock: Clock, ids: ReceiptIds) -> Platform:
    platform = among_others(stores, clock, ids)
    it = stores
    process = Process(platform.pipeline, it.raw, it.curated, it.dead_letters, it.ledger, clock)
    jobs = Jobs(platform.pipeline, process, stores, clock)
    return attrs.evolve(platform, process=process, jobs=jobs, work=Work(it.queue, process, platform.project))


def _hasty(stores: Stores, clock: Clock, project: Project, *, margin: int) -> Archive:
    return Archive(stores, clock, project, margin=1)


REBUILT = ["rebuild"]
OLD = ["archive", "job", "redrive", "restore"]
SABOTAGES = {
    "view rows written without their version check": Sabotage([3, 4], Setting(world=_world(views=_Overwriting))),
    "view rows without positions": Sabotage([3, 4], Setting(world=_world(views=_Positionless))),
    "curated events overwritten": Sabotage([2, 3, 4, 8], Setting(world=_world(curated=_LastWriteWins))),
    "times without markers": Sabotage([2, 8], Setting(world=_world(curated=_Markerless))),
    "cursor before rows": Sabotage([3, 4], Setting(assemble=_with_project(_CursorFirst))),
    "acknowledged before processing": Sabotage([11], Setting(assemble=_with_work(_AcknowledgingFirst))),
    "transient errors taken as done": Sabotage([11], Setting(assemble=_with_work(_Optimistic))),
    "answered before it is queued": Sabotage([11], Setting(assemble=_with_ingest)),
    "rebuilt as if alone while others insert": Sabotage([3, 4], Setting(margin=0, plenty=REBUILT)),
    "rebuilt without a margin worth the name": Sabotage([3, 4], Setting(margin=1, plenty=REBUILT)),
    "rebuilt while projectors remember generations": Sabotage(
        [3, 4], Setting(assemble=_with_project(_Remembering), plenty=REBUILT)
    ),
    "archived before it is written": Sabotage([2, 3, 4, 7], Setting(archiving=_DeletingFirst, plenty=OLD)),
    "archived where nobody knows the boundary": Sabotage(
        [2, 3, 4, 5, 7, 8], Setting(assemble=_without_boundary, plenty=OLD)
    ),
    "archived without a margin worth the name": Sabotage(
        [2, 3, 4], Setting(archiving=_hasty, plenty=OLD), schedules=1000
    ),
    "restored as if it were new": Sabotage([3, 4], Setting(_world(curated=_Showing), plenty=OLD)),
    "a shard marked done before it is": Sabotage([2], Setting(assemble=_with_jobs(_MarkingFirst), plenty=["job"])),
    "a job that proves nothing": Sabotage([2, 6], Setting(assemble=_with_jobs(_Trusting), plenty=["job"])),
}
