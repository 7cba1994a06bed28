"""Files as files: ``<folder>/<name>`` below a folder of the store."""

import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from ...core.errors import StoreError
from .errors import translated


class LocalFiles:
    """A file gets its name when its bytes are on disk, so that it is there whole or not at all."""

    def __init__(self, top: Path, *, write: bool) -> None:
        self._top, self._write = top, write
        self._numbers = count(1)

    def write(self, folder: str, name: str, body: bytes) -> None:
        if not self._write:
            raise StoreError(f"the files in {self._top} are open for reading only")
        path = self._top / folder / name
        temporary = path.with_name(f".{path.name}.{next(self._numbers)}")
        with translated(self._top):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)

    def read(self, folder: str, name: str) -> bytes | None:
        with translated(self._top):
            try:
                return (self._top / folder / name).read_bytes()
            except FileNotFoundError:
                return None

    def names(self, folder: str, prefix: str) -> Sequence[str]:
        top = self._top / folder
        within = top / prefix.rpartition("/")[0]  # no other folder has a name that begins like that
        with translated(self._top):
            found = (path for path in within.rglob("*") if path.is_file() and not path.name.startswith("."))
            names = sorted(path.relative_to(top).as_posix() for path in found)
        return [name for name in names if name.startswith(prefix)]
