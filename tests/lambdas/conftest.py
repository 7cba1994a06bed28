"""The fixture that all tests of functions share."""

from collections.abc import Iterator

import pytest

from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalogs.retail import catalog
from millrace.entrypoints.lambdas import wiring
from millrace.entrypoints.platform import Platform

from .site import SETTINGS, Clock, Site


@pytest.fixture
def site(capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    """Empty stores that all functions share."""
    clock = Clock()
    platform = Platform.assemble(catalog, memory_stores(), clock, RandomReceiptIds())
    wiring.use(platform, SETTINGS)
    yield Site(platform, clock, capsys)
    wiring.use(None)
