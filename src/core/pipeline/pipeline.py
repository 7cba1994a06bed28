"""``Pipeline``: decode, upcast, validate, check and transform all events of a receipt."""

from collections.abc import Sequence
from datetime import datetime

import attrs
from msgspec import UNSET

from ..catalog import Catalog
from ..decoding.bodies import MAX_EVENT, is_binary_mode
from ..decoding.cloudevents import binary_evidence
from ..decoding.decoder import Decoder
from ..decoding.events import Event, NoEvent, version_of_schema
from ..identity import EARLIEST, LATEST
from ..records import Curated, DeadLetter, RawObject
from ..times import EPOCH, epoch_micros
from .failures import dead_letter, no_event_letter
from .judgement import Failed, Passed, judge
from .lanes import REFUSALS, ForeignLane, Lanes
from .plans import Plan, compile_plan
from .steps import FILTERED


@attrs.define
class Batch:
    """What the events of one receipt come to, before any store has been asked.

    ``records`` holds the first record of each event, ``parts`` the further ones by the place of the first.
    ``unmarked`` are the places of records whose identity a marker decides; their ``time`` is provisional.
    """

    events: int = 0
    filtered: int = 0
    records: list[Curated] = attrs.field(factory=list)
    parts: dict[int, list[Curated]] = attrs.field(factory=dict)
    unmarked: list[int] = attrs.field(factory=list)
    letters: list[DeadLetter] = attrs.field(factory=list)


class Pipeline:
    """A catalog, compiled. Pure: the same receipt, bytes and instant give the same batch.

    Raises ``CatalogError`` where the catalog's declarations do not fit together.
    """

    def __init__(self, catalog: Catalog) -> None:
        catalog.check()
        self.catalog = catalog
        self.decoder = Decoder(catalog.sources)
        self.plans = {name: compile_plan(declared, catalog.views.values()) for name, declared in catalog.types.items()}
        self.lanes = Lanes(self.plans.values())
        self._foreign = {name: ForeignLane(source, self.plans) for name, source in catalog.sources.items()}

    def run(self, raw: RawObject, curated_at: int) -> Batch:
        """The batch of a receipt; its records say they were inserted at ``curated_at``."""
        documents = self.decoder.documents(raw)
        batch = Batch(events=len(documents))
        if is_binary_mode(raw):
            for index, document in enumerate(documents):
                self._judge(raw, index, document, curated_at, batch)
        else:
            self._run(raw, documents, curated_at, batch)
        return batch

    def run_some(self, raw: RawObject, documents: Sequence[bytes], start: int, curated_at: int) -> Batch:
        """The batch of some of a receipt's documents, the first of which is that at index ``start``."""
        batch = Batch(events=len(documents))
        self._run(raw, documents, curated_at, batch, start)
        return batch

    def judge(self, event: Event) -> Passed | Failed:
        """What one event would come to, or everything that is wrong with it."""
        return judge(event, self.plans)

    def _run(self, raw: RawObject, documents: Sequence[bytes], curated_at: int, batch: Batch, start: int = 0) -> None:
        # The hot loop: what it cannot do quickly and exactly it leaves to ``_judge``, which starts the event afresh.
        lanes, plans, first = self.lanes, self.lanes.plans, self.lanes.first
        foreign = None if raw.receipt.foreign is None else self._foreign[raw.receipt.foreign]
        receipt, received_at, default_source = raw.receipt.id, raw.receipt.received_at, raw.receipt.source
        earliest, latest, add = EARLIEST, LATEST, batch.records.append
        oversized = len(raw.body) > MAX_EVENT and max(map(len, documents), default=0) > MAX_EVENT
        for index, document in enumerate(documents, start):
            if foreign is None:
                try:
                    twin = first(document)
                except REFUSALS:
                    twin = lanes.other(document)
                    first = lanes.first
                if twin is None or (oversized and len(document) > MAX_EVENT):
                    self._judge(raw, index, document, curated_at, batch)
                    continue
                plan = plans[twin.__class__]
                data = twin.data
                if data is UNSET:
                    data = twin
            elif (opened := foreign.decode(document)) is None or (oversized and len(document) > MAX_EVENT):
                self._judge(raw, index, document, curated_at, batch)
                continue
            else:
                plan, twin = opened
                data = twin.data
            instant = twin.e_time
            if instant.__class__ is datetime:
                since = instant - EPOCH
                time = since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds
            else:
                time = received_at if instant is UNSET else epoch_micros(instant)
            try:
                fields = plan.step(data)
            except Exception:  # user code; the careful way finds out which, and says so
                fields = None
            version = twin.e_version
            if (
                fields is None
                or not (plan.takes_unversioned if version is UNSET else is_current(version, plan))
                or not earliest <= time <= latest
            ):
                self._judge(raw, index, document, curated_at, batch)
                continue
            if fields is FILTERED:
                batch.filtered += 1
                continue
            if instant is UNSET or plan.by_id:
                batch.unmarked.append(len(batch.records))
            add(
                Curated(
                    plan.name,
                    time,
                    twin.e_source or default_source,
                    twin.e_id or self.decoder.fallback_id(raw, index),
                    0,
                    plan.version,
                    None if twin.e_subject is UNSET else twin.e_subject,
                    receipt,
                    index,
                    curated_at,
                    fields,
                    document,
                )
            )

    def _judge(self, raw: RawObject, index: int, document: bytes, curated_at: int, batch: Batch) -> None:
        evidence = binary_evidence(raw) if is_binary_mode(raw) else document
        try:
            event = self.decoder.read(raw, index, document)
        except NoEvent as error:
            batch.letters.append(no_event_letter(raw, index, evidence, error))
            return
        judgement = judge(event, self.plans)
        if isinstance(judgement, Failed):
            batch.letters.append(dead_letter(raw.receipt.id, index, evidence, event, judgement))
        elif not judgement.records:
            batch.filtered += 1
        else:
            self._add(raw, index, evidence, event, judgement, curated_at, batch)

    @staticmethod
    def _add(
        raw: RawObject, index: int, document: bytes, event: Event, passed: Passed, curated_at: int, batch: Batch
    ) -> None:
        plan, place = passed.plan, len(batch.records)
        time = raw.receipt.received_at if event.time is None else event.time
        records = [
            Curated(
                event.type,
                time,
                event.source,
                event.id,
                part,
                plan.version,
                event.subject,
                raw.receipt.id,
                index,
                curated_at,
                fields,
                document,
            )
            for part, fields in enumerate(passed.records)
        ]
        if event.time is None or plan.by_id:
            batch.unmarked.append(place)
        if len(records) > 1:
            batch.parts[place] = records[1:]
        batch.records.append(records[0])


def is_current(version: int | str, plan: Plan) -> bool:
    """Whether what an event says of its version is the current one of its type."""
    number = version if isinstance(version, int) else version_of_schema(version)
    return number == plan.version or (number is None and plan.takes_unversioned)
