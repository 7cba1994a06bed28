"""What the workers of a schedule do: each does its work once or a few times, until it is done, gives up, or dies."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Protocol

import attrs

from millrace.adapters.faults import Crash
from millrace.core.errors import TransientError
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.ports import Clock, RawStore, Stores
from millrace.core.services.archive import Archive
from millrace.core.services.generations import Superseded
from millrace.core.services.project import Project
from millrace.core.services.rebuild import Rebuild
from millrace.entrypoints.backfill.taking import take_receipts
from millrace.entrypoints.platform import Platform

from .catalog import catalog
from .client import send
from .endings import redrive
from .jobs import Job
from .laws import TYPES
from .traffic import Request
from .world import START, World

MINUTE = 60_000_000
BOUNDARIES = [946_684_800_000_000, *(START + minutes * MINUTE for minutes in (1, 2, 30, 60, 1440, 18_000))]
"""Of the archive, one after the other. Behind the first, the year 2000, is one time of the pool; the last are for
events without a time.
"""
ALWAYS = ("process", "project")
SOMETIMES = ("redrive", "rebuild", "mend", "job", "archive", "restore", "take")
"""The kinds of workers: those that there are in every schedule, and those of which each has some in plenty."""


class Archiving(Protocol):
    """What makes the service of an archive: ``Archive``, or one that is broken."""

    def __call__(self, stores: Stores, clock: Clock, project: Project, *, margin: int) -> Archive: ...


@attrs.define(kw_only=True)
class Crew:
    """The workers on one platform. ``random`` says how far each goes; ``done`` counts what they finished, ``idle`` are
    the kinds that found nothing to do.

    ``elsewhere`` is another store's raw log, of which ``offered`` was accepted there.
    """

    platform: Platform
    world: World
    random: Random
    margin: int
    archiving: Archiving
    elsewhere: RawStore
    offered: Mapping[str, Request]
    jobs: Sequence[Job]
    accepted: dict[str, Request] = attrs.field(factory=dict)
    done: Counter[str] = attrs.field(factory=Counter)
    idle: set[str] = attrs.field(factory=set)
    _streamed: Counter[str] = attrs.field(factory=Counter)
    _planning: set[str] = attrs.field(factory=set)
    _announced: int = 0

    def worker(self, kind: str) -> Callable[[], None]:
        """What a worker of that kind does."""
        works = {
            "process": self._process,
            "project": self._project,
            "redrive": self._redrive,
            "rebuild": self._rebuild,
            "mend": self._mend,
            "job": self._job,
            "archive": self._archive,
            "restore": self._restore,
            "take": self._take,
        }
        return works[kind]

    def client(self, request: Request) -> Callable[[], None]:
        """What a client does that has a request to send."""
        return partial(self._send, request)

    def _send(self, request: Request) -> None:
        """Sends until it has an answer, thrice at most; sometimes again although it has one."""
        for _ in range(self.random.randint(1, 3)):
            try:
                send(self.platform.ingest, request, self.world.stores, self.accepted)
                if self.random.random() < 0.7:
                    return
            except (TransientError, Crash):  # the crash is the server's; the client lives on
                continue

    def _process(self) -> None:
        if self.platform.work.step(self.random.randint(1, 4)) is None:
            self.idle.add("process")

    def _project(self) -> None:
        if self.random.random() < 0.2:
            self._stream()
            return
        for _ in range(self.random.randint(1, 3)):
            if not self.platform.project.step(self.random.randint(1, 6)):
                self.idle.add("project")
                return

    def _stream(self) -> None:
        """As a stream brings changes to a function: from where the last batch succeeded on, without cursors."""
        for origin in self.platform.stores.feed.origins():
            changes = self.platform.stores.feed.changes(origin, self._streamed[origin], self.random.randint(1, 6))
            if changes.records:
                self.platform.project.fold(changes)
                self._streamed[origin] = max(self._streamed[origin], changes.positions[-1])

    def _redrive(self) -> None:
        redrive(self.platform, self.random.randint(1, 4), self.random.choice([None, 2, 5]))

    def _mend(self) -> None:
        if self.random.random() < 0.5:
            self.platform.reconcile.mend()
        else:
            self.platform.reconcile.run(repair=True)

    def _rebuild(self) -> None:
        """Begins, goes on where another one is, or finishes; or deletes what is left of earlier ones."""
        views = [view for view in catalog.views.values() if self.random.random() < 0.7]
        rebuild = Rebuild(self.platform.stores, self.platform.clock, margin=self.margin)
        if self.random.random() < 0.2:
            self.done["generations deleted"] += len(rebuild.sweep(views))
            return
        with suppress(Superseded):
            tasks = rebuild.begin(views, anew=self.random.random() < 0.05)
            for _ in range(self.random.randint(1, 20)):
                if rebuild.wait(tasks):
                    return
                if not rebuild.step(tasks, self.random.randint(1, 6)) and rebuild.finish(tasks):
                    self.done["views rebuilt"] += len(tasks)
                    if self.random.random() < 0.5:
                        rebuild.drop(views)
                    return

    def _job(self) -> None:
        """Begins a job, or goes on with it beside others. Only planning is done by one at a time."""
        job = self.random.choice(self.jobs)
        if job.name in self._planning:
            return
        self._planning.add(job.name)
        steps = job.steps(self.platform.jobs, self.world.stores, self.random)
        try:
            next(steps)
        finally:
            self._planning.remove(job.name)
        for step in steps:
            self.done["jobs proved"] += step == "proved"
            if self.random.random() < 0.05:
                return

    def _archive(self) -> None:
        """Moves the boundary, or archives what is older, if it is time."""
        archive = self._archiver()
        if self.random.random() < 0.1:
            self._announced = min(self._announced + self.random.choice([0, 1, 1, 2]), len(BOUNDARIES) - 1)
            archive.announce(BOUNDARIES[self._announced])
        if archive.wait():
            return
        if self.world.forgets:
            self.platform.work.project()
        for batch in archive.run(TYPES):
            self.done["records archived"] += batch.records
            if self.random.random() < 0.1:
                return

    def _restore(self) -> None:
        since, until = sorted([self.random.choice([EARLIEST, *BOUNDARIES]), self.random.choice([*BOUNDARIES, LATEST])])
        types = [name for name in TYPES if self.random.random() < 0.7]
        for batch in self._archiver().restore(self.platform.pipeline.decoder, types, since=since, until=until):
            self.done["records restored"] += batch.records

    def _archiver(self) -> Archive:
        it = self.platform
        return self.archiving(it.stores, it.clock, it.project, margin=self.margin)

    def _take(self) -> None:
        """Backfill from the other store, or from where it was left."""
        types = self.random.choice([(), (), ("sale",)])
        for _ in take_receipts(self.platform, self.elsewhere, types, EARLIEST, LATEST + 1):
            self.done["receipts taken in"] += 1
            if self.random.random() < 0.05:
                return
        if not types:
            self.accepted.update(self.offered)
