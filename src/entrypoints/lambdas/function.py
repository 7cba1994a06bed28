"""``function``: what all functions share: wiring, one log line for what fails, metrics, traces, no data in errors."""

from collections.abc import Callable, Sequence
from functools import wraps
from time import monotonic_ns
from typing import Any, Final

import attrs

from ...core.errors import MillraceError, PermanentError
from ..logs import place_of
from .initialization import process_milliseconds
from .logs import logger
from .measures import Measure
from .metrics import Metrics
from .settings import Settings, is_initializing, is_sampled
from .wiring import Services, start, wired

UNKNOWN: Final = "unknown"


class FunctionError(PermanentError):
    """Something failed that nobody foresaw. Tells its class and place: its message might quote an event."""


@attrs.define
class Invocation:
    """One call of a function. ``log`` has the keys that all lines share; ``annotations`` are for its trace."""

    settings: Settings
    services: Services
    log: Any
    metrics: Metrics
    started: int = attrs.field(factory=monotonic_ns)
    annotations: dict[str, str] = attrs.field(factory=dict)

    def milliseconds(self) -> int:
        """How long it has taken so far."""
        return (monotonic_ns() - self.started) // 1_000_000


Handle = Callable[[Any, Invocation], Any]
Handler = Callable[[Any, Any], Any]


def function(
    name: str, *needed: str, services: Sequence[str] = (), clients: Sequence[str] = ()
) -> Callable[[Handle], Handler]:
    """Make a Lambda handler of a function of (event, invocation). ``needed``: the settings it cannot do without.

    On Lambda, ``services`` and ``clients`` are made before the first event comes: with provisioned concurrency no event
    waits for them, and a setting that is missing is told at once.

    Errors of Millrace pass; Step Functions goes by the names of their classes. Others become ``FunctionError``.
    """
    if is_initializing():
        start(needed, services, clients)

    def decorate(handle: Handle) -> Handler:
        cold = True
        initialization = process_milliseconds() if is_initializing() else None

        @wraps(handle)
        def handler(event: Any, context: Any) -> Any:
            nonlocal cold
            log = logger(
                function=name,
                function_request_id=getattr(context, "aws_request_id", UNKNOWN),
                cold_start=cold,
            )
            metrics = Metrics(name)
            metrics.count(Measure.COLD_START, int(cold))
            if cold and initialization is not None:
                metrics.milliseconds(Measure.INITIALIZATION, initialization)
            cold, environment = False, UNKNOWN
            try:
                settings, services = wired(*needed)
                environment = settings.environment
                invocation = Invocation(settings, services, log, metrics)
                return _call(name, lambda: _told(handle, event, invocation), invocation)
            except MillraceError as error:
                log.error("invocation.failed", error=type(error).__name__, cause=str(error))
                raise
            finally:
                metrics.flush(environment)

        return handler

    return decorate


def _call(name: str, call: Callable[[], Any], invocation: Invocation) -> Any:
    if not is_sampled():
        return call()
    from .tracing import traced

    return traced(name, call, invocation.annotations)


def _told(handle: Handle, event: Any, invocation: Invocation) -> Any:
    try:
        return handle(event, invocation)
    except MillraceError:
        raise
    except Exception as error:  # the boundary: from here an error goes into logs, traces and answers of AWS
        raise FunctionError(f"{type(error).__name__} at {place_of(error)}") from None
