"""Groups: files of the raw log that hold several receipts, which were appended together.

``<lowest id>_<highest id>.group`` begins with a line of JSON that says of each receipt where it is: [id, start,
length], in order of id, the start counted from the end of that line. There stands what a file of its own would hold: a
JSON line of the receipt and then the exact bytes.
"""

import re
import threading
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import msgspec

from ...core.errors import StoreError

SUFFIX = ".group"
_LONGEST_INDEX = 64 * 1024 * 1024
_NAME = re.compile(r"([0-9a-f-]{36})_([0-9a-f-]{36})\.group", re.ASCII)

Entry: TypeAlias = tuple[str, int, int]
_decode_index = msgspec.json.Decoder(list[Entry]).decode


class Span(NamedTuple):
    """The lowest and the highest id of a group."""

    low: str
    high: str

    @property
    def name(self) -> str:
        return f"{self.low}_{self.high}{SUFFIX}"


class Spans:
    """The groups of one hour, so that those which may hold a receipt are found without opening any."""

    def __init__(self, names: Iterable[str]) -> None:
        self._spans = sorted(Span(*found.groups()) for name in names if (found := _NAME.fullmatch(name)))
        self._highest = [*accumulate((span.high for span in self._spans), max)]
        self._lock = threading.Lock()

    def add(self, span: Span) -> None:
        """A group was written."""
        with self._lock:
            if not self._spans or span >= self._spans[-1]:
                self._spans.append(span)
                self._highest.append(max(span.high, self._highest[-1] if self._highest else ""))
            else:
                insort(self._spans, span)
                self._highest = [*accumulate((each.high for each in self._spans), max)]

    def around(self, receipt: str) -> Sequence[Span]:
        """The groups in whose span the receipt is."""
        found = []
        with self._lock:
            at = bisect_right(self._spans, (receipt, "~"))
            while at > 0 and self._highest[at - 1] >= receipt:  # from there on down, none reaches as high
                at -= 1
                if self._spans[at].high >= receipt:
                    found.append(self._spans[at])
        return found

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)


def pieces(contents: Sequence[tuple[str, Sequence[bytes]]]) -> Iterator[bytes]:
    """The bytes of a group of receipts in order of id, each with what a file of its own would hold, in pieces."""
    start, index = 0, list[Entry]()
    for receipt, parts in contents:
        length = sum(map(len, parts))
        index.append((receipt, start, length))
        start += length
    yield msgspec.json.encode(index) + b"\n"
    for _, parts in contents:
        yield from parts


def ids_in(path: Path) -> Sequence[str]:
    """The receipts of a group, in order. Raises ``StoreError`` for what is no group."""
    with path.open("rb") as file:
        return [receipt for receipt, _, _ in _index(file, path)]


class Reader:
    """Reads receipts from groups. Those of one group are mostly read one after the other: its index is kept."""

    def __init__(self) -> None:
        self._last: tuple[Path, int, dict[str, tuple[int, int]]] | None = None

    def content(self, path: Path, receipt: str) -> bytes | None:
        """What a group holds of a receipt; None if it is not in it. Raises ``StoreError`` for what is no group."""
        last = self._last
        with path.open("rb") as file:
            if last is None or last[0] != path:
                places = {name: (start, length) for name, start, length in _index(file, path)}
                last = self._last = path, file.tell(), places
            _, first, places = last
            if receipt not in places:
                return None
            start, length = places[receipt]
            file.seek(first + start)
            content = file.read(length)
        if len(content) < length:
            raise StoreError(f"the raw log is damaged: {path} is cut off")
        return content


def _index(file: BinaryIO, path: Path) -> list[Entry]:
    try:
        return _decode_index(file.readline(_LONGEST_INDEX))
    except msgspec.MsgspecError as error:
        raise StoreError(f"the raw log is damaged: {path} does not start with its index ({error})") from error
