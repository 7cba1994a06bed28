"""Where programs in JavaScript are run that use the CloudEvents SDK."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MODULES = Path(__file__).parents[1] / "aws" / "npm" / "node_modules"


@contextmanager
def javascript(directory: Path) -> Iterator[str]:
    """The path of node, while programs in the directory find the SDK."""
    node = shutil.which("node")
    if node is None or not (MODULES / "cloudevents").is_dir():
        pytest.skip("there is no node, or no CloudEvents SDK for it: make .venv/npm, which needs npm")
    link = directory / "node_modules"
    link.symlink_to(MODULES)
    try:
        yield node
    finally:
        link.unlink()
