"""The raw log as files: ``raw/<hour>/<receipt id>.raw``, a JSON line of the receipt and then the exact bytes.

Receipts that are appended together share a file, and its way to the disk: see ``groups``.
"""

import os
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count, groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import msgspec

from ...core.errors import PermanentError, ReceiptConflict, StoreError, UnknownReceipt
from ...core.records import RawObject, Receipt
from . import groups
from .errors import translated
from .hours import HOUR, ID, hour_at, hour_of, millisecond_of

SUFFIX = ".raw"
_TICK = 2_000_000_000
"""Nanoseconds: a folder's time moves in ticks, and within the same tick a further file would go unnoticed."""
_decode_receipt = msgspec.json.Decoder(Receipt).decode


class _Appended(NamedTuple):
    """A receipt on its way into the log, and the line that says what it is."""

    raw: RawObject
    header: bytes

    @property
    def id(self) -> str:
        return self.raw.receipt.id

    @property
    def hour(self) -> str:
        return hour_of(self.id)

    @classmethod
    def of(cls, raw: RawObject) -> "_Appended":
        try:
            return cls(raw, msgspec.json.encode(raw.receipt))
        except UnicodeEncodeError as error:
            raise PermanentError(f"receipt {raw.receipt.id} holds text that is no Unicode: {error}") from error

    @property
    def content(self) -> Sequence[bytes]:
        return self.header, b"\n", self.raw.body


_id, _hour = attrgetter("id"), attrgetter("hour")


class LocalRaw:
    """Immutable files. A file gets its name by a hard link, made when its bytes are on disk and never over another.

    At any time one object at most, of all processes, appends to a log; any number may read it.
    """

    def __init__(self, folder: Path, *, write: bool) -> None:
        """A writer creates the folder and removes what an interrupted append left behind."""
        self._folder = folder
        self._temporary = folder / "tmp"
        self._write = write
        self._names = count(1)
        self._durable_hours: set[str] = set()
        self._listed: tuple[str, int, Sequence[str]] | None = None
        self._opened: tuple[str, dict[str, Sequence[str]]] = "", {}
        self._groups: dict[str, tuple[int, groups.Spans]] = {}
        self._reader = groups.Reader()
        self._lock = threading.Lock()
        if write:
            with translated(folder):
                self._temporary.mkdir(parents=True, exist_ok=True)
                for stray in self._temporary.iterdir():
                    stray.unlink()
                _sync(folder.parent)

    def append(self, raw: RawObject) -> None:
        self.append_all([raw])

    def append_all(self, raws: Sequence[RawObject]) -> None:
        if not self._write:
            raise StoreError(f"the raw log {self._folder} is open for reading only")
        given = [*map(_Appended.of, raws)]
        with translated(self._folder):
            first = {each.id: each for each in reversed(given)}
            grouped = set[str]()
            for hour, members in groupby(sorted(first.values(), key=_id), _hour):
                listed = [*members]
                if len(listed) > 1 and not any(self._is_there(each.id) for each in listed):
                    self._append_group(hour, listed)
                    grouped.update(map(_id, listed))
            for each in given:
                if each.id not in grouped or first[each.id] is not each:
                    self._append_one(each)

    def read(self, receipt: str) -> RawObject:
        folder = self._folder / hour_of(receipt)
        path = folder / f"{receipt}{SUFFIX}"
        with translated(self._folder):
            try:
                content: bytes | None = path.read_bytes()
            except FileNotFoundError:
                content = self._grouped(receipt)
        if content is None:
            raise UnknownReceipt(f"there is no receipt {receipt}")
        header, _, body = content.partition(b"\n")
        try:
            return RawObject(_decode_receipt(header), body)
        except msgspec.MsgspecError as error:
            raise StoreError(f"the raw log is damaged: in {folder}, {receipt} is no receipt ({error})") from error

    def list(self, *, since: int, until: int, after: str | None, limit: int) -> Sequence[str]:
        """As the port says, from names alone but for groups; one hour's ids are in memory at a time."""
        if since >= until:
            return []
        with translated(self._folder):
            return [*islice(self._ids(since, until, after or ""), max(limit, 0))]

    def _append_group(self, hour: str, members: Sequence[_Appended]) -> None:
        span = groups.Span(members[0].id, members[-1].id)
        self._place(hour, span.name, groups.pieces([(each.id, each.content) for each in members]))
        with self._lock:
            if hour in self._groups:
                self._groups[hour][1].add(span)

    def _append_one(self, each: _Appended) -> None:
        if self._grouped(each.id, look=False) is None:
            with suppress(FileExistsError):
                self._place(each.hour, f"{each.id}{SUFFIX}", each.content)
                return
        if self.read(each.id) != each.raw:
            raise ReceiptConflict(f"receipt {each.id} is taken by other bytes")
        # The attempt that gave the file its name may have died before the name was on disk.
        _sync(self._folder / each.hour)

    def _place(self, hour: str, name: str, content: Iterable[bytes]) -> None:
        """Put a file under its name, durably. Raises ``FileExistsError``."""
        temporary = self._temporary / f"{name}.{next(self._names)}"
        self._make_durable(hour)
        try:
            with open(temporary, "xb") as file:
                file.write(b"".join(content))
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, self._folder / hour / name)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(self._folder / hour)

    def _is_there(self, receipt: str) -> bool:
        path = self._folder / hour_of(receipt) / f"{receipt}{SUFFIX}"
        return path.exists() or self._grouped(receipt, look=False) is not None

    def _grouped(self, receipt: str, *, look: bool = True) -> bytes | None:
        """What a group holds of a receipt; None where none does, or without ``look`` none that is known."""
        hour = hour_of(receipt)
        with self._lock:
            known = self._groups.get(hour)
        if known is not None and (content := self._within(hour, known[1], receipt)) is not None:
            return content
        if known is not None and not look:
            return None
        changed = _time_of(self._folder / hour)
        if changed is None or (known is not None and known[0] == changed):
            return None
        with self._lock:
            spans = groups.Spans(os.listdir(self._folder / hour))
            settled = time.time_ns() - changed > _TICK
            self._groups = {**dict([*self._groups.items()][-9:]), hour: (changed if settled else 0, spans)}
        return self._within(hour, spans, receipt)

    def _within(self, hour: str, spans: groups.Spans, receipt: str) -> bytes | None:
        for span in spans.around(receipt):
            if (content := self._reader.content(self._folder / hour / span.name, receipt)) is not None:
                return content
        return None

    def _ids(self, since: int, until: int, after: str) -> Iterator[str]:
        first = hour_at(since // 1000)
        if ID.fullmatch(after):
            first = max(first, hour_at(millisecond_of(after)))
        last = hour_at(-(-until // 1000))
        with os.scandir(self._folder) as entries:
            hours = sorted(entry.name for entry in entries if HOUR.fullmatch(entry.name))
        for hour in hours:
            if not first <= hour <= last:
                continue
            ids = self._hour(hour)
            for place in range(bisect_right(ids, after), len(ids)):
                millisecond = millisecond_of(receipt := ids[place])
                if since // 1000 <= millisecond and millisecond * 1000 < until:
                    yield receipt

    def _hour(self, hour: str) -> Sequence[str]:
        """The ids of one hour in order. The last hour asked for is kept, so that paging through it is linear."""
        folder = self._folder / hour
        changed = os.stat(folder).st_mtime_ns
        with self._lock:
            kept = self._listed
        if kept is not None and kept[:2] == (hour, changed):
            return kept[2]
        names = os.listdir(folder)
        found = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
        found = {name for name in found if ID.fullmatch(name)}
        # A group never changes, so that none is opened twice while the hour is paged through.
        opened = self._opened[1] if self._opened[0] == hour else {}
        for span in groups.Spans(names):
            if span.name not in opened:
                opened[span.name] = groups.ids_in(folder / span.name)
            found.update(opened[span.name])
        self._opened = hour, opened
        ids = sorted(found)
        if time.time_ns() - changed > _TICK:
            with self._lock:
                self._listed = (hour, changed, ids)
        return ids

    def _make_durable(self, hour: str) -> None:
        if hour not in self._durable_hours:
            (self._folder / hour).mkdir(exist_ok=True)
            _sync(self._folder)
            self._durable_hours.add(hour)


def _time_of(folder: Path) -> int | None:
    """When a folder changed, in nanoseconds; None where there is none."""
    try:
        return os.stat(folder).st_mtime_ns
    except FileNotFoundError:
        return None


def _sync(folder: Path) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
