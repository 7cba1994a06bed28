"""The laws under whatever sequence of requests, operators' commands, crashes and restarts Hypothesis comes up with."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from millrace.adapters.faults import Crash, Fault, FaultyClock, Injector, faulty
from millrace.adapters.memory import memory_stores
from millrace.core.errors import TransientError
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.jobs import JobSpec
from millrace.core.times import parse_time
from millrace.entrypoints.backfill.taking import take_receipts

from ..simulation import traffic
from ..simulation.aws import AwsWorld
from ..simulation.client import send
from ..simulation.endings import archive, archiver, rebuild_views, redrive, redriven, restore, settle
from ..simulation.jobs import Job
from ..simulation.laws import check_positions, receipts_of
from ..simulation.traffic import Request
from ..simulation.world import LocalWorld, SeededIds, TickingClock, World, assemble

HOUR = 3_600_000_000
NEWEST = max(parse_time(time) for time in traffic.TIMES if time is not None)
"""Of the times that events are sent with."""

events = st.builds(
    lambda named, **envelope: traffic.plain(*named, **envelope),
    st.sampled_from(traffic.DATA),
    id=st.sampled_from(traffic.IDS),
    time=st.sampled_from(traffic.TIMES),
    version=st.sampled_from([None, 1, 2]),
    subject=st.sampled_from([None, "x"]),
    source=st.sampled_from([None, "shop"]),
    flat=st.booleans(),
)
requests = st.builds(
    traffic.request,
    st.lists(events, min_size=1, max_size=4),
    form=st.sampled_from(traffic.FORMS),
    gzipped=st.booleans(),
    key=st.sampled_from(traffic.KEYS),
    junk=st.lists(st.sampled_from(traffic.NO_EVENTS), max_size=1),
    spaced=st.booleans(),
)
troubles = st.none() | st.tuples(st.integers(1, 9), st.sampled_from(Fault))
long_troubles = st.none() | st.tuples(st.integers(1, 30), st.sampled_from(Fault))
"""Which port call from now goes wrong, and how: of work with few calls, and with many."""
types = st.sampled_from([(), (), ("sale",), ("basket", "note")])
jobs = st.builds(
    JobSpec,
    types=types,
    receipts_per_shard=st.integers(1, 3),
    allowed_rejections=st.sampled_from([Decimal(0), Decimal(1)]),
)
Trouble = tuple[int, Fault] | None


class Laws(RuleBasedStateMachine):
    """Does what clients, workers and operators do, each step with at most one fault; at the end the laws hold.

    What operators do goes on step by step, several things at a time, and may be left at any of them.
    """

    world: Callable[[], World] = World
    watched = True
    """Whether positions are looked at after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.place = type(self).world()
        self.injector = Injector(Random(0))
        self.clock = FaultyClock(TickingClock(Random(1)), self.injector)
        self.ids = SeededIds(Random(2))
        self.sent: list[Request] = []
        self.accepted: dict[str, Request] = {}
        self.elsewhere = memory_stores()
        self.other = assemble(self.elsewhere, TickingClock(Random(3)), SeededIds(Random(4)))
        self.offered: dict[str, Request] = {}
        self.jobs: list[Job] = []
        self.under_way: list[Iterator[Any]] = []
        self.start()

    def start(self) -> None:
        self.platform = assemble(faulty(self.place.exposed, self.injector), self.clock, self.ids)

    def attempt(self, trouble: Trouble, work: Callable[..., Any], *args: Any) -> None:
        self.injector.plan = {} if trouble is None else {self.injector.calls + trouble[0]: trouble[1]}
        try:
            work(*args)
        except TransientError:
            pass
        except Crash:
            self.start()
        self.injector.plan = {}

    def receipt(self, number: int) -> str:
        receipts = receipts_of(self.place.stores)
        return receipts[number % len(receipts)]

    # ----------------------------------------------------------------------------------------------------------- online
    @rule(request=requests, trouble=troubles)
    def a_client_sends(self, request: Request, trouble: Trouble) -> None:
        self.sent.append(request)
        self.attempt(trouble, send, self.platform.ingest, request, self.place.stores, self.accepted)

    @rule(request=requests.filter(lambda request: "ndjson" in request.content_type), trouble=troubles)
    def a_file_is_run(self, request: Request, trouble: Trouble) -> None:
        self.a_client_sends(attrs.evolve(request, gzipped=False, key=None, chunk=True), trouble)

    @precondition(lambda self: bool(self.sent))
    @rule(number=st.integers(0, 20), trouble=troubles)
    def a_client_sends_again(self, number: int, trouble: Trouble) -> None:
        request = self.sent[number % len(self.sent)]
        self.attempt(trouble, send, self.platform.ingest, request, self.place.stores, self.accepted)

    @rule(limit=st.integers(1, 5), trouble=troubles)
    def a_worker_processes(self, limit: int, trouble: Trouble) -> None:
        self.attempt(trouble, self.platform.work.step, limit)

    @rule(limit=st.integers(1, 6), trouble=troubles)
    def a_worker_projects(self, limit: int, trouble: Trouble) -> None:
        self.attempt(trouble, self.platform.project.step, limit)

    @precondition(lambda self: bool(receipts_of(self.place.stores)))
    @rule(number=st.integers(0, 20), trouble=troubles)
    def a_receipt_is_processed_again(self, number: int, trouble: Trouble) -> None:
        self.attempt(trouble, self.platform.process.receipt, self.receipt(number))

    @precondition(lambda self: bool(receipts_of(self.place.stores)))
    @rule(number=st.integers(0, 20))
    def a_receipt_is_queued_again(self, number: int) -> None:
        self.place.stores.queue.send(self.receipt(number))

    @rule(trouble=troubles)
    def the_store_mends_itself(self, trouble: Trouble) -> None:
        self.attempt(trouble, self.platform.mend)

    @rule()
    def messages_become_visible_again(self) -> None:
        self.place.expire()

    @rule()
    def everything_restarts(self) -> None:
        self.under_way.clear()
        self.place.restart()
        self.start()

    # ---------------------------------------------------------------------------------------------------------- history
    @rule(limit=st.integers(1, 6), trouble=long_troubles)
    def the_views_are_rebuilt(self, limit: int, trouble: Trouble) -> None:
        self.attempt(trouble, rebuild_views, self.platform, limit)

    @rule(size=st.integers(1, 3), attempts=st.none() | st.integers(1, 3), trouble=troubles)
    def dead_letters_are_redriven(self, size: int, attempts: int | None, trouble: Trouble) -> None:
        self.attempt(trouble, redrive, self.platform, size, attempts)

    @rule(ahead=st.sampled_from([-1, -1, 0, 1]), trouble=long_troubles)
    def old_events_are_archived(self, ahead: int, trouble: Trouble) -> None:
        self.attempt(None, self.platform.work.project)
        self.attempt(trouble, archive, self.platform, NEWEST - ahead * HOUR)

    @rule()
    def the_boundary_moves_before_anything_is_archived(self) -> None:
        archiver(self.platform).announce(NEWEST + HOUR)

    @rule(request=requests, trouble=long_troubles)
    def what_comes_in_is_archived_at_once(self, request: Request, trouble: Trouble) -> None:
        self.a_client_sends(request, None)
        self.a_worker_processes(5, None)
        self.old_events_are_archived(-1, trouble)

    @rule(trouble=long_troubles)
    def archived_events_are_restored(self, trouble: Trouble) -> None:
        self.attempt(trouble, restore, self.platform)

    # ----------------------------------------------------------------------------------------------------- side by side
    @rule(request=requests)
    def another_store_accepts(self, request: Request) -> None:
        send(self.other.ingest, request, self.elsewhere, self.offered)

    @precondition(lambda self: bool(self.offered))
    @rule(of=types)
    def a_backfill_from_the_other_store_begins(self, of: tuple[str, ...]) -> None:
        self.under_way.append(self.taken(of, dict(self.offered)))

    def taken(self, of: tuple[str, ...], offered: dict[str, Request]) -> Iterator[Any]:
        raw = faulty(self.elsewhere, self.injector).raw
        yield from take_receipts(self.platform, raw, of, EARLIEST, LATEST + 1)
        if not of:
            self.accepted.update(offered)

    @precondition(lambda self: len(self.jobs) < 3)
    @rule(spec=jobs)
    def a_job_begins(self, spec: JobSpec) -> None:
        self.jobs.append(Job(f"job-{len(self.jobs)}", spec))
        self.a_job_is_taken_up_again(-1, 0)

    @precondition(lambda self: bool(self.jobs))
    @rule(number=st.integers(0, 2), order=st.integers(0, 9))
    def a_job_is_taken_up_again(self, number: int, order: int) -> None:
        job = self.jobs[number % len(self.jobs)]
        self.under_way.append(job.steps(self.platform.jobs, self.place.stores, Random(order)))

    @rule(size=st.integers(1, 2))
    def a_redrive_begins(self, size: int) -> None:
        self.under_way.append(redriven(self.platform, size))

    @precondition(lambda self: bool(self.under_way))
    @rule(number=st.integers(0, 9), steps=st.integers(1, 4), trouble=long_troubles)
    def an_operator_goes_on(self, number: int, steps: int, trouble: Trouble) -> None:
        self.attempt(trouble, self.advance, number % len(self.under_way), steps)

    def advance(self, place: int, steps: int) -> None:
        work = self.under_way.pop(place)  # what fails is over; somebody may begin again
        for _ in range(steps):
            try:
                next(work)
            except StopIteration:
                return
        self.under_way.append(work)

    @precondition(lambda self: bool(self.under_way))
    @rule(number=st.integers(0, 9))
    def an_operator_gives_up(self, number: int) -> None:
        del self.under_way[number % len(self.under_way)]

    # ------------------------------------------------------------------------------------------------------------- laws
    @invariant()
    def positions_and_states_agree(self) -> None:
        if self.watched:
            check_positions(self.place.stores)

    def teardown(self) -> None:
        try:
            self.injector.active = False
            self.under_way.clear()
            settle(self.place, assemble, self.clock, self.ids, self.accepted, self.jobs)
        finally:
            self.place.close()


class LawsOnLocal(Laws):
    world = LocalWorld


class LawsOnAws(Laws):
    world = AwsWorld
    watched = False


@pytest.mark.parametrize(("machine", "examples"), [(Laws, 400), (LawsOnLocal, 80), (LawsOnAws, 2)])
def test_the_laws_hold_after_every_sequence_of_events(machine: type[Laws], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None))
