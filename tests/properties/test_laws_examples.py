"""Small sequences that once broke a law, as Hypothesis, the simulation or a reader found them."""

from collections.abc import Sequence
from random import Random
from typing import Any

import attrs
import msgspec
import pytest

from millrace.adapters.faults import Crash, Fault, Injector, faulty
from millrace.adapters.memory import MemoryCurated, memory_stores
from millrace.core.errors import TransientError, Unstorable
from millrace.core.ports import Stores
from millrace.core.records import Curated, Lineage
from millrace.entrypoints.platform import Platform

from ..simulation.laws import records_of
from ..simulation.world import SeededIds, TickingClock, assemble

BASKET = {"eventType": "basket", "eventId": "1", "eventTime": 1795399200, "data": {"items": ["pen", "ink"]}}


def _platform(stores: Stores) -> Platform:
    return assemble(stores, TickingClock(Random(1)), SeededIds(Random(2)))


def _sent(platform: Platform, event: Any, **others: Any) -> str:
    return platform.ingest.request(msgspec.json.encode(event), source="caller", **others).receipt


def test_all_records_of_an_event_are_of_the_receipt_that_was_first() -> None:
    # A duplicate that overtook the first receipt between its two insertions wrote the further records as its own.
    stores = memory_stores()
    platform = _platform(stores)
    first, second = _sent(platform, BASKET), _sent(platform, BASKET)
    dying = _platform(faulty(stores, Injector(plan={5: Fault.CRASH_BEFORE})))  # before the others
    with pytest.raises(Crash):
        dying.process.receipt(first)
    platform.process.receipt(second)
    platform.process.receipt(first)
    assert {(record.part, record.receipt) for record in records_of(stores)} == {(0, first), (1, first)}


def test_binary_mode_events_that_differ_in_a_header_are_in_conflict() -> None:
    # Their bodies are equal, and were taken for the whole event.
    stores = memory_stores()
    platform = _platform(stores)
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "note"}
    for subject in ("one", "other", "one"):
        _sent(platform, {"text": "the same"}, headers={**headers, "ce-subject": subject})
    found = [(entry.curated, entry.duplicate, entry.dead_lettered) for entry in platform.work.drain()]
    assert found == [(1, 0, 0), (0, 0, 1), (0, 1, 0)]


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.TIMED_OUT])
def test_a_lost_acknowledgement_does_not_strand_the_messages_received_with_it(fault: Fault) -> None:
    # The step ended there; the others stayed hidden until the store was opened again.
    stores = memory_stores()
    platform = _platform(stores)
    receipts = [_sent(platform, BASKET) for _ in range(3)]
    injector = Injector()

    def at_the_first_acknowledgement(_: str, method: str) -> None:
        if method == "acknowledge" and not injector.plan:
            injector.plan[injector.calls + 1] = fault

    injector.on_call = at_the_first_acknowledgement
    with pytest.raises(TransientError):
        _platform(faulty(stores, injector)).work.step()
    assert stores.ledger.entries(receipts).keys() == set(receipts)


class _Small(MemoryCurated):
    """Holds no record of an elephant, as a store with a limit of size would not."""

    def check(self, records: Sequence[Curated]) -> None:
        for position, record in enumerate(records):
            if record.fields.get("item") == "elephant":
                raise Unstorable(position, "is too large")

    def insert(self, records: Sequence[Curated]) -> Sequence[Lineage | None]:
        self.check(records)
        return super().insert(records)


def _small() -> Stores:
    return attrs.evolve(memory_stores(), curated=_Small())


def test_nothing_is_kept_of_an_event_whose_first_record_cannot_be_stored() -> None:
    stores = _small()
    platform = _platform(stores)
    _sent(platform, [{**BASKET, "data": {"items": ["elephant", "pen"]}}, {**BASKET, "eventId": "2"}])
    [entry] = platform.work.drain()
    assert (entry.curated, entry.dead_letters) == (1, {"transform-error": 1})
    assert {(record.id, record.part) for record in records_of(stores)} == {("2", 0), ("2", 1)}


def test_an_event_whose_further_record_cannot_be_stored_does_not_harm_its_neighbours() -> None:
    stores = _small()
    platform = _platform(stores)
    _sent(platform, [{**BASKET, "data": {"items": ["pen", "elephant"]}}, {**BASKET, "eventId": "2"}])
    [entry] = platform.work.drain()
    assert (entry.curated, entry.dead_letters) == (1, {"transform-error": 1})


def test_a_receipt_of_a_source_that_the_catalog_lost_does_not_harm_the_others() -> None:
    stores = memory_stores()
    platform = _platform(stores)
    bad = platform.ingest.chunk(b"{}", source="file", content_type="application/json", origin="a file", foreign="gone")
    good = _sent(platform, BASKET)
    assert [entry.receipt for entry in platform.work.drain()] == [good]
    assert "'gone'" in platform.work.held[bad]


def test_a_receipt_of_another_catalog_waits_until_it_is_adopted() -> None:
    stores = memory_stores()
    platform = _platform(stores)
    receipt = platform.ingest.chunk(b"{}", source="file", content_type="application/json", origin="a file")
    other = attrs.evolve(platform, process=platform.process)
    platform.pipeline.catalog.name, name = "another", platform.pipeline.catalog.name
    try:
        assert list(other.work.drain()) == []
        assert list(other.work.held) == [receipt]
        assert not other.reconcile.run().holds
        other.reconcile.mend()
        assert [entry.receipt for entry in other.work.drain(adopt=True)] == [receipt]
    finally:
        platform.pipeline.catalog.name = name
