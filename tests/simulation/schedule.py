"""One schedule: clients and workers of every kind as greenlets that switch at every port call."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from random import Random

import attrs
from greenlet import getcurrent, greenlet

from millrace.adapters.faults import Crash, FaultyClock, Injector, faulty
from millrace.adapters.faults.stores import FARTHEST_JUMP
from millrace.adapters.memory import memory_stores
from millrace.core.errors import TransientError
from millrace.core.ports import Clock, ReceiptIds, Stores
from millrace.core.services.archive import Archive
from millrace.entrypoints.platform import Platform

from .client import send
from .endings import Assemble, settle
from .jobs import drawn_job
from .laws import check_positions
from .traffic import Request, drawn
from .workers import ALWAYS, SOMETIMES, Archiving, Crew
from .world import SeededIds, TickingClock, World, assemble

RATES = [0, 0.02, 0.1]
KILLED = "killed"
WRITES = {"insert", "mark", "commit", "advance", "record", "write", "delete", "restore", "settle", "add"}
"""Before these a worker may be held up for long, so that it acts on what was true once."""
NEWS = {("queue", "send"): "process", ("queue", "release"): "process", ("curated", "insert"): "project"}
"""Calls after which a kind of worker may have something to do again."""
MARGIN = 2 * FARTHEST_JUMP + 3_600_000_000
"""Of rebuilds and the archive: what two looks at the clock may be off by, and an hour, which no worker lives."""


def among_others(stores: Stores, clock: Clock, ids: ReceiptIds) -> Platform:
    """The platform of one who is not alone."""
    return assemble(stores, clock, ids, margin=MARGIN)


@attrs.frozen
class Setting:
    """What a schedule runs on: a place, and how the services are made. Sabotage takes the place of one of these.

    ``plenty``: the kinds of workers of which there are many; each schedule draws its own where there are none.
    """

    world: Callable[[int], World] = World
    assemble: Assemble = among_others
    margin: int = MARGIN
    archiving: Archiving = Archive
    plenty: Sequence[str] = ()


@attrs.define
class Report:
    """What one schedule came to. ``trace`` is a hash of every switch, ``state`` of what the stores hold at the end."""

    seed: int
    receipts: int = 0
    calls: int = 0
    done: Counter[str] = attrs.field(factory=Counter)
    faults: Counter[str] = attrs.field(factory=Counter)
    trace: str = ""
    state: str = ""
    broken: BaseException | None = None


SOUND = Setting()


def run(seed: int, setting: Setting = SOUND) -> Report:
    """Run the schedule of a seed from its beginning to the laws."""
    report, place = Report(seed), setting.world(seed)
    try:
        Schedule(report, place, setting).run()
    except Exception as error:  # whatever escapes from a service when only its surroundings failed is a break, too
        report.broken = error
    finally:
        place.close()
    return report


class Schedule:
    """The hub: it decides who goes on, who dies, and what is delivered again."""

    def __init__(self, report: Report, place: World, setting: Setting) -> None:
        self._report, self._world, self._assemble, self._plenty = report, place, setting.assemble, setting.plenty
        # Separate streams, so that one more fault does not change what the clients send.
        self._random, self._traffic, self._chance = (Random(f"{of} {report.seed}") for of in ("who", "what", "fault"))
        self._injector = Injector(self._chance, rate=self._chance.choice(RATES), on_call=self._switch)
        self._time = TickingClock(self._chance)
        self._clock = FaultyClock(self._time, self._injector)
        self._ids = SeededIds(self._chance)
        elsewhere, offered = memory_stores(), dict[str, Request]()
        other = assemble(elsewhere, TickingClock(self._traffic), SeededIds(self._traffic))
        for _ in range(self._traffic.choice([0, 1, 3])):
            send(other.ingest, drawn(self._traffic), elsewhere, offered)
        self._crew = Crew(
            platform=setting.assemble(faulty(place.exposed, self._injector), self._clock, self._ids),
            world=place,
            random=self._random,
            margin=setting.margin,
            archiving=setting.archiving,
            elsewhere=faulty(elsewhere, self._injector).raw,
            offered=offered,
            jobs=[drawn_job(number, self._traffic) for number in range(2)],
            done=report.done,
        )
        self._tasks: list[greenlet] = []
        self._clients: set[greenlet] = set()
        self._asleep: dict[greenlet, int] = {}
        self._drowsy, self._step, self._folded = 0.0, 0, False
        self._killed = 0
        self._hub = getcurrent()
        self._trace = sha256()

    def run(self) -> None:
        random = self._random
        unsent = [drawn(self._traffic) for _ in range(random.choice([4, 12, 36]))]
        pace, at_once = random.choice([0.03, 0.06, 0.3]), random.choice([2, 4, 8])
        steps, deadly = random.randint(200, 1200), random.choice([0, 0.01, 0.03])
        self._drowsy = random.choice([0, 0.05, 0.2])
        plenty = self._plenty or random.sample(SOMETIMES, random.randint(1, 4))
        usual = {kind: 30.0 if kind in ALWAYS else 6.0 if kind in plenty else 0.3 for kind in (*ALWAYS, *SOMETIMES)}
        spell = usual
        for self._step in range(steps):
            awake = [task for task in self._tasks if self._asleep.get(task, 0) <= self._step]
            if self._step % 50 == 0:
                # Kinds of workers come in spells: many of one kind at once, of another none for a while.
                spell = {kind: weight * random.choice([0, 0, 1, 5]) for kind, weight in usual.items()}
            if unsent and random.random() < pace:
                self._clients.add(self._start(self._crew.client(unsent.pop())))
            if len(awake) < at_once and any(spell.values()):
                idle = self._crew.idle
                [kind] = random.choices([*spell], [w / 20 if kind in idle else w for kind, w in spell.items()])
                self._start(self._crew.worker(kind))
            self._happen()
            if awake := [task for task in awake if not task.dead]:
                self._advance(random.choice(awake), dies=random.random() < deadly)
        self._finish()
        self._time.pass_time(3 * MARGIN)
        self._tell()
        self._report.state = settle(
            self._world, self._assemble, self._clock, self._ids, self._crew.accepted, self._crew.jobs
        )

    def _happen(self) -> None:
        """What nobody does: messages are delivered again, time passes; and somebody looks at the positions."""
        if self._random.random() < 0.01:
            self._world.expire()
            self._crew.idle.discard("process")
        elif self._folded and self._random.random() < 0.1:
            self._folded = False
            check_positions(self._world.stores)
        elif self._random.random() < 0.01:
            self._time_passes()

    def _tell(self) -> None:
        """What is known before the end."""
        report = self._report
        report.receipts, report.calls = len(self._crew.accepted), self._injector.calls
        report.faults = Counter({str(fault): n for fault, n in self._injector.counts.items()}) + self._world.faults
        report.faults[KILLED] = self._killed
        report.trace = self._trace.hexdigest()

    # -------------------------------------------------------------------------------------------------------- greenlets

    def _start(self, work: Callable[[], None]) -> greenlet:
        def body() -> None:
            # The worker is gone, or gives up for now; what it leaves must be enough for the others.
            with suppress(Crash, TransientError):
                work()

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
            self._folded |= (port, method) == ("views", "advance")
            self._crew.idle.discard(NEWS.get((port, method), ""))
            if method in WRITES and self._random.random() < self._drowsy:
                self._asleep[getcurrent()] = self._step + self._random.randint(10, 400)
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
        """Nothing goes wrong any more: half of the schedules let the workers finish, in the others all die."""
        self._injector.active = False
        everyone_dies = self._random.random() < 0.5
        while self._tasks:
            self._advance(self._random.choice(self._tasks), dies=everyone_dies)
