"""``Injector``: decides at every port call what goes wrong there, from a seed or by a plan."""

import enum
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from random import Random


class Crash(BaseException):
    """The process died here. Nothing after this place was done, and no handler of errors may see it."""


class Fault(enum.StrEnum):
    """What can go wrong at a port call."""

    CRASH_BEFORE = "crash-before"
    CRASH_DURING = "crash-during"
    """Only the first items of a batch are done, then the process dies."""
    CRASH_AFTER = "crash-after"
    THROTTLED = "throttled"
    """Refused before it had any effect."""
    TIMED_OUT = "timed-out"
    """Done, but the caller hears only of a time-out."""
    PARTIAL = "partial"
    """Only the first items of a batch are done; the caller hears of a failure."""
    DUPLICATED = "duplicated"
    """What is received includes messages that were delivered before."""
    REORDERED = "reordered"
    FORGOTTEN = "forgotten"
    """An acknowledgement is lost, and its messages are delivered again."""
    CLOCK_JUMP = "clock-jump"


BATCHES = {
    ("raw", "append_all"): 0,
    **{("curated", method): 0 for method in ("insert", "mark", "replace", "delete", "restore")},
    ("views", "commit"): 1,
    ("views", "forget"): 1,
    ("dead_letters", "add"): 0,
    ("dead_letters", "settle"): 0,
}
"""The calls that take a batch whose items are atomic each by itself, and which argument is the batch or its size."""

_ANYWHERE = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.THROTTLED, Fault.TIMED_OUT)
_IN_BATCHES = (*_ANYWHERE, Fault.CRASH_DURING, Fault.PARTIAL)
_ELSEWHERE = {
    ("clock", "now"): (Fault.CLOCK_JUMP,),
    ("queue", "receive"): (*_ANYWHERE, Fault.DUPLICATED, Fault.REORDERED),
    ("queue", "acknowledge"): (*_ANYWHERE, Fault.FORGOTTEN),
}


def possible(port: str, method: str) -> tuple[Fault, ...]:
    """The faults that a call of this method can have."""
    call = port, method
    return _IN_BATCHES if call in BATCHES else _ELSEWHERE.get(call, _ANYWHERE)


class Injector:
    """Consulted before every port call. Counts the calls, and the faults it put in by kind.

    ``rate`` is the probability that a call has a fault, one of ``kinds`` that is possible there. ``plan`` names the
    fault of single calls by their number, counted from 1; a fault that is not possible at that call is left out.
    ``on_call(port, method)`` is called first, whether or not there are faults: a scheduler switches workers there.
    While ``active`` is false nothing goes wrong.
    """

    def __init__(
        self,
        random: Random | None = None,
        *,
        rate: float = 0.0,
        kinds: Collection[Fault] = frozenset(Fault),
        plan: Mapping[int, Fault] | None = None,
        on_call: Callable[[str, str], None] | None = None,
    ) -> None:
        self.random = random or Random(0)  # noqa: S311 (a seed is the point)
        self.rate, self.kinds, self.on_call = rate, kinds, on_call
        self.plan = dict(plan or {})
        self.active = True
        self.calls = 0
        self.counts: Counter[Fault] = Counter()

    def fault(self, port: str, method: str) -> Fault | None:
        """What goes wrong at this call, which is now made."""
        if self.on_call is not None:
            self.on_call(port, method)
        self.calls += 1
        if not self.active:
            return None
        chosen = self.plan.get(self.calls) or self._drawn(port, method)
        if chosen is None or chosen not in possible(port, method):
            return None
        self.counts[chosen] += 1
        return chosen

    def _drawn(self, port: str, method: str) -> Fault | None:
        if not self.rate or self.random.random() >= self.rate:
            return None
        choices = [fault for fault in possible(port, method) if fault in self.kinds]
        return self.random.choice(choices) if choices else None
