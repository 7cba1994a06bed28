"""Claims about the archive where others insert meanwhile: nobody relies on the boundary before its margin is over."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from random import Random

import pytest

from millrace.adapters.faults import Crash, Injector, faulty
from millrace.adapters.system import SystemClock
from millrace.core.errors import TransientError
from millrace.core.ports import Stores
from millrace.core.services.archive import STACK_MARGIN
from millrace.core.services.boundary import Boundaries, Boundary
from millrace.core.services.process import Process
from millrace.core.times import parse_time
from millrace.entrypoints import bootstrap
from millrace.entrypoints.lambdas.settings import Settings
from millrace.entrypoints.lambdas.wiring import StackServices
from millrace.entrypoints.platform import Platform

from ..simulation.catalog import catalog
from ..simulation.world import SeededIds, TickingClock, World, assemble
from .test_archive import BOUNDARY, TYPES, archive_of, basket, fill, ingest, opened, sale, stored
from .test_boundary import OLD, check_views, crashing_at_insert, entry, letters

MARGIN = 3_600_000_000


def among_others(stores: Stores, clock: TickingClock) -> Platform:
    """The platform of one who is not alone."""
    return assemble(stores, clock, SeededIds(Random(2)), margin=MARGIN)


def test_whether_an_event_is_too_old_is_told_once_nobody_can_be_inserting_it_any_more() -> None:
    # A duplicate was refused while the first, begun before the boundary was moved, was about to be inserted.
    stores, clock = World().stores, TickingClock(Random(1))
    made = among_others(stores, clock)
    receipts = [
        made.ingest.chunk(sale(1, OLD).encode(), source="f", content_type="application/json", origin=origin)
        for origin in ("one", "two")
    ]

    def meanwhile(port: str, method: str) -> None:
        if method == "insert":
            archive_of(made, MARGIN).announce(BOUNDARY)
            with pytest.raises(TransientError, match=r"too old can be told in \d+\.\d minutes"):
                made.process.receipt(receipts[1])

    slow = among_others(faulty(stores, Injector(on_call=meanwhile)), clock)
    assert slow.process.receipt(receipts[0]).curated == 1
    for _ in range(2):
        assert made.process.receipt(receipts[1]).duplicate == 1
        clock.pass_time(MARGIN)
    assert letters(stores) == {}
    assert entry(stores, ingest(made, sale(2, OLD))).dead_letters == {"before-archive-boundary": 1}
    check_views(made)


@contextmanager
def of_a_function(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    services = StackServices(Settings(catalog="tests.simulation.catalog:catalog"))
    vars(services)["stores"] = stores
    yield services.process


@contextmanager
def of_a_command(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    monkeypatch.setattr(bootstrap, "_open_stack", lambda *_: nullcontext((stores, None)))
    with bootstrap.open_platform("aws:a-stack", catalog, write=True) as made:
        yield made.process


@pytest.mark.parametrize("worker", [of_a_function, of_a_command])
def test_on_a_stack_everybody_waits_for_the_margin_of_the_archive(
    worker: Callable[[Stores, pytest.MonkeyPatch], AbstractContextManager[Process]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stores, now = World().stores, SystemClock().now()
    receipt = opened(stores).ingest.chunk(
        sale(1, OLD).encode(), source="f", content_type="application/json", origin="f"
    )
    Boundaries(stores.views).announce(BOUNDARY, now)
    with worker(stores, monkeypatch) as process, pytest.raises(TransientError, match="can be told in"):
        process.receipt(receipt)
    Boundaries(stores.views).announce(BOUNDARY + 1, now - STACK_MARGIN)
    with worker(stores, monkeypatch) as process:
        assert process.receipt(receipt).dead_lettered == 1


def test_a_run_goes_by_the_boundary_that_it_has_waited_for() -> None:
    # Moved up between the two, it was relied upon at once.
    stores, clock = World().stores, TickingClock(Random(1))
    made = among_others(stores, clock)
    fill(made)
    early, loads = parse_time("2026-11-19T00:00:00Z"), 0
    archive_of(made, MARGIN).announce(early)
    clock.pass_time(MARGIN)

    def meanwhile(port: str, method: str) -> None:
        nonlocal loads
        loads += (port, method) == ("views", "load")
        if loads == 2:
            archive_of(made, MARGIN).announce(BOUNDARY)

    hurried = among_others(faulty(stores, Injector(on_call=meanwhile)), clock)
    assert sum(batch.records for batch in archive_of(hurried, MARGIN).run(TYPES)) == 4
    assert min(record.time for record in stored(stores)) >= early
    assert Boundaries(stores.views).read() == Boundary(BOUNDARY, archive_of(made, MARGIN).announce(0).announced_at)


def test_a_part_that_somebody_may_be_inserting_once_more_is_not_archived_yet() -> None:
    stores, clock = World().stores, TickingClock(Random(1))
    made = among_others(stores, clock)
    receipt = made.ingest.chunk(basket(1, OLD).encode(), source="f", content_type="application/x-ndjson", origin="f")
    with pytest.raises(Crash):
        opened(crashing_at_insert(stores, 2)).process.receipt(receipt)
    archive_of(made, MARGIN).announce(BOUNDARY)
    clock.pass_time(MARGIN)
    archived: list[int] = []

    def meanwhile(port: str, method: str) -> None:
        if method == "insert" and not archived:
            made.process.receipt(receipt)
            made.work.project()
            archived.extend(batch.records for batch in archive_of(made, MARGIN).run(TYPES))

    among_others(faulty(stores, Injector(on_call=meanwhile)), clock).process.receipt(receipt)
    made.work.project()
    assert archived == [1]
    assert sorted(record.part for record in stored(stores)) == [1, 2]
    check_views(made)
