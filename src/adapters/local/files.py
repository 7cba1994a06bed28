"""Files of jobs as files: ``jobs/<job>/<name>``."""

import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from ...core.errors import StoreError
from .errors import translated


class LocalJobFiles:
    """A file gets its name when its bytes are on disk, so that it is there whole or not at all."""

    def __init__(self, folder: Path, *, write: bool) -> None:
        self._folder, self._write = folder, write
        self._numbers = count(1)

    def write(self, job: str, name: str, body: bytes) -> None:
        if not self._write:
            raise StoreError(f"the jobs in {self._folder} are open for reading only")
        path = self._folder / job / name
        temporary = path.with_name(f".{path.name}.{next(self._numbers)}")
        with translated(self._folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)

    def read(self, job: str, name: str) -> bytes | None:
        with translated(self._folder):
            try:
                return (self._folder / job / name).read_bytes()
            except FileNotFoundError:
                return None

    def names(self, job: str, prefix: str) -> Sequence[str]:
        top = self._folder / job
        with translated(self._folder):
            found = (path for path in top.rglob("*") if path.is_file() and not path.name.startswith("."))
            names = sorted(path.relative_to(top).as_posix() for path in found)
        return [name for name in names if name.startswith(prefix)]
