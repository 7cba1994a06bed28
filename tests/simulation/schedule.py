"""One schedule: clients, processors, projectors and reconcilers as greenlets that switch at every port call."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from random import Random

import attrs
from greenlet import getcurrent, greenlet

from millrace.adapters.faults import Crash, FaultyClock, Injector, faulty
from millrace.adapters.faults.stores import FARTHEST_JUMP
from millrace.core.errors import TransientError
from millrace.core.services.generations import Superseded
from millrace.core.services.rebuild import Rebuild

from .catalog import catalog
from .client import send
from .endings import Assemble, redrive, settle
from .laws import check_positions
from .traffic import Request, drawn
from .world import SeededIds, TickingClock, World, assemble

RATES = [0, 0.02, 0.1]
KILLED = "killed"
MARGIN = 2 * FARTHEST_JUMP + 3_600_000_000
"""Of rebuilds: what two looks at the clock may be off by, and an hour, which no worker lives."""


@attrs.define
class Report:
    """What one schedule came to. ``trace`` is a hash of every switch, ``state`` of what the stores hold at the end."""

    seed: int
    receipts: int = 0
    calls: int = 0
    rebuilds: int = 0
    faults: Counter[str] = attrs.field(factory=Counter)
    trace: str = ""
    state: str = ""
    broken: BaseException | None = None


def run(
    seed: int, world: Callable[[int], World] = World, assemble: Assemble = assemble, margin: int = MARGIN
) -> Report:
    """Run the schedule of a seed from its beginning to the laws."""
    report, place = Report(seed), world(seed)
    try:
        Schedule(report, place, assemble, margin).run()
    except Exception as error:  # whatever escapes from a service when only its surroundings failed is a break, too
        report.broken = error
    finally:
        place.close()
    return report


class Schedule:
    """The hub: it decides who goes on, who dies, and what is delivered again."""

    def __init__(self, report: Report, world: World, assemble: Assemble, margin: int) -> None:
        self._report, self._world, self._assemble, self._margin = report, world, assemble, margin
        # Separate streams, so that one more fault does not change what the clients send.
        self._random, self._traffic, self._chance = (Random(f"{of} {report.seed}") for of in ("who", "what", "fault"))
        self._injector = Injector(self._chance, rate=self._chance.choice(RATES), on_call=self._switch)
        self._time = TickingClock(self._chance)
        self._clock = FaultyClock(self._time, self._injector)
        self._ids = SeededIds(self._chance)
        self._platform = assemble(faulty(world.exposed, self._injector), self._clock, self._ids)
        self._tasks: list[greenlet] = []
        self._clients: set[greenlet] = set()
        self._accepted: dict[str, Request] = {}
        self._streamed: Counter[str] = Counter()
        self._killed = 0
        self._hub = getcurrent()
        self._trace = sha256()

    def run(self) -> None:
        random = self._random
        unsent = [drawn(self._traffic) for _ in range(random.randint(2, 10))]
        at_once, steps, deadly = random.choice([2, 4, 8]), random.randint(100, 1000), random.choice([0, 0.01, 0.03])
        for _ in range(steps):
            if len(self._tasks) < at_once:
                if unsent and random.random() < 0.3:
                    self._clients.add(self._start(self._client, unsent.pop()))
                else:
                    self._start_worker()
            if random.random() < 0.01:
                self._world.expire()
            elif random.random() < 0.01:
                check_positions(self._world.stores)
            elif random.random() < 0.005:
                self._time_passes()
            if self._tasks:
                self._advance(random.choice(self._tasks), dies=random.random() < deadly)
        self._injector.active = False
        self._finish()
        self._report.receipts = len(self._accepted)
        self._report.calls = self._injector.calls
        self._report.faults = (
            Counter({str(fault): n for fault, n in self._injector.counts.items()}) + self._world.faults
        )
        self._report.faults["killed"] = self._killed
        self._report.trace = self._trace.hexdigest()
        self._report.state = settle(self._world, self._assemble, self._clock, self._ids, self._accepted)

    # -------------------------------------------------------------------------------------------------------- greenlets

    def _start_worker(self) -> None:
        draw = self._random.random()
        often = self._process if draw < 0.46 else self._project
        rarely = self._redrive if draw < 0.93 else self._rebuild if draw < 0.99 else self._mend
        self._start(often if draw < 0.87 else rarely)

    def _start(self, work: Callable[..., None], *args: Request) -> greenlet:
        def body() -> None:
            # The worker is gone, or gives up for now; what it leaves must be enough for the others.
            with suppress(Crash, TransientError):
                work(*args)

        self._tasks.append(greenlet(body))
        return self._tasks[-1]

    def _time_passes(self) -> None:
        """More than a margin: whoever works now has ended when it is over, which is what the margin is for."""
        workers = [task for task in self._tasks if task and task not in self._clients]
        while under_way := [task for task in workers if not task.dead]:
            self._advance(self._random.choice(under_way), dies=False)
        self._time.pass_time(3 * MARGIN)

    def _switch(self, port: str, method: str) -> None:
        if getcurrent() is not self._hub:
            self._trace.update(f"{port}.{method} ".encode())
            self._hub.switch()

    def _advance(self, task: greenlet, *, dies: bool) -> None:
        if dies and task:  # a task that has not begun cannot die in the middle
            self._killed += 1
            task.throw(Crash(KILLED))
        else:
            task.switch()
        if task.dead:
            self._tasks.remove(task)

    def _finish(self) -> None:
        """Half of the schedules let the workers finish, the others end with the death of all."""
        everyone_dies = self._random.random() < 0.5
        while self._tasks:
            self._advance(self._random.choice(self._tasks), dies=everyone_dies)

    # ---------------------------------------------------------------------------------------------------------- workers

    def _client(self, request: Request) -> None:
        """Sends until it has an answer, thrice at most; sometimes again although it has one."""
        for _ in range(self._random.randint(1, 3)):
            try:
                send(self._platform.ingest, request, self._world.stores, self._accepted)
                if self._random.random() < 0.7:
                    return
            except (TransientError, Crash):  # the crash is the server's; the client lives on
                continue

    def _process(self) -> None:
        self._platform.work.step(self._random.randint(1, 4))

    def _project(self) -> None:
        if self._random.random() < 0.2:
            self._stream()
            return
        for _ in range(self._random.randint(1, 3)):
            self._platform.project.step(self._random.randint(1, 6))

    def _stream(self) -> None:
        """As a stream brings changes to a function: from where the last batch succeeded on, without cursors."""
        for origin in self._platform.stores.feed.origins():
            changes = self._platform.stores.feed.changes(origin, self._streamed[origin], self._random.randint(1, 6))
            if changes.records:
                self._platform.project.fold(changes)
                self._streamed[origin] = max(self._streamed[origin], changes.positions[-1])

    def _rebuild(self) -> None:
        """Begins, goes on where another one is, or finishes."""
        views = [view for view in catalog.views.values() if self._random.random() < 0.7]
        rebuild = Rebuild(self._platform.stores, self._platform.clock, margin=self._margin)
        with suppress(Superseded):
            tasks = rebuild.begin(views, anew=self._random.random() < 0.05)
            for _ in range(self._random.randint(1, 20)):
                if rebuild.wait(tasks):
                    return
                if not rebuild.step(tasks, self._random.randint(1, 6)) and rebuild.finish(tasks):
                    self._report.rebuilds += len(tasks)
                    if self._random.random() < 0.5:
                        rebuild.drop(views)
                    return

    def _redrive(self) -> None:
        redrive(self._platform, self._random.randint(1, 4), self._random.choice([None, 2, 5]))

    def _mend(self) -> None:
        if self._random.random() < 0.5:
            self._platform.reconcile.mend()
        else:
            self._platform.reconcile.run(repair=True)
