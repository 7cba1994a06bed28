"""The fixtures of the end-to-end tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

import millrace

from ..opened import SURROUNDINGS
from .cloud import Cloud, deployed, functions_of
from .front import Front
from .package import NoUv, build
from .stack import Stack

# Not resolved: in an editable install the package is a folder of links.
SOURCES = Path(millrace.__file__).absolute().parent.parent


@pytest.fixture(scope="session")
def standing_stack() -> Iterator[tuple[Front, Stack]]:
    """Moto with the stack in it, once for all tests of a process."""
    pytest.importorskip("awslambdaric", reason="AWS's runtime client is for Linux")
    with patch.dict(os.environ, SURROUNDINGS), deployed() as stack:
        yield stack


@pytest.fixture(scope="session")
def functions(standing_stack: tuple[Front, Stack], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The stack's functions, running from the sources."""
    folder = tmp_path_factory.mktemp("functions")
    with functions_of(*standing_stack, folder, task_root=SOURCES, python=[sys.executable]) as running:
        yield Cloud(*standing_stack, running)


@pytest.fixture
def cloud(functions: Cloud) -> Iterator[Cloud]:
    """The stack with nothing in it."""
    functions.prepare()
    with patch.dict(os.environ, functions.surroundings()):
        yield functions


@pytest.fixture(scope="session")
def packaged_functions(
    standing_stack: tuple[Front, Stack], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """The stack's functions, running from the built package."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent  # of all processes of one test run
    try:
        package = build(run / "package")
    except NoUv as missing:
        pytest.skip(f"{missing}: nothing to build the package with")
    folder = tmp_path_factory.mktemp("packaged")
    with functions_of(
        *standing_stack, folder, task_root=package.tree, path=[package.runtime], python=package.python
    ) as running:
        yield Cloud(*standing_stack, running)


@pytest.fixture
def packaged_cloud(packaged_functions: Cloud) -> Iterator[Cloud]:
    """The stack with nothing in it, and functions from the built package."""
    packaged_functions.prepare()
    with patch.dict(os.environ, packaged_functions.surroundings()):
        yield packaged_functions
