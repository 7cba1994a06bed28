"""The laws under whatever sequence of requests, crashes, restarts and redeliveries Hypothesis comes up with."""

from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from millrace.adapters.faults import Crash, Fault, FaultyClock, Injector, faulty
from millrace.core.errors import TransientError

from ..simulation import traffic
from ..simulation.aws import AwsWorld
from ..simulation.client import send
from ..simulation.endings import rebuild_views, redrive, settle
from ..simulation.laws import check_positions, receipts_of
from ..simulation.traffic import Request
from ..simulation.world import LocalWorld, SeededIds, TickingClock, World, assemble

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
"""Which port call from now goes wrong, and how."""
Trouble = tuple[int, Fault] | None


class Laws(RuleBasedStateMachine):
    """Does what clients, workers and operators do, each step with at most one fault; at the end the laws hold."""

    world: Callable[[], World] = World

    def __init__(self) -> None:
        super().__init__()
        self.place = type(self).world()
        self.injector = Injector(Random(0))
        self.clock = FaultyClock(TickingClock(Random(1)), self.injector)
        self.ids = SeededIds(Random(2))
        self.sent: list[Request] = []
        self.accepted: dict[str, Request] = {}
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

    @rule(limit=st.integers(1, 6), trouble=troubles)
    def the_views_are_rebuilt(self, limit: int, trouble: Trouble) -> None:
        self.attempt(trouble, rebuild_views, self.platform, limit)

    @rule(size=st.integers(1, 3), attempts=st.none() | st.integers(1, 3), trouble=troubles)
    def dead_letters_are_redriven(self, size: int, attempts: int | None, trouble: Trouble) -> None:
        self.attempt(trouble, redrive, self.platform, size, attempts)

    @rule(trouble=troubles)
    def the_store_mends_itself(self, trouble: Trouble) -> None:
        self.attempt(trouble, self.platform.mend)

    @rule()
    def messages_become_visible_again(self) -> None:
        self.place.expire()

    @rule()
    def everything_restarts(self) -> None:
        self.place.restart()
        self.start()

    @invariant()
    def positions_and_states_agree(self) -> None:
        check_positions(self.place.stores)

    def teardown(self) -> None:
        try:
            self.injector.active = False
            settle(self.place, assemble, self.clock, self.ids, self.accepted)
        finally:
            self.place.close()


class LawsOnLocal(Laws):
    world = LocalWorld


class LawsOnAws(Laws):
    world = AwsWorld


@pytest.mark.parametrize(("machine", "examples"), [(Laws, 400), (LawsOnLocal, 80), (LawsOnAws, 6)])
def test_the_laws_hold_after_every_sequence_of_events(machine: type[Laws], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None))
