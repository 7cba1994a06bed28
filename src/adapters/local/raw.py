"""The raw log as files: ``raw/<hour>/<receipt id>.raw``, a JSON line of the receipt and then the exact bytes."""

import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

import msgspec

from ...core.errors import PermanentError, ReceiptConflict, StoreError, UnknownReceipt
from ...core.records import RawObject, Receipt
from .errors import translated

SUFFIX = ".raw"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}", re.ASCII)
_LAST_MILLISECOND = 253_402_300_799_999
_decode_receipt = msgspec.json.Decoder(Receipt).decode


class LocalRaw:
    """Immutable files. A file gets its name by a hard link, made when its bytes are on disk and never over another."""

    def __init__(self, folder: Path, *, write: bool) -> None:
        """A writer creates the folder and removes what an interrupted append left behind."""
        self._folder = folder
        self._temporary = folder / "tmp"
        self._write = write
        self._names = count(1)
        self._durable_hours: set[str] = set()
        self._listed: tuple[str, int, Sequence[str]] | None = None
        self._lock = threading.Lock()
        if write:
            with translated(folder):
                self._temporary.mkdir(parents=True, exist_ok=True)
                for stray in self._temporary.iterdir():
                    stray.unlink()
                _sync(folder.parent)

    def append(self, raw: RawObject) -> None:
        if not self._write:
            raise StoreError(f"the raw log {self._folder} is open for reading only")
        receipt = raw.receipt.id
        hour = _hour_of(receipt)
        try:
            header = msgspec.json.encode(raw.receipt)
        except UnicodeEncodeError as error:
            raise PermanentError(f"receipt {receipt} holds text that is no Unicode: {error}") from error
        temporary = self._temporary / f"{receipt}.{next(self._names)}"
        with translated(self._folder):
            self._make_durable(hour)
            try:
                with open(temporary, "xb") as file:
                    file.write(header + b"\n")
                    file.write(raw.body)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(temporary, self._folder / hour / f"{receipt}{SUFFIX}")
            except FileExistsError:
                if self.read(receipt) != raw:
                    raise ReceiptConflict(f"receipt {receipt} is taken by other bytes") from None
            finally:
                temporary.unlink(missing_ok=True)
            # Also where the file was there already: the attempt that linked it may have died before this line.
            _sync(self._folder / hour)

    def read(self, receipt: str) -> RawObject:
        path = self._folder / _hour_of(receipt) / f"{receipt}{SUFFIX}"
        with translated(self._folder):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                raise UnknownReceipt(f"there is no receipt {receipt}") from None
        header, _, body = content.partition(b"\n")
        try:
            return RawObject(_decode_receipt(header), body)
        except msgspec.MsgspecError as error:
            raise StoreError(f"the raw log is damaged: {path} does not start with a receipt ({error})") from error

    def list(self, *, since: int, until: int, after: str | None, limit: int) -> Sequence[str]:
        """As the port says, from names alone: no file is opened, and one hour's names are in memory at a time."""
        if since >= until:
            return []
        with translated(self._folder):
            return [*islice(self._ids(since, until, after or ""), max(limit, 0))]

    def _ids(self, since: int, until: int, after: str) -> Iterator[str]:
        first = _hour_name(since // 1000)
        if _ID.fullmatch(after):
            first = max(first, _hour_name(_millisecond(after)))
        last = _hour_name(-(-until // 1000))
        with os.scandir(self._folder) as entries:
            hours = sorted(entry.name for entry in entries if _HOUR.fullmatch(entry.name))
        for hour in hours:
            if not first <= hour <= last:
                continue
            for receipt in self._hour(hour):
                millisecond = _millisecond(receipt)
                if receipt > after and since // 1000 <= millisecond and millisecond * 1000 < until:
                    yield receipt

    def _hour(self, hour: str) -> Sequence[str]:
        """The ids of one hour in order. The last hour asked for is kept, so that paging through it is linear."""
        changed = os.stat(self._folder / hour).st_mtime_ns
        with self._lock:
            kept = self._listed
        if kept is not None and kept[:2] == (hour, changed):
            return kept[2]
        with os.scandir(self._folder / hour) as entries:
            names = (entry.name.removesuffix(SUFFIX) for entry in entries if entry.name.endswith(SUFFIX))
            ids = sorted(name for name in names if _ID.fullmatch(name))
        # A folder's time moves in ticks: within the same tick a further file would go unnoticed.
        if time.time_ns() - changed > 2_000_000_000:
            with self._lock:
                self._listed = (hour, changed, ids)
        return ids

    def _make_durable(self, hour: str) -> None:
        if hour not in self._durable_hours:
            (self._folder / hour).mkdir(exist_ok=True)
            _sync(self._folder)
            self._durable_hours.add(hour)


def _sync(folder: Path) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _millisecond(receipt: str) -> int:
    return int(receipt[:8] + receipt[9:13], 16)


def _hour_of(receipt: str) -> str:
    """The folder of a receipt. Raises ``UnknownReceipt`` for what is no UUIDv7, so that no id is ever a path."""
    if not _ID.fullmatch(receipt) or _millisecond(receipt) > _LAST_MILLISECOND:
        raise UnknownReceipt(f"{receipt!r} is no receipt id: those are UUIDs of version 7 in lower case")
    return _hour_name(_millisecond(receipt))


def _hour_name(millisecond: int) -> str:
    """The UTC hour of an instant; instants outside the years 1970 to 9999 get the nearest hour."""
    second = min(max(millisecond, 0), _LAST_MILLISECOND) // 1000
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H")
