"""The registry of adapters, and the fixtures that run every contract test on each of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import attrs
import pytest

from millrace.adapters.faults import Fault, Injector, faulty, patient
from millrace.adapters.local import open_local
from millrace.adapters.memory import memory_stores
from millrace.core.ports import Stores


@attrs.frozen
class Adapter:
    """How to open the stores of an adapter in a folder; ``persistent`` ones are there again when opened again."""

    name: str
    open: Callable[[Path], AbstractContextManager[Stores]]
    persistent: bool


@contextmanager
def _memory(_: Path) -> Iterator[Stores]:
    yield memory_stores()


@contextmanager
def _throttled(_: Path) -> Iterator[Stores]:
    yield patient(faulty(memory_stores(), Injector(rate=0.3, kinds=[Fault.THROTTLED])))


@contextmanager
def _local(path: Path) -> Iterator[Stores]:
    with open_local(path, write=True) as store:
        yield store.stores


ADAPTERS = [
    Adapter("memory", _memory, persistent=False),
    Adapter("throttled memory", _throttled, persistent=False),
    Adapter("local", _local, persistent=True),
]


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Empty stores of each adapter."""
    with request.param.open(tmp_path / "store") as opened:
        yield opened


@pytest.fixture(params=[adapter for adapter in ADAPTERS if adapter.persistent], ids=lambda adapter: adapter.name)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractContextManager[Stores]]:
    """Opens the same stores at every call, of each adapter that keeps them."""
    return lambda: request.param.open(tmp_path / "store")
