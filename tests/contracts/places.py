"""The adapters that the contracts are tested on, and where their stores are opened."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from millrace.adapters.faults import Fault, Injector, faulty, patient
from millrace.adapters.local import open_local
from millrace.adapters.memory import memory_stores
from millrace.core.ports import Stores

Opener = Callable[[], AbstractContextManager[Stores]]
"""Opens the same stores at every call, where they are kept; elsewhere new ones."""


@contextmanager
def in_memory(_: Path) -> Iterator[Opener]:
    @contextmanager
    def opened() -> Iterator[Stores]:
        yield memory_stores()

    yield opened


@contextmanager
def in_throttled_memory(_: Path) -> Iterator[Opener]:
    @contextmanager
    def opened() -> Iterator[Stores]:
        yield patient(faulty(memory_stores(), Injector(rate=0.3, kinds=[Fault.THROTTLED])))

    yield opened


@contextmanager
def in_a_folder(path: Path) -> Iterator[Opener]:
    @contextmanager
    def opened() -> Iterator[Stores]:
        with open_local(path / "store", write=True) as store:
            yield store.stores

    yield opened
