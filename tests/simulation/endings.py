"""How every run ends: the faults stop, the queues drain, and the laws must hold."""

from collections.abc import Callable, Mapping

from millrace.adapters.memory import memory_stores
from millrace.core.ports import Clock, ReceiptIds, Stores
from millrace.core.redriving import Choice
from millrace.core.services.rebuild import Rebuild
from millrace.core.services.redrive import Redrive
from millrace.entrypoints.platform import Platform

from .laws import Broken, check, check_positions, digest, receipts_of, require
from .traffic import Request
from .world import World

Assemble = Callable[[Stores, Clock, ReceiptIds], Platform]
ENOUGH = 10_000


def settle(world: World, assemble: Assemble, clock: Clock, ids: ReceiptIds, accepted: Mapping[str, Request]) -> str:
    """Drain, check every law, and return the digest of what is then held."""
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
    check(stores, accepted)

    redrive(platform)
    platform.work.project()
    require(5, digest(stores), settled, "state after redriving every dead letter")
    require(11, list(stores.dead_letters.given_up()), [], "receipts that the queue gave up, after a redrive")
    check(stores, accepted)

    for limit in (5, 500):
        rebuild_views(platform, limit)
        require(6, digest(stores), settled, "state after rebuilding every view")
        check_positions(stores)
    _check_rebuilt(stores, assemble, clock, ids, accepted)
    return settled


def redrive(platform: Platform, size: int = 3, attempts: int | None = None) -> None:
    """Every dead letter, under the catalog that made it one."""
    for _ in Redrive(platform.stores, platform.process).run(Choice(), size=size, attempts=attempts):
        pass


def rebuild_views(platform: Platform, limit: int = 5) -> None:
    """Every view from scratch, by somebody who is alone; what a rebuild before has left is given up."""
    rebuild = Rebuild(platform.stores, platform.clock, margin=0)
    platform.work.project()
    tasks = rebuild.begin(platform.catalog.views.values())
    while rebuild.step(tasks, limit):
        pass
    if not rebuild.finish(tasks):
        raise Broken(11, "a rebuild does not end")


def _drain(platform: Platform) -> None:
    for number, _ in enumerate(platform.work.drain()):
        if number > ENOUGH:
            raise Broken(11, "the queue does not drain")


def _check_rebuilt(
    stores: Stores, assemble: Assemble, clock: Clock, ids: ReceiptIds, accepted: Mapping[str, Request]
) -> None:
    """Law 6. Which of racing receipts is first may differ; that nothing else does, the same rules say of both."""
    rebuilt = memory_stores()
    for receipt in receipts_of(stores):
        rebuilt.raw.append(stores.raw.read(receipt))
    platform = assemble(rebuilt, clock, ids)
    platform.mend()
    try:
        check(rebuilt, accepted)
    except Broken as broken:
        raise Broken(6, f"rebuilt from the raw log, {broken}") from broken
