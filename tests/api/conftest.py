"""The fixture that the suite of the API runs with: the same catalog behind both of its servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import Server, functions, served

CATALOG = str(Path(__file__).with_name("shop.py"))


@pytest.fixture(scope="session", params=["functions", "serve"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an empty store."""
    with (
        functions(CATALOG) if request.param == "functions" else served(CATALOG, tmp_path_factory.mktemp("serve"))
    ) as running:
        yield running
