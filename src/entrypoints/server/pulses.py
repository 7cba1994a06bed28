"""``Pulses``: what was processed, every half second, and those who watch it."""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Final

from ...core.ports import Clock
from ...core.times import format_time
from .handover import Handover
from .wire import Counted

BEAT_SECONDS: Final = 0.5
"""From one pulse to the next, so that whoever watches sees an event within a second. The console counts on it."""
REMEMBERED: Final = 600
"""Pulses that are told to who begins to watch: those of five minutes."""
SHOWN: Final = 10
OUTCOMES: Final = ("curated", "duplicate", "filtered", "dead_lettered")


class Pulses:
    """Joins what is counted into pulses."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._counted: list[Counted] = []
        self._past: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._watching: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def count(self, counted: Counted) -> None:
        """Something was processed. Any thread may call it."""
        with self._lock:
            self._counted.append(counted)

    async def beat(self, handover: Handover) -> None:
        """Make one pulse after the other, for ever."""
        loop, waiting = asyncio.get_running_loop(), handover.waiting
        due = loop.time()
        while True:
            due += BEAT_SECONDS
            await asyncio.sleep(max(due - loop.time(), 0))
            with self._lock:
                counted, self._counted = self._counted, []
            pulse = {
                **_joined(counted),
                "at": format_time(self._clock.now() // 100_000 * 100_000),
                "counted": handover.counts,
                "waiting": {"receipts": waiting.count, "bytes": waiting.bytes} if handover.counts else None,
            }
            self._past.append({name: value for name, value in pulse.items() if name != "events"})
            for watcher in self._watching:
                if not watcher.full():  # who reads too slowly misses some
                    watcher.put_nowait(pulse)

    def past(self) -> Sequence[dict[str, Any]]:
        """The last pulses without their events, the earliest first."""
        return [*self._past]

    def watch(self) -> "asyncio.Queue[dict[str, Any] | None]":
        """The pulses from now on, None where no more will come; ``leave`` ends it."""
        watcher = asyncio.Queue[dict[str, Any] | None](maxsize=10)
        self._watching.add(watcher)
        return watcher

    def end(self) -> None:
        """Tell those who watch that no more will come."""
        for watcher in self._watching:
            if watcher.full():
                watcher.get_nowait()
            watcher.put_nowait(None)

    def leave(self, watcher: "asyncio.Queue[dict[str, Any] | None]") -> None:
        self._watching.discard(watcher)


def _joined(counted: Sequence[Counted]) -> dict[str, Any]:
    types, outcomes, milliseconds = Counter[str](), Counter[str](), Counter[int]()
    events: list[dict[str, Any]] = []
    for each in counted:
        types.update(each.types)
        outcomes.update(each.outcomes)
        milliseconds.update(each.milliseconds)
        events += each.events
    return {
        "types": dict(sorted(types.items())),
        "outcomes": {name: outcomes[name] for name in OUTCOMES},
        "latency": percentiles(milliseconds),
        "events": events,
    }


def percentiles(milliseconds: Counter[int]) -> dict[str, int] | None:
    """Milliseconds that so many per cent of the events took at most, exact to the millisecond."""
    count = milliseconds.total()
    if not count:
        return None
    found, seen, wanted = dict[str, int](), 0, [("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)]
    for value, many in sorted(milliseconds.items()):
        seen += many
        while wanted and seen * 100 >= count * wanted[0][1]:
            found[wanted.pop(0)[0]] = value
    return {"count": count, **found}
