"""How every run ends: the faults stop, the queues drain, and the laws must hold."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

from millrace.adapters.memory import memory_stores
from millrace.core.jobs import JobSpec
from millrace.core.ports import Clock, ReceiptIds, Stores
from millrace.core.records import Reason
from millrace.core.redriving import Choice, Step
from millrace.core.services.archive import Archive
from millrace.core.services.boundary import Boundaries
from millrace.core.services.rebuild import Rebuild
from millrace.core.services.redrive import Redrive
from millrace.entrypoints.platform import Platform

from .jobs import Job
from .laws import TYPES, Broken, check, check_positions, digest, listed, receipts_of, records_of, require
from .traffic import Request
from .world import World

Assemble = Callable[[Stores, Clock, ReceiptIds], Platform]
ENOUGH = 10_000
RACED = {Reason.CONFLICT.value, Reason.BEFORE_ARCHIVE_BOUNDARY.value}
"""Reasons that depend on what else there is, and when it came."""


def settle(
    world: World,
    assemble: Assemble,
    clock: Clock,
    ids: ReceiptIds,
    accepted: Mapping[str, Request],
    jobs: Iterable[Job] = (),
) -> str:
    """Drain, check every law, and return the digest of what is then held. ``jobs`` that were begun are finished."""
    check_positions(world.stores)
    world.restart()
    stores = world.stores
    platform = assemble(stores, clock, ids)
    _drain(platform)
    left = sorted(set(accepted) - stores.ledger.entries([*accepted]).keys())
    require(11, left, [], "accepted receipts that the queue forgot")
    platform.mend()
    require(11, stores.queue.receive(10), [], "messages left when drained")
    check(stores, accepted)
    check_positions(stores)

    settled = digest(stores)
    for receipt in reversed(receipts_of(stores)):
        platform.process.receipt(receipt)
    platform.work.project()
    require(5, digest(stores), settled, "state after processing every receipt again")

    redrive(platform)
    platform.work.project()
    require(5, digest(stores), settled, "state after redriving every dead letter")
    require(11, list(stores.dead_letters.given_up()), [], "receipts that the queue gave up, after a redrive")

    begun = [job for job in jobs if job.known is not None]
    for job in begun:
        job.finish(platform)
    if begun:
        platform.work.project()
        require(5, digest(stores), settled, "state after finishing every job")

    if Boundaries(stores.views).read() is not None:
        archive(platform)
        require(5, digest(stores), settled, "state after archiving")
        restore(platform)
        require(5, digest(stores), settled, "state after restoring")

    for limit in (5, 500):
        rebuild_views(platform, limit)
        require(6, digest(stores), settled, "state after rebuilding every view")
        check_positions(stores)
    _check_rebuilt(stores, assemble, clock, ids, accepted)
    return settled


def redrive(platform: Platform, size: int = 3, attempts: int | None = None) -> None:
    """Every dead letter, under the catalog that made it one."""
    for _ in redriven(platform, size, attempts):
        pass


def redriven(platform: Platform, size: int, attempts: int | None = None) -> Iterator[Step]:
    """The same, batch by batch."""
    return Redrive(platform.stores, platform.process).run(Choice(), size=size, attempts=attempts)


def rebuild_views(platform: Platform, limit: int = 5) -> None:
    """Every view from scratch, by somebody who is alone; what a rebuild before has left is given up."""
    rebuild = Rebuild(platform.stores, platform.clock, margin=0)
    platform.work.project()
    tasks = rebuild.begin(platform.catalog.views.values())
    while rebuild.step(tasks, limit):
        pass
    if not rebuild.finish(tasks):
        raise Broken(11, "a rebuild does not end")


def archiver(platform: Platform) -> Archive:
    """The archive, for somebody who is alone."""
    return Archive(platform.stores, platform.clock, platform.project, margin=0)


def archive(platform: Platform, before: int | None = None) -> None:
    """Archive what is older than the boundary, which is moved up if need be."""
    service = archiver(platform)
    if before is not None:
        service.announce(before)
    for _ in service.run(TYPES):
        pass


def restore(platform: Platform) -> None:
    """Bring back everything that is archived."""
    for _ in archiver(platform).restore(platform.pipeline.decoder, TYPES):
        pass


def _drain(platform: Platform) -> None:
    for number, _ in enumerate(platform.work.drain()):
        if number > ENOUGH:
            raise Broken(11, "the queue does not drain")


def _check_rebuilt(
    stores: Stores, assemble: Assemble, clock: Clock, ids: ReceiptIds, accepted: Mapping[str, Request]
) -> None:
    """Law 6, of a job over the raw log alone. Which of racing receipts is first may differ, and what it came to too;
    that nothing else does, both being whole by the same rules.
    """
    rebuilt = memory_stores()
    for receipt in receipts_of(stores):
        rebuilt.raw.append(stores.raw.read(receipt))
    platform = assemble(rebuilt, clock, ids)
    try:
        Job("everything", JobSpec(receipts_per_shard=3, allowed_rejections=Decimal(1))).finish(platform)
        require(2, platform.mend(), 0, "receipts that a job over everything left out")
        check(rebuilt, accepted)
        require(6, _unraced(rebuilt), _unraced(stores), "what no race decides")
        mine, other = _curated(rebuilt), _curated(stores)
        both = sorted(mine.keys() & other.keys())
        require(6, [mine[place] for place in both], [other[place] for place in both], "what was first both times")
    except Broken as broken:
        raise Broken(6, f"rebuilt from the raw log, {broken}") from broken


def _unraced(stores: Stores) -> object:
    """What became of events that neither others of their identity nor the archive's boundary had a say in."""
    left, letters = dict[str, object](), set[object]()
    for entry in listed(stores.ledger.list, lambda entry: entry.receipt):
        refused = {reason: number for reason, number in entry.dead_letters.items() if reason not in RACED}
        left[entry.receipt] = (entry.events, entry.filtered, refused)
    for letter in listed(stores.dead_letters.browse, lambda letter: letter.id):
        if letter.reason not in RACED:
            what = (letter.id, letter.reason, letter.stage, letter.fingerprint, letter.event_type, letter.event_id)
            letters.update((*what, *place) for place in letter.occurrences)
    return left, letters


def _curated(stores: Stores) -> dict[tuple[str, int, int], object]:
    """The records by what they came from, without what the time or a rival's marker decides."""
    return {
        (r.receipt, r.index, r.part): (r.type, r.source, r.id, r.version, r.subject, r.fields)
        for r in records_of(stores)
    }
