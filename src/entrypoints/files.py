"""Reading inputs: which files there are to process, and their bytes cut into chunks, always the same way."""

import errno
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

from ..core.decoding.bodies import DAMAGED
from .inflating import Unreadable, inflated

CHUNK_BYTES = 2 * 1024 * 1024
CHUNK_LINES = 10_000
MAX_LINE = 64 * 1024 * 1024
MAX_DOCUMENT = 256 * 1024 * 1024
STDIN = "-"

_LINES, _DOCUMENT = (".ndjson", ".jsonl"), (".json",)
_KINDS = "a .json, .ndjson or .jsonl file, or one of these with .gz"
_BLOCK = 262144

Advance = Callable[[int], None]
"""Is told of every so many bytes read from a file, as it lies on disk."""


class Readable(Protocol):
    """Bytes that come one after the other."""

    def read(self, size: int, /) -> bytes | None:
        """At most ``size`` of them, none at the end. Raises ``OSError``."""
        ...


class InputError(Exception):
    """A path cannot be processed at all; found before anything is. The message is a sentence."""


class Input(NamedTuple):
    """A file to read; ``name`` is what its receipts call it, ``size`` is in bytes on disk, 0 where not known.

    ``opened`` opens what is no file of this machine. ``version`` is something else once its bytes are others.
    """

    path: str
    name: str
    lines: bool
    gzip: bool
    size: int
    opened: Callable[[], AbstractContextManager[Readable]] | None = None
    version: str = ""


class Chunk(NamedTuple):
    """What becomes one receipt: a function of the file's bytes. ``line`` is the number of its first line."""

    body: bytes
    content_type: str
    origin: str
    line: int


class Trouble(NamedTuple):
    """A part of a file that could not be read; the message is a sentence that names the file."""

    message: str


def find_inputs(paths: Sequence[str]) -> list[Input]:
    """The files that paths name: files as given, directories recursively in name order, ``-`` for standard input.

    Within directories, what is no JSON by its name is passed over. Raises ``InputError``.
    """
    if paths.count(STDIN) > 1:
        raise InputError("Standard input (-) can be read only once.")
    return [found for path in paths for found in _find(path)]


def read(source: Input, advance: Advance = lambda _: None) -> Iterator[Chunk | Trouble]:
    """The chunks of a file in order, in memory of bounded size, and what could not be read of it.

    NDJSON is cut at line ends: each chunk is as long as 2 MiB and 10,000 lines allow, a longer line is one by itself.
    A document is one chunk. Where gzip content is damaged or cut off, the last chunk has the content type ``DAMAGED``
    and some of the bytes from there on, so that they become a dead letter.
    """
    try:
        with _opened(source) as file:
            blocks = _blocks(file, advance)
            if source.gzip:
                blocks = inflated(blocks)
            yield from _Cutter(source.name, blocks).chunks() if source.lines else _document(source.name, blocks)
    except OSError as error:
        yield Trouble(f"{source.name} cannot be read: {error.strerror or error}.")


def _find(path: str) -> Iterator[Input]:
    if path == STDIN:
        yield Input(path, path, lines=True, gzip=False, size=0)
        return
    name = printable_name(path)
    if not os.path.exists(path):
        raise InputError(f"{name} does not exist.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{name} cannot be read: permission denied.")
    if os.path.isdir(path):
        yield from _walk(path)
    elif (found := _input(path)) is None:
        raise InputError(f"{name} is not {_KINDS}. To process it as lines of JSON, use: millrace run - < {name}")
    else:
        yield found


def _walk(folder: str) -> Iterator[Input]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{printable_name(folder)} cannot be read: {error.strerror}.") from None
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)
        elif (found := _input(entry.path)) is not None and entry.is_file():
            if not os.access(entry.path, os.R_OK):
                raise InputError(f"{found.name} cannot be read: permission denied.")
            yield found


def _input(path: str) -> Input | None:
    if (kind := kind_of(path)) is None:
        return None
    lines, gzip = kind
    size, version = _stat(path)
    return Input(path, printable_name(path), lines, gzip, size, version=version)


def kind_of(name: str) -> tuple[bool, bool] | None:
    """Whether a file of that name is lines of JSON, and whether it is gzip; None where it is no JSON."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes[-2:]]
    gzip = suffixes[-1:] == [".gz"]
    kind = "".join(suffixes[:-1][-1:] if gzip else suffixes[-1:])
    return (kind in _LINES, gzip) if kind in (*_LINES, *_DOCUMENT) else None


def _stat(path: str) -> tuple[int, str]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, ""  # what is wrong with it is said when it is opened
    return found.st_size, f"{found.st_size}-{found.st_mtime_ns}"


def printable_name(path: str) -> str:
    """The path as Unicode text; bytes of it that are no UTF-8 are written as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _opened(source: Input) -> AbstractContextManager[Readable]:
    if source.opened is not None:
        return source.opened()
    if source.path == STDIN:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "it is closed")
        return nullcontext(sys.stdin.buffer)
    return open(source.path, "rb", buffering=0)


def _blocks(file: Readable, advance: Advance) -> Iterator[bytes]:
    try:
        while block := file.read(_BLOCK):
            advance(len(block))
            yield block
    except OSError as error:
        raise Unreadable(f"cannot be read to its end: {error.strerror or error}") from None


def _document(name: str, blocks: Iterable[bytes]) -> Iterator[Chunk | Trouble]:
    parts, size = [], 0
    try:
        for block in blocks:
            parts.append(block)
            size += len(block)
            if size > MAX_DOCUMENT:
                yield Trouble(f"{name} is a document of more than {MAX_DOCUMENT >> 20} MiB and was left out.")
                return
    except Unreadable as error:
        yield Trouble(f"{name} {error}; nothing of it was processed.")
        if error.rest is not None:
            yield Chunk(error.rest, DAMAGED, name, 1)
        return
    yield Chunk(b"".join(parts), "application/json", name, 1)


class _Cutter:
    """Cuts lines into chunks. Where it cuts depends on the bytes alone, not on the blocks they come in.

    What was read of a chunk is kept as it came and joined only once: copying 2 MiB takes as long as inflating them.
    """

    def __init__(self, name: str, blocks: Iterable[bytes]) -> None:
        self._name, self._blocks = name, iter(blocks)
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._line = 1
        self._ended = False
        self._trouble: Unreadable | None = None

    def chunks(self) -> Iterator[Chunk | Trouble]:
        while True:
            self._fill(CHUNK_BYTES + 1)
            if not self._size:
                break
            if self._size <= CHUNK_BYTES:  # the last one; its last line may lack its end
                end = self._size
            elif not (end := self._last_end()):
                end = self._end_of_long_line()
            if end > MAX_LINE:
                yield Trouble(f"{self._name}, line {self._line} is longer than {MAX_LINE >> 20} MiB and was left out.")
                self._skip_line()
            else:
                yield from self._cut(end)
        if self._trouble is not None:
            done = f"its lines before {self._line} were" if self._line > 1 else "nothing of it was"
            yield Trouble(f"{self._name} {self._trouble}; {done} processed.")
            if self._trouble.rest is not None:
                yield Chunk(self._trouble.rest, DAMAGED, self._name, self._line)

    def _fill(self, size: int) -> None:
        while self._size < size and not self._ended:
            try:
                part = next(self._blocks)
            except StopIteration:
                self._ended = True
            except Unreadable as error:
                self._ended, self._trouble = True, error
                # Who knows what the line would have been; nor, where the bytes are there, where the chunk would end.
                left = self._joined() if error.rest is not None else b""
                self._put_back(left[: left.rfind(b"\n") + 1])
            else:
                self._parts.append(part)
                self._size += len(part)

    def _last_end(self) -> int:
        """The last end of a line within the bytes of a chunk, 0 if there is none."""
        before = self._size
        for part in reversed(self._parts):
            before -= len(part)
            if before < CHUNK_BYTES and (end := part.rfind(b"\n", 0, CHUNK_BYTES - before) + 1):
                return before + end
        return 0

    def _cut(self, end: int) -> Iterator[Chunk]:
        body = self._taken(end)
        lines = _count_of_lines(body)
        if lines >= CHUNK_LINES:
            *_, rest = body.split(b"\n", CHUNK_LINES)
            body, lines = body[: len(body) - len(rest)], CHUNK_LINES
            self._parts.appendleft(rest)
            self._size += len(rest)
        if body and not body.isspace():
            yield Chunk(body, "application/x-ndjson", self._name, self._line)
        self._line += lines

    def _taken(self, end: int) -> bytes:
        """So many bytes from the front, which are no longer there."""
        taken, size = [], 0
        while size < end:
            part = self._parts.popleft()
            if size + len(part) > end:
                self._parts.appendleft(part[end - size :])
                part = part[: end - size]
            taken.append(part)
            size += len(part)
        self._size -= end
        return b"".join(taken)

    def _joined(self) -> bytes:
        """All that was read and not cut yet, as one part from now on."""
        self._put_back(b"".join(self._parts))
        return self._parts[0]

    def _put_back(self, whole: bytes) -> None:
        self._parts, self._size = deque([whole]), len(whole)

    def _end_of_long_line(self) -> int:
        """The end of a first line that is longer than a chunk; beyond MAX_LINE if that is too long to be read."""
        searched = CHUNK_BYTES
        while not (end := self._joined().find(b"\n", searched) + 1):
            searched = self._size
            if self._ended or searched > MAX_LINE:
                return searched
            self._fill(2 * searched)
        return end

    def _skip_line(self) -> None:
        while not (end := self._joined().find(b"\n") + 1) and not self._ended:
            self._put_back(b"")
            self._fill(1)
        self._put_back(self._joined()[end or self._size :])
        self._line += 1


def _count_of_lines(body: bytes) -> int:
    # Four times as fast as counting: what is left out is looked for by the system's memchr.
    return len(body) - len(body.replace(b"\n", b""))
