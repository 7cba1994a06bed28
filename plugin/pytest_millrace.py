"""The pytest plugin of Millrace: fixtures for tests of a catalog.

It is a module of its own so that pytest, which loads every plugin that is installed, does not load Millrace with it:
that is imported by the first test that asks for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from millrace import Catalog
    from millrace.testing import MemoryPlatform

OPTION = "millrace_catalog"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that names the catalog: ``millrace_catalog = shop:catalog`` in pytest's settings."""
    parser.addini(
        OPTION,
        "the catalog that the fixtures of Millrace use: module:attribute, or a .py file beside the settings",
        default="",
    )


@pytest.fixture(scope="session")
def millrace_catalog(pytestconfig: pytest.Config) -> Catalog:
    """The catalog under test: that of the setting ``millrace_catalog``; override it in conftest.py for another."""
    from millrace.entrypoints.catalogs import load_catalog

    name = pytestconfig.getini(OPTION)
    if not name:
        pytest.fail(
            f"Which catalog is tested? Set {OPTION} = module:attribute in pytest's settings, or define a fixture "
            f"{OPTION} that returns it.",
            pytrace=False,
        )
    path, colon, attribute = name.partition(":")
    return load_catalog(f"{pytestconfig.rootpath / path}{colon}{attribute}" if path.endswith(".py") else name)


@pytest.fixture
def millrace_platform(millrace_catalog: Catalog) -> MemoryPlatform:
    """A fresh platform in memory with the catalog under test (``millrace.testing.MemoryPlatform``)."""
    from millrace.testing import MemoryPlatform

    return MemoryPlatform(millrace_catalog)
