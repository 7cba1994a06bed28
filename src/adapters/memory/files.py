"""Files of jobs in a dictionary."""

from collections.abc import Sequence


class MemoryJobFiles:
    """Bodies by job and name."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], bytes] = {}

    def write(self, job: str, name: str, body: bytes) -> None:
        self._files[job, name] = body

    def read(self, job: str, name: str) -> bytes | None:
        return self._files.get((job, name))

    def names(self, job: str, prefix: str) -> Sequence[str]:
        return sorted(name for of, name in self._files if of == job and name.startswith(prefix))
