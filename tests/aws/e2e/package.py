"""The built package, and a runtime like Lambda's to run it in: nothing of the tests' own environment is in reach."""

import fcntl
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import attrs

from tests.deploy.stacks import DEPLOY

RUNTIME_MODULES = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
"""What an image of Lambda has beside the function: the runtime client and its libraries."""


@attrs.frozen
class Package:
    """``tree``: the unpacked package; ``runtime``: what Lambda has beside it."""

    tree: Path
    runtime: Path

    @property
    def python(self) -> list[str]:
        """An interpreter that knows no site-packages."""
        return [sys.executable, "-S"]


class NoUv(Exception):
    """The tool that builds packages is not installed."""


def build(folder: Path) -> Package:
    """Build it in the folder as ``make package ARCH=host`` does, once, whichever process is first.

    Raises ``NoUv`` where the tool that fetches libraries is missing.
    """
    if not (Path(sys.executable).parent / "uv").exists() and not shutil.which("uv"):
        raise NoUv("uv is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        package = Package(folder / "host", folder / "runtime")
        if not (folder / "host.zip").exists():
            command = [sys.executable, str(DEPLOY / "package.py"), "--arch", "host", "--out", str(folder)]
            subprocess.run(command, check=True, cwd=DEPLOY.parent, capture_output=True, text=True)
            package.runtime.mkdir()
            for name in RUNTIME_MODULES:
                found = _place_of(name)
                (package.runtime / found.name).symlink_to(found)
    return package


def _place_of(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None, name
    assert spec.origin is not None, name
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin
