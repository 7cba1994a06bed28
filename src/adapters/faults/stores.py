"""``faulty``: any adapter's stores, with an injector consulted at every call."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import attrs

from ...core.errors import TransientError
from ...core.ports import Clock, Stores
from ...core.records import Message
from .injector import BATCHES, Crash, Fault, Injector

REMEMBERED = 20
"""How many messages of the past can be delivered a second time."""
PATIENCE = 99
FARTHEST_JUMP = 26 * 3_600_000_000
"""A clock jumps by up to 26 hours either way."""


def faulty(stores: Stores, injector: Injector) -> Stores:
    """The same stores, but what the injector says goes wrong."""
    return Stores(
        **{port.name: _port(port.name, getattr(stores, port.name), injector) for port in attrs.fields(Stores)}
    )


def patient(stores: Stores) -> Stores:
    """The same stores, but a call that raised ``TransientError`` is made again, up to a hundred times."""
    ports: dict[str, Any] = {port.name: _Patient(getattr(stores, port.name)) for port in attrs.fields(Stores)}
    return Stores(**ports)


class FaultyClock:
    """A clock that jumps, and stays off by as much until it jumps again; it never shows a time before 1970."""

    def __init__(self, clock: Clock, injector: Injector) -> None:
        self._clock, self._injector = clock, injector
        self._offset = 0

    def now(self) -> int:
        if self._injector.fault("clock", "now"):
            self._offset = self._injector.random.randint(-FARTHEST_JUMP, FARTHEST_JUMP)
        return max(self._clock.now() + self._offset, 0)


def _port(name: str, target: Any, injector: Injector) -> Any:
    # Any, since one proxy stands for every port: what it lacks by its type, it has from what it wraps.
    return (_FaultyQueue if name == "queue" else _Faulty)(name, target, injector)


class _Patient:
    """A port whose calls are made again as long as they fail for now."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, method: str) -> Callable[..., Any]:
        inner: Callable[..., Any] = getattr(self._target, method)

        def call(*args: Any, **keywords: Any) -> Any:
            for _ in range(PATIENCE):
                with suppress(TransientError):
                    return inner(*args, **keywords)
            return inner(*args, **keywords)

        return call


class _Faulty:
    """A port whose calls may go wrong."""

    def __init__(self, port: str, target: Any, injector: Injector) -> None:
        self._port, self._target, self._injector = port, target, injector

    def __getattr__(self, method: str) -> Callable[..., Any]:
        inner: Callable[..., Any] = getattr(self._target, method)

        def call(*args: Any, **keywords: Any) -> Any:
            fault = self._injector.fault(self._port, method)
            return self._call(fault, method, inner, *args, **keywords)

        return call

    def _call(self, fault: Fault | None, method: str, inner: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        here = f"{self._port}.{method}"
        match fault:
            case Fault.CRASH_BEFORE:
                raise Crash(f"before {here}")
            case Fault.THROTTLED:
                raise TransientError(f"{here} was throttled")
            case Fault.CRASH_DURING | Fault.PARTIAL:
                at = BATCHES[self._port, method]
                batch = args[at] if isinstance(args[at], int | Mapping) else list(args[at])
                size = batch if isinstance(batch, int) else len(batch)
                done = self._injector.random.randint(0, size)
                inner(*args[:at], _first(batch, done), *args[at + 1 :], **keywords)
                if fault is Fault.PARTIAL:
                    raise TransientError(f"{here} did {done} of {size}")
                raise Crash(f"during {here}, {done} of {size} done")
        result = inner(*args, **keywords)
        match fault:
            case Fault.CRASH_AFTER:
                raise Crash(f"after {here}")
            case Fault.TIMED_OUT:
                raise TransientError(f"{here} timed out")
        return result


def _first(batch: int | Mapping[Any, Any] | list[Any], number: int) -> Any:
    """The first items of a batch; of one that is told by its size alone, a smaller one."""
    match batch:
        case int():
            return number
        case Mapping():
            return dict(islice(batch.items(), number))
        case _:
            return batch[:number]


class _FaultyQueue(_Faulty):
    """A queue that, moreover, delivers twice, out of order, and again what was acknowledged."""

    def __init__(self, port: str, target: Any, injector: Injector) -> None:
        super().__init__(port, target, injector)
        self._delivered: list[Message] = []

    def _call(self, fault: Fault | None, method: str, inner: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        if fault is Fault.FORGOTTEN:
            return super()._call(None, "release", self._target.release, *args, **keywords)
        result = super()._call(fault, method, inner, *args, **keywords)
        return self._received(fault, result) if method == "receive" else result

    def _received(self, fault: Fault | None, messages: Sequence[Message]) -> Sequence[Message]:
        random = self._injector.random
        received = list(messages)
        if fault is Fault.DUPLICATED and (again := [*self._delivered, *received]):
            received.insert(random.randint(0, len(received)), random.choice(again))
        elif fault is Fault.REORDERED:
            random.shuffle(received)
        self._delivered = [*self._delivered, *messages][-REMEMBERED:]
        return received
