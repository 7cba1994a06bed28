"""The template, translated: as it is by default, and with everything that is optional."""

import pytest

from .stacks import EVERYTHING, Node, translated


@pytest.fixture(scope="session")
def production() -> dict[str, Node]:
    return translated()


@pytest.fixture(scope="session")
def staging() -> dict[str, Node]:
    return translated(**EVERYTHING)
