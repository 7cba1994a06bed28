"""``shared``: stores in memory for several threads, one call at a time."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import attrs

from ...core.ports import Stores


def shared(stores: Stores) -> Stores:
    """The same stores, whose calls wait for each other. What a call returned is not changed by later ones."""
    lock = threading.RLock()
    ports: dict[str, Any] = {port.name: _Shared(getattr(stores, port.name), lock) for port in attrs.fields(Stores)}
    return Stores(**ports)


class _Shared:
    def __init__(self, target: Any, lock: threading.RLock) -> None:
        self._target, self._lock = target, lock

    def __getattr__(self, method: str) -> Callable[..., Any]:
        inner: Callable[..., Any] = getattr(self._target, method)

        @wraps(inner)
        def locked(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                return inner(*arguments, **named)

        setattr(self, method, locked)
        return locked
