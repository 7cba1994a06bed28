"""Reading the archive: its files, and curated events wherever they are, in the store or archived.

A file holds up to ``PART`` records of one type and day, one a line, in order of sort key, as gzip; it is named by the
first that it had. No two files of a day overlap. A record may be archived and in the store as well: between being
archived and being deleted, and once it was restored. It is the same record, and what reads both shows it once.

Who reads both reads the store first: what is not there any more was archived before it was deleted, so it is found.
"""

import gzip
import zlib
from bisect import bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, unquote

import msgspec

from ..errors import StoreError
from ..exact_json import encode, exact
from ..identity import EARLIEST, LATEST, TIE, record_key
from ..ports import CuratedStore, Files, Stores
from ..records import Curated, Value
from ..times import EPOCH, to_micros
from .boundary import Boundaries, Closed, steps_of

FOLDER = "curated"
PART = 5000
"""Records in a file, at most: what is held of the archive at a time."""

DAY = 86_400_000_000
_ENDING = ".ndjson.gz"
_REMEMBERED = 4
_LONGEST = 200
_BEFORE_ALL = EARLIEST * TIE


class _Line(msgspec.Struct, omit_defaults=True, rename="camel"):
    """A record as a line of a file; the tables of deploy/stacks/lake.yaml have these names for columns."""

    event_id: str
    event_type: str
    event_time: str
    source: str
    schema_version: int
    curated_at: str
    receipt: str
    index: int
    part: int
    fields: dict[str, Value]
    subject: str | None = None


_decode = msgspec.json.Decoder(_Line, float_hook=Decimal).decode


class File(NamedTuple):
    """A file of the archive: the part of its name that stands for the type, and the sort key of its first record."""

    segment: str
    name: str
    first: int


def day_of(record: Curated) -> int:
    """The day of an event's time in UTC, counted from 1970-01-01."""
    return record.time // DAY


def prefix_of(event_type: str, day: int) -> str:
    """What the names of a type's files of a day begin with."""
    return f"day={(EPOCH + timedelta(days=day)).date().isoformat()}/type={_segment(event_type)}/"


def name_of(record: Curated) -> str:
    """The name of the file that begins with this record. Names are in order of sort keys."""
    return f"{prefix_of(record.type, day_of(record))}{record_key(record) - _BEFORE_ALL:038}{_ENDING}"


def file_of(name: str) -> File | None:
    """The file that a name says; None for a name of something else."""
    parts = name.split("/")
    if len(parts) != 3 or not (parts[1].startswith("type=") and parts[2].endswith(_ENDING)):
        return None
    digits = parts[2].removesuffix(_ENDING)
    return File(parts[1][5:], name, int(digits) + _BEFORE_ALL) if digits.isdecimal() else None


def lines_of(records: Sequence[Curated]) -> bytes:
    """Records as NDJSON."""
    return b"".join(encode(_line(record)) + b"\n" for record in records)


def packed(lines: bytes) -> bytes:
    """A file's bytes: the same for the same lines."""
    return gzip.compress(lines, compresslevel=6, mtime=0)


def read_lines(archive: Files, name: str) -> bytes | None:
    """The lines of a file; None if there is none. Raises ``StoreError`` for a damaged one."""
    body = archive.read(FOLDER, name)
    if body is None:
        return None
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise StoreError(f"the archive's file {name} is damaged: {error}") from error


def records_of(name: str, lines: bytes) -> list[Curated]:
    """The records of a file's lines. Raises ``StoreError`` for a damaged one."""
    try:
        return [_record(_decode(line)) for line in lines.splitlines()]
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError(f"the archive's file {name} is damaged: {error}") from error


class Archived:
    """Archived events, and those of the store beside them. ``remember`` and ``margin``: see ``Boundaries``."""

    def __init__(self, stores: Stores, *, remember: int = 0, margin: int = 0) -> None:
        self._curated: CuratedStore = stores.curated
        self._archive: Files = stores.archive
        self._views = stores.views
        self._boundaries = Boundaries(stores.views, remember=remember, margin=margin)
        self._known: OrderedDict[str, Mapping[int, Curated]] = OrderedDict()
        self._known_at = 0

    def closed(self, now: int) -> Closed | None:
        """What is closed to insertions ``now``; None where nothing was ever archived."""
        return self._boundaries.closed(now)

    def find(self, records: Sequence[Curated]) -> Sequence[Curated | None]:
        """For each record, in order, what is stored or archived at its key. Raises ``Unstorable`` as ``insert``."""
        found = [*self._curated.find(records)]
        lost: defaultdict[str, list[int]] = defaultdict(list)
        for place, stored in enumerate(found):
            if stored is None:
                lost[prefix_of(records[place].type, day_of(records[place]))].append(place)
        # A file is written in one step and what it has is deleted in the next, so what was missing above is in what was
        # read of a file since the step that is the latest now.
        if lost and (steps := steps_of(self._views)) != self._known_at:
            self._known.clear()
            self._known_at = steps
        for prefix, places in lost.items():
            files = self._listed(prefix)
            within: defaultdict[str, dict[int, int]] = defaultdict(dict)
            for place in places:
                key = record_key(records[place])
                if number := bisect_right(files, key, key=lambda file: file.first):
                    within[files[number - 1].name][place] = key
            for name, keys in within.items():
                held = self._held(name)
                for place, key in keys.items():
                    found[place] = held.get(key)
        return found

    def read(self, event_type: str, *, since: int = EARLIEST, until: int = LATEST + 1) -> Iterator[Curated]:
        """The archived events of a type with time in [since, until), in order of sort key; those that are in the store
        as well are among them.
        """
        yield from self._read(self._files_of(event_type), max(since * TIE, _BEFORE_ALL) - 1, until * TIE)

    def page(
        self, event_type: str, after: int | None, limit: int, *, since: int = EARLIEST, until: int = LATEST + 1
    ) -> Sequence[Curated]:
        """Up to ``limit`` events of a type, stored or archived, each once, with time in [since, until), in order of
        sort key, beyond ``after``. Fewer only where there are no more.
        """
        stored = self._curated.query(event_type, since=since, until=until, after=after, limit=limit)
        end = until * TIE if len(stored) < limit else record_key(stored[-1])
        lowest = since * TIE - 1 if after is None else max(since * TIE - 1, after)
        found: dict[int, Curated] = {}
        for record in self._read(self._files_of(event_type), lowest, end):
            found[record_key(record)] = record
            if len(found) >= limit:
                break
        if not found:
            return stored
        found.update((record_key(record), record) for record in stored)
        return [found[key] for key in sorted(found)[:limit]]

    def types(self) -> Sequence[str]:
        """The types that have files in the archive; all that have archived events are among them."""
        found: dict[str, str] = {}
        for file in self._listed("day="):
            if file.segment not in found and (name := self._type_of(file)) is not None:
                found[file.segment] = name
        return sorted(found.values())

    def events(self) -> Iterator[tuple[File, int, int]]:
        """For each file, how many events it has (counting each once however many parts it has), and how many of them
        are in the store as well.
        """
        for file in self._listed("day="):
            records = self._load(file.name)
            times = [record.time for record in records]
            held: set[int] = set()
            after: int | None = None
            while records and (
                page := self._curated.query(
                    records[0].type, since=min(times), until=max(times) + 1, after=after, limit=PART
                )
            ):
                held.update(map(record_key, page))
                after = record_key(page[-1])
            firsts = [record_key(record) for record in records if record.part == 0]
            yield file, len(firsts), len(held.intersection(firsts))

    # ------------------------------------------------------------------------------------------------------------ parts

    def _listed(self, prefix: str) -> list[File]:
        return [file for name in self._archive.names(FOLDER, prefix) if (file := file_of(name)) is not None]

    def _type_of(self, file: File) -> str | None:
        """The type that a file is of; None where neither its name nor a record says it, since it has none any more."""
        if "!" not in file.segment:
            return unquote(file.segment)
        records = self._load(file.name)
        return records[0].type if records else None

    def _files_of(self, event_type: str) -> list[File]:
        segment = _segment(event_type)
        return [file for file in self._listed("day=") if file.segment == segment]

    def _read(self, files: Sequence[File], after: int, end: int) -> Iterator[Curated]:
        """The records of one type's files with ``after`` < sort key < ``end``."""
        start = bisect_right(files, after, key=lambda file: file.first) - 1
        for file in files[max(start, 0) :]:
            if file.first >= end:
                return
            for record in self._load(file.name):
                if after < record_key(record) < end:
                    yield record

    def _held(self, name: str) -> Mapping[int, Curated]:
        """A file's records by sort key, remembered until the archive changes."""
        held = self._known.get(name)
        if held is None:
            held = self._known[name] = {record_key(record): record for record in self._load(name)}
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return held

    def _load(self, name: str) -> list[Curated]:
        lines = read_lines(self._archive, name)
        return [] if lines is None else records_of(name, lines)


def _segment(event_type: str) -> str:
    """A type in a file's name: percent-encoded, since it may be any text, and short enough to name a folder."""
    text = quote(event_type, safe="")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}!{sha256(event_type.encode()).hexdigest()[:16]}"


def _line(record: Curated) -> _Line:
    return _Line(
        event_id=record.id,
        event_type=record.type,
        event_time=_instant(record.time),
        source=record.source,
        schema_version=record.version,
        curated_at=_instant(record.curated_at),
        receipt=record.receipt,
        index=record.index,
        part=record.part,
        fields=exact(record.fields),
        subject=record.subject,
    )


def _record(line: _Line) -> Curated:
    return Curated(
        type=line.event_type,
        time=to_micros(datetime.fromisoformat(line.event_time)),
        source=line.source,
        id=line.event_id,
        part=line.part,
        version=line.schema_version,
        subject=line.subject,
        receipt=line.receipt,
        index=line.index,
        curated_at=to_micros(datetime.fromisoformat(line.curated_at)),
        fields=line.fields,
    )


def _instant(micros: int) -> str:
    # Always with the microseconds, so that texts are in the order of time.
    return (EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds").replace("+00:00", "Z")
