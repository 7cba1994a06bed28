"""The registry of adapters, and the fixtures that run every contract test on each of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import attrs
import pytest

from millrace.core.ports import Stores

from ..aws.dynalite import why_not
from .aws import on_dynalite, on_moto
from .places import Opener, in_a_folder, in_memory, in_throttled_memory


@attrs.frozen
class Adapter:
    """Where the stores of an adapter are opened, given a folder; ``persistent`` ones are there again when opened again.

    ``missing`` says what lacks here that it needs, None if nothing. ``once`` is whether its queue holds a receipt once
    however often it was sent, and an old token acknowledges nothing, which the port leaves open.
    """

    name: str
    place: Callable[[Path], AbstractContextManager[Opener]]
    persistent: bool
    missing: Callable[[], str | None] = lambda: None
    once: bool = True

    def require(self) -> None:
        """Skip the test where something is missing."""
        if (reason := self.missing()) is not None:
            pytest.skip(reason)


ADAPTERS = [
    Adapter("memory", in_memory, persistent=False),
    Adapter("throttled memory", in_throttled_memory, persistent=False),
    Adapter("local", in_a_folder, persistent=True),
    Adapter("moto", on_moto, persistent=True, once=False),
    # Its feed cannot tell in which order one batch came, so it is not compared step by step.
    Adapter("dynalite", on_dynalite, persistent=False, missing=why_not),
]


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Empty stores of each adapter."""
    request.param.require()
    with request.param.place(tmp_path) as opener, opener() as opened:
        yield opened


@pytest.fixture(params=[adapter for adapter in ADAPTERS if adapter.persistent], ids=lambda adapter: adapter.name)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same stores at every call, of each adapter that keeps them."""
    request.param.require()
    with request.param.place(tmp_path) as opener:
        yield opener
