"""Claims about the archive's boundary: what comes from behind it is never counted twice, and everything else ends as
before.
"""

import pytest

from millrace.adapters.faults import Crash, Injector, faulty
from millrace.core.ports import Stores
from millrace.core.records import LedgerEntry
from millrace.core.services.archived import Archived
from millrace.core.services.boundary import Boundaries, Boundary, Closed
from millrace.core.services.reconcile import Reconcile
from millrace.entrypoints.platform import Platform

from ..simulation.laws import check, digest, records_of
from ..simulation.world import World
from .test_archive import (
    BOUNDARY,
    TODAY,
    archive,
    basket,
    fill,
    ingest,
    opened,
    restore,
    sale,
    stored,
)

OLD = "2026-11-20T08:00:00Z"


def entry(stores: Stores, receipt: str) -> LedgerEntry:
    return stores.ledger.entries([receipt])[receipt]


def letters(stores: Stores) -> dict[str, int]:
    return dict(stores.dead_letters.occurrences())


def crashing_at_insert(stores: Stores, number: int) -> Stores:
    """The same stores, but whoever makes that insertion, counted from 1, dies before it."""
    inserts = 0

    def crash(port: str, method: str) -> None:
        nonlocal inserts
        inserts += method == "insert"
        if inserts == number:
            raise Crash

    return faulty(stores, Injector(on_call=crash))


def check_views(platform: Platform) -> None:
    """Every view equals the plain fold of the curated events."""
    check(platform.stores, {})


@pytest.fixture
def platform() -> Platform:
    made = opened(World().stores)
    fill(made)
    archive(made)
    return made


# ------------------------------------------------------------------------------------------------------------ boundary
def test_the_boundary_only_moves_up() -> None:
    boundaries = Boundaries(World().stores.views)
    assert boundaries.read() is None
    assert boundaries.announce(100, 1) == Boundary(100, 1)
    assert boundaries.announce(50, 2) == Boundary(100, 1)
    assert boundaries.announce(100, 3) == Boundary(100, 1)
    assert boundaries.announce(101, 4) == boundaries.read() == Boundary(101, 4)


def test_what_is_remembered_is_read_once_in_that_time_even_by_a_clock_that_jumps_back() -> None:
    calls: list[str] = []
    stores = faulty(World().stores, Injector(on_call=lambda port, method: calls.append(method)))
    boundaries = Boundaries(stores.views, remember=10)
    assert [boundaries.closed(now) for now in (100, 105, 109)] == [None] * 3
    assert calls == ["load"]
    Boundaries(stores.views).announce(7, 0)
    calls.clear()
    assert [boundaries.closed(now) for now in (109, 110, 119, 99, 100)] == [None, *[Closed(7, 0)] * 4]
    assert calls == ["load", "load"]


def test_a_receipt_costs_one_read_of_the_boundary_and_its_new_events_no_more() -> None:
    calls: list[tuple[str, str]] = []
    injector = Injector(on_call=lambda port, method: calls.append((port, method)))
    made = opened(faulty(World().stores, injector))
    for boundary in (None, BOUNDARY):
        if boundary is not None:
            Boundaries(made.stores.views).announce(boundary, 0)
        receipt = made.ingest.chunk(
            "\n".join(sale(n, TODAY) for n in range(20)).encode(),
            source="f",
            content_type="application/x-ndjson",
            origin="f",
        )
        calls.clear()
        made.process.receipt(receipt)
        writes = [("views", "load"), ("curated", "insert"), ("ledger", "record")]
        assert [call for call in calls if call[0] not in ("raw", "clock")] == writes


# ------------------------------------------------------------------------------------------------------------- outcomes
def test_an_event_that_was_never_known_is_a_dead_letter(platform: Platform) -> None:
    before = stored(platform.stores)
    receipt = ingest(platform, sale(50, OLD), basket(51, OLD), sale(52, TODAY))
    found = entry(platform.stores, receipt)
    assert (found.curated, found.dead_letters) == (1, {"before-archive-boundary": 2})
    assert len(stored(platform.stores)) == len(before) + 1
    [letter] = [each for each in platform.stores.dead_letters.browse(after=None, limit=99) if each.event_id == "s-50"]
    assert (letter.reason, letter.stage, letter.occurrences) == ("before-archive-boundary", "insert", ((receipt, 0),))


def test_what_is_stored_behind_the_boundary_and_not_archived_yet_stays_what_it_was() -> None:
    made = opened(World().stores)
    receipts = fill(made)
    whole = digest(made.stores)
    Boundaries(made.stores.views).announce(BOUNDARY, 0)
    for receipt in receipts:
        made.process.receipt(receipt)
    assert digest(made.stores) == whole


def test_the_instant_of_the_boundary_is_in_front_of_it(platform: Platform) -> None:
    receipt = ingest(platform, sale(60, "2026-11-23T00:00:00Z"), sale(61, "2026-11-22T23:59:59.999999Z"))
    assert (entry(platform.stores, receipt).curated, entry(platform.stores, receipt).dead_lettered) == (1, 1)


@pytest.mark.parametrize("back", [False, True], ids=["archived", "restored"])
def test_an_archived_event_is_a_duplicate_or_a_conflict_as_if_it_were_stored(platform: Platform, back: bool) -> None:
    if back:
        restore(platform)
    first, other = sale(2, "2026-11-20T08:00:00Z"), sale(2, "2026-11-20T08:00:00Z", "9")
    receipt = ingest(platform, first, first.replace("1.50", "1.5"), other, basket(1))
    found = entry(platform.stores, receipt)
    assert (found.duplicate, found.dead_letters, found.curated) == (3, {"conflict": 1}, 0)


def test_an_event_whose_identity_is_its_id_keeps_the_time_that_was_first(platform: Platform) -> None:
    parcel = '{"eventType":"parcel","eventId":"p","weight":3}'
    receipt = ingest(
        platform, parcel, '{"eventType":"parcel","eventId":"q","eventTime":"2026-11-01T00:00:00Z","weight":3}'
    )
    again = ingest(platform, '{"eventType":"parcel","eventId":"q","weight":3}')
    assert entry(platform.stores, receipt).dead_letters == {"before-archive-boundary": 1}
    assert entry(platform.stores, receipt).duplicate in (0, 1)
    whole = digest(platform.stores)
    for each in (receipt, again):
        platform.process.receipt(each)
    assert digest(platform.stores) == whole


def test_what_the_store_cannot_hold_is_told_as_before_the_boundary() -> None:
    made = opened(World().stores)
    text = '{"eventType":"note","eventId":"n","eventTime":"2026-11-20T08:00:00Z","source":"shop","text":"x"}'
    receipt = ingest(made, text, sale(1, OLD))
    archive(made)
    before = entry(made.stores, receipt)
    made.process.receipt(receipt)
    assert entry(made.stores, receipt) == before


def test_the_parts_that_a_crash_left_out_are_inserted_behind_the_boundary_and_counted_once() -> None:
    stores = World().stores
    made = opened(stores)
    receipt = made.ingest.chunk(basket(1, OLD).encode(), source="f", content_type="application/x-ndjson", origin="f")
    with pytest.raises(Crash):
        opened(crashing_at_insert(stores, 2)).process.receipt(receipt)
    assert len(stored(stores)) == 1
    made.work.project()
    archive(made)
    assert stored(stores) == []
    for _ in range(3):
        made.process.receipt(receipt)
        made.work.project()
        assert sorted(record.part for record in Archived(stores).page("basket", None, 9)) == [0, 1, 2]
        archive(made)
        assert sorted(record.part for record in Archived(stores).read("basket")) == [0, 1, 2]
        assert stored(stores) == []
    assert Reconcile(stores).run().holds
    check_views(made)


def test_a_rebuilt_store_holds_what_the_archive_has_once(platform: Platform) -> None:
    """The database is lost, boundary and all, and processed anew from the raw log, beside the archive."""
    fresh = World().stores
    for receipt in platform.stores.raw.list(since=0, until=2**62, after=None, limit=99):
        fresh.raw.append(platform.stores.raw.read(receipt))
    for name in platform.stores.archive.names("curated", ""):
        fresh.archive.write("curated", name, platform.stores.archive.read("curated", name) or b"")
    made = opened(fresh)
    made.mend()
    assert Reconcile(fresh).run().holds
    assert len([*records_of(fresh)]) == len([*records_of(platform.stores)]) == len(stored(fresh))
    archive(made)
    assert Reconcile(fresh).run().holds
    assert len(stored(fresh)) == 1
