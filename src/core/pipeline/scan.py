"""``Scanner``: the events of a receipt as views alone need them, without the records that a store would keep.

What it finds is what ``Pipeline.run`` does; only it takes half of the time for lines of events that are all in order.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress, repeat
from typing import Any, NamedTuple

import attrs
import msgspec
from msgspec import UNSET

from ..decoding.bodies import MAX_EVENT, is_binary_mode, is_lines
from ..identity import EARLIEST, LATEST
from ..records import Curated, RawObject, Value
from ..times import EPOCH
from ..views.partial import Partial
from .pipeline import Batch, Pipeline, is_current
from .plans import Plan
from .steps import FILTERED

PIECE_BYTES = 131_072
"""Decoded at once: what is made of it still lies in the processor's cache when it is looked at next."""
NO_TIME = -(2**63)
_INNER = re.compile(rb"\n(?:[^{]|(?<=[^}]\n))")
"""A line's end that may be within a value: not after } or not before {."""


class Scanned(msgspec.Struct, gc=False):
    """What measures read of an event; named as in ``Curated``."""

    type: str
    time: int
    source: str
    id: str
    part: int
    fields: dict[str, Value]


class Columns(NamedTuple):
    """Events of one type that each came to one record, column by column; ``events`` makes objects of them."""

    type: str
    times: Sequence[int]
    fields: Sequence[dict[str, Value]]
    events: Callable[[], Sequence[Any]]

    def fresh(self, fresh: Sequence[int]) -> "Columns":
        """Those of the events that are new (1, not 0)."""
        chosen = [*compress(self.times, fresh)], [*compress(self.fields, fresh)]
        return Columns(self.type, *chosen, lambda: [*compress(self.events(), fresh)])


@attrs.frozen
class Scan:
    """Some events of a receipt: ``records``, or where all are alike ``columns``.

    ``times`` and ``ties`` are their identities: the time (``NO_TIME`` where source and id alone decide), and 64 bits of
    a hash that is the same in this process and in those forked from it. ``parts`` are the further records of events by
    place. ``seen`` counts all events, ``rejected`` those that were, by reason.
    """

    times: Sequence[int]
    ties: Sequence[int]
    seen: int
    columns: Columns | None = None
    records: Sequence[Any] = ()
    parts: Mapping[int, Sequence[Curated]] = {}
    filtered: int = 0
    rejected: Counter[str] = attrs.field(factory=Counter)

    @classmethod
    def of(cls, batch: Batch) -> "Scan":
        """What the pipeline made of some documents."""
        records = batch.records
        times = [record.time for record in records]
        ties = [hash((record.type, record.source, record.id)) for record in records]
        for place in batch.unmarked:
            times[place], ties[place] = NO_TIME, hash((records[place].source, records[place].id))
        rejected = Counter(letter.reason for letter in batch.letters)
        return cls(times, ties, batch.events, None, records, batch.parts, batch.filtered, rejected)

    @property
    def events(self) -> Sequence[Any]:
        """The first record of each event."""
        return self.records if self.columns is None else self.columns.events()

    def fold_into(self, views: Partial, fresh: Sequence[int]) -> None:
        """Fold the events that are new (1, not 0) into views, with all their parts."""
        if self.columns is not None:
            views.fold_columns(self.columns.fresh(fresh))
            return
        kept = [*compress(self.records, fresh)]
        views.fold(kept + [part for place in sorted(self.parts) if fresh[place] for part in self.parts[place]])


class Scanner:
    """Scans receipts with a compiled catalog."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def scan(self, raw: RawObject) -> Iterator[Scan]:
        """The events of a receipt, as many at a time as the processor's cache holds well."""
        seen = 0
        for start, end in pieces(raw):
            scan = self.piece(raw, start, end, seen)
            seen += scan.seen
            yield scan

    def piece(self, raw: RawObject, start: int, end: int, before: int | None = None) -> Scan:
        """The events of one of the ``pieces`` of a receipt; ``before`` is how many events come before, if known."""
        at = raw.receipt.received_at
        if not _is_cut(raw):
            return Scan.of(self._pipeline.run(raw, at))
        body = raw.body[start:end]
        if (scan := self._at_once(body, raw.receipt.source)) is not None:
            return scan
        if before is None:
            before = len(_lines(raw.body[:start]))
        return Scan.of(self._pipeline.run_some(raw, _lines(body), before, at))

    def _at_once(self, piece: bytes, source: str) -> Scan | None:
        """Lines that hold events of one form and type, all in order; None where they do not."""
        # Between } and { ends a value: no value has the two next to each other. So every line begins with one.
        if len(piece) > MAX_EVENT or piece[:1] != b"{" or _INNER.search(piece, 0, len(piece) - 1) is not None:
            return None
        # Four times as fast as counting them: what is left out is looked for by the system's memchr.
        count = len(piece) - len(piece.replace(b"\n", b"")) + (not piece.endswith(b"\n"))
        lanes: Any = self._pipeline.lanes
        try:
            twins: list[Any] = lanes.first.__self__.decode_lines(piece)
            plan: Plan = lanes.plans[twins[0].__class__]
            if len(twins) != count or len({*map(type, twins)}) > 1 or plan.by_id:
                return None
            datas = [twin.data for twin in twins]
            fields: list[Any] = [*map(plan.step, twins if datas[0] is UNSET else datas)]
            since = [twin.e_time - EPOCH for twin in twins]
            ids = [twin.e_id for twin in twins]
            versions = {twin.e_version for twin in twins}
        except Exception:  # also of user code; the careful way finds out which, and says so
            return None
        times = [s.days * 86_400_000_000 + s.seconds * 1_000_000 + s.microseconds for s in since]
        if (
            None in fields
            or FILTERED in fields
            or not all(ids)
            or not all(plan.takes_unversioned if v is UNSET else is_current(v, plan) for v in versions)
            or not EARLIEST <= min(times) <= max(times) <= LATEST
        ):
            return None
        name, sources = plan.name, [twin.e_source or source for twin in twins]
        ties = [*map(hash, zip(repeat(name), sources, ids, strict=False))]
        events = partial(map, Scanned, repeat(name), times, sources, ids, repeat(0), fields)
        return Scan(times, ties, count, Columns(name, times, fields, lambda: [*events()]))


def pieces(raw: RawObject) -> Iterator[tuple[int, int]]:
    """Where the bytes of a receipt are cut: at ends of lines, if they are lines of events; else they are one piece."""
    body, start = raw.body, 0
    if not _is_cut(raw):
        start = len(body)
        yield 0, start
    while start < len(body):
        end = body.rfind(b"\n", start, start + PIECE_BYTES) + 1 or body.find(b"\n", start) + 1 or len(body)
        yield start, end
        start = end


def _is_cut(raw: RawObject) -> bool:
    return raw.receipt.foreign is None and is_lines(raw.receipt.content_type) and not is_binary_mode(raw)


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]
