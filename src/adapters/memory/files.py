"""Files in a dictionary."""

from collections.abc import Sequence


class MemoryFiles:
    """Bodies by folder and name."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], bytes] = {}

    def write(self, folder: str, name: str, body: bytes) -> None:
        self._files[folder, name] = body

    def read(self, folder: str, name: str) -> bytes | None:
        return self._files.get((folder, name))

    def names(self, folder: str, prefix: str) -> Sequence[str]:
        return sorted(name for of, name in self._files if of == folder and name.startswith(prefix))
