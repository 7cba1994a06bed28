"""``MemoryPlatform``: a whole platform in memory, for tests of a catalog."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from ..adapters.memory import memory_stores
from ..core.catalog import Catalog
from ..core.catalog.curation import as_records
from ..core.identity import EARLIEST, LATEST
from ..core.pipeline.pipeline import Pipeline
from ..core.records import Curated, LedgerEntry
from ..core.services.generations import Generations
from ..core.views.projection import results
from ..entrypoints.files import InputError, Trouble, find_inputs, read
from ..entrypoints.letters import letter_row
from ..entrypoints.origins import origins
from ..entrypoints.platform import Platform
from ..entrypoints.rows import event_row, view_row
from .surroundings import CountedIds, StandingClock

START: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
SOURCE: Final = "test"
_COUNTS = ("events", "curated", "duplicate", "filtered", "dead_lettered")
_ALL: Final = 10**9


class MemoryPlatform:
    """A platform in memory: what is sent to it is processed as everywhere else, and gone with the object.

    Its clock stands still (at ``now``, by default noon of 2026-11-23, UTC) until it is set or advanced, and its ids
    count: the same calls give the same results. Everything is shown as plain dicts with exact numbers, and whatever
    reads processes first what was sent. ``platform`` is the platform itself, for everything else.

    Raises ``CatalogError`` where the catalog's declarations do not fit together.
    """

    def __init__(self, catalog: Catalog, *, now: datetime = START) -> None:
        self._clock = StandingClock(now)
        self.platform = Platform.assemble(
            catalog, memory_stores(), self._clock, CountedIds(), pipeline=compiled(catalog)
        )

    @property
    def now(self) -> datetime:
        """The platform's time, in UTC; an event without a time of its own happened when it was received."""
        return self._clock.instant

    @now.setter
    def now(self, instant: datetime) -> None:
        self._clock.set(instant)

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._clock.set(self._clock.instant + by)

    def send(
        self,
        *events: Mapping[str, Any] | bytes | str,
        source: str = SOURCE,
        foreign: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Accept one request with these events, as ``POST /ingest`` does, and return its receipt.

        An event is a dict (plain, or a CloudEvent; dates, UUIDs, Decimals in it are written as JSON has them), or JSON
        as text or bytes. ``source`` is that of events that name none, ``foreign`` the catalog's source that maps the
        documents, ``key`` the idempotency key. Raises ``NothingAccepted`` where nothing in it is an event, and
        ``BodyError`` for a body that is too large: then nothing is kept.
        """
        return self.platform.ingest.request(
            b"\n".join(map(document_of, events)),
            source=source,
            content_type="application/x-ndjson",
            foreign=foreign,
            idempotency_key=key,
            headers=headers,
        ).receipt

    def run(self, *paths: Path | str, source: str | None = None) -> dict[str, Any]:
        """Process files or directories as ``millrace run`` does, and say what became of their events (``drain``).

        What is no event becomes a dead letter. Raises ``InputError`` for a file that cannot be read.
        """
        for found in find_inputs([*map(str, paths)]):
            for chunk in read(found):
                if isinstance(chunk, Trouble):
                    raise InputError(chunk.message)
                self.platform.ingest.chunk(
                    chunk.body,
                    source=source or SOURCE,
                    content_type=chunk.content_type,
                    origin=chunk.origin,
                    line=chunk.line,
                    foreign=source if source in self.platform.catalog.sources else None,
                )
        return self.drain()

    def drain(self) -> dict[str, Any]:
        """Process all that was accepted, and say what became of it: {"receipts", "events", "curated", "duplicate",
        "filtered", "dead_lettered", "dead_letters": {REASON: n}}; nothing of what was processed before.
        """
        return _summary(self.platform.work.drain())

    @property
    def outcomes(self) -> dict[str, Any]:
        """What became of everything that was ever accepted, as ``drain`` says it."""
        self.drain()
        return _summary(self.platform.stores.ledger.list(after=None, limit=_ALL))

    def events(self, of: type | str | None = None) -> list[dict[str, Any]]:
        """The curated events of a type (its class or its name; None: of every type), in order of time: the envelope
        (eventId, eventType, eventTime, …) and the curated fields. Raises ``LookupError`` for a type that there is not.
        """
        self.drain()
        catalog = self.platform.catalog
        names = sorted(catalog.declared) if of is None else [type_named(catalog, of)]
        return [event_row(record) for name in names for record in self.records(name)]

    def view(self, name: str, *, by: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """The rows of a view by window and group: {"window", "group": {FIELD: value}, MEASURE: value…}; ``by`` merges
        them to groups of fewer fields. Raises ``LookupError`` for a view that there is not.
        """
        self.drain()
        views = self.platform.catalog.views
        if name not in views:
            raise LookupError(f"There is no view {name!r}; the catalog has {', '.join(sorted(views)) or 'none'}.")
        rows = Generations(self.platform.stores.views).rows(views[name], since=EARLIEST, until=LATEST + 1)
        return [*map(view_row, results(views[name], rows, None if by is None else tuple(by)))]

    def dead_letters(self) -> list[dict[str, Any]]:
        """The dead letters in the order they came in, as ``millrace dead-letters list`` shows them: reason, stage,
        violations, and which event of which receipt, file and line it was.
        """
        self.drain()
        letters = self.platform.stores.dead_letters.browse(after=None, limit=_ALL)
        letters = sorted(letters, key=lambda letter: letter.occurrences[0])
        found = origins(self.platform, [letter.occurrences[0] for letter in letters])
        return [letter_row(letter, found.get(letter.occurrences[0])) for letter in letters]

    def records(self, name: str) -> Sequence[Curated]:
        """The curated records of a type, as the platform has them."""
        return self.platform.stores.curated.query(name, since=EARLIEST, until=LATEST + 1, after=None, limit=_ALL)


def document_of(event: Mapping[str, Any] | bytes | str) -> bytes:
    """The JSON of an event. Raises ``NotStorable`` for a dict with something in it that JSON cannot say."""
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode()
    return _encode(as_records(dict(event))[0])


def type_named(catalog: Catalog, of: type | str) -> str:
    """The name of a type, by its class or its name. Raises ``LookupError``."""
    for declared in catalog.declared.values():
        if of in (declared.cls, declared.name):
            return declared.name
    raise LookupError(f"{of!r} is no event type of the catalog; it has {', '.join(sorted(catalog.declared))}.")


def compiled(catalog: Catalog) -> Pipeline:
    """The catalog's pipeline, which takes longer than most tests; compiled anew where more was declared since."""
    declared = (
        (each.name, each.transform, each.derive, *each.upcasters.values(), *(rule.holds for rule in each.rules))
        for each in catalog.types.values()
    )
    return _compiled(catalog, (*declared, *catalog.views, *catalog.sources))


@lru_cache(maxsize=16)
def _compiled(catalog: Catalog, _: tuple[Hashable, ...]) -> Pipeline:
    return Pipeline(catalog)


def _summary(entries: Iterable[LedgerEntry]) -> dict[str, Any]:
    counts, reasons = Counter(dict.fromkeys(("receipts", *_COUNTS), 0)), Counter[str]()
    for entry in entries:
        counts.update({"receipts": 1, **{name: getattr(entry, name) for name in _COUNTS}})
        reasons.update(entry.dead_letters)
    return {**counts, "dead_letters": dict(sorted(reasons.items()))}


_encode = msgspec.json.Encoder(decimal_format="number").encode
