"""The contract of ``CuratedStore.query``, and of ``mark``."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.core.identity import EARLIEST, LATEST, record_key, sort_key
from millrace.core.ports import Stores
from millrace.core.records import Curated

from .builders import NOON, bare, curated, marker, origin_of, receipt_id

OTHER = receipt_id(NOON + 1000)


def records() -> list[Curated]:
    """Several instants, several records in each, two types."""
    return [
        curated(f"e-{n}", time=NOON + n // 4, index=n, type=event_type)
        for n in range(20)
        for event_type in ("purchase", "refund")
    ]


def test_records_come_in_order_of_sort_key_and_of_one_type(stores: Stores) -> None:
    stores.curated.insert(records())
    found = stores.curated.query("purchase", since=EARLIEST, until=LATEST + 1, after=None, limit=1000)
    expected = sorted((bare(r) for r in records() if r.type == "purchase"), key=record_key)
    assert [bare(record) for record in found] == expected


def test_since_is_inclusive_and_until_exclusive(stores: Stores) -> None:
    stores.curated.insert(records())
    found = stores.curated.query("refund", since=NOON + 1, until=NOON + 3, after=None, limit=1000)
    assert {record.time for record in found} == {NOON + 1, NOON + 2}
    assert len(found) == 8


@pytest.mark.parametrize("limit", [1, 3, 4, 1000])
def test_pages_hold_everything_once_also_within_one_instant(stores: Stores, limit: int) -> None:
    stores.curated.insert(records())
    found: list[Curated] = []
    after = None
    while page := stores.curated.query("purchase", since=NOON, until=NOON + 4, after=after, limit=limit):
        assert len(page) <= limit
        found += map(bare, page)
        after = record_key(found[-1])
    expected = [bare(r) for r in records() if r.type == "purchase" and r.time < NOON + 4]
    assert found == sorted(expected, key=record_key)


def test_after_need_not_exist_and_may_lie_outside_the_range(stores: Stores) -> None:
    stores.curated.insert(records())
    everything = stores.curated.query("purchase", since=NOON, until=NOON + 9, after=None, limit=99)
    assert stores.curated.query("purchase", since=NOON, until=NOON + 9, after=-(10**60), limit=99) == everything
    assert list(stores.curated.query("purchase", since=NOON, until=NOON + 9, after=10**60, limit=99)) == []
    middle = stores.curated.query("purchase", since=NOON, until=NOON + 9, after=sort_key(NOON + 2, 0) - 1, limit=99)
    assert {record.time for record in middle} == {NOON + 2, NOON + 3, NOON + 4}


def test_the_first_and_the_last_instant_that_have_a_name_are_kept_in_order(stores: Stores) -> None:
    times = [LATEST, EARLIEST, 0, -1, 1]
    stores.curated.insert([curated(f"e{time}", time=time) for time in times])
    found = stores.curated.query("purchase", since=-(10**30), until=10**30, after=None, limit=9)
    assert [record.time for record in found] == sorted(times)
    assert max(len(str(abs(record_key(record)))) for record in found) == 38
    rest = stores.curated.query("purchase", since=EARLIEST, until=LATEST + 1, after=record_key(found[0]), limit=9)
    assert [record.time for record in rest] == sorted(times)[1:]


@pytest.mark.parametrize(("since", "until"), [(NOON + 100, NOON + 200), (NOON + 1, NOON + 1), (NOON + 2, NOON)])
def test_an_empty_range_holds_nothing(stores: Stores, since: int, until: int) -> None:
    stores.curated.insert(records())
    assert list(stores.curated.query("purchase", since=since, until=until, after=None, limit=9)) == []


def test_an_unknown_type_has_no_records(stores: Stores) -> None:
    stores.curated.insert(records())
    assert list(stores.curated.query("Purchase", since=NOON, until=NOON + 9, after=None, limit=9)) == []


def test_what_was_inserted_after_a_query_is_in_the_next(stores: Stores) -> None:
    stores.curated.insert([curated("a", time=NOON + 5)])
    assert len(stores.curated.query("purchase", since=0, until=LATEST, after=None, limit=9)) == 1
    stores.curated.insert([curated("b", time=NOON + 1)])
    found = stores.curated.query("purchase", since=0, until=LATEST, after=None, limit=9)
    assert [record.id for record in found] == ["b", "a"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(times=st.lists(st.integers(EARLIEST, LATEST), max_size=5), since=st.integers(EARLIEST, LATEST))
def test_a_query_is_the_sorted_filter_of_what_was_inserted(stores: Stores, times: list[int], since: int) -> None:
    stores.curated.insert([curated(f"h{time}", time=time, type="h") for time in times])
    everything = stores.curated.query("h", since=EARLIEST, until=LATEST + 1, after=None, limit=10**6)
    found = stores.curated.query("h", since=since, until=LATEST + 1, after=None, limit=10**6)
    assert set(times) <= {record.time for record in everything}
    assert list(found) == [record for record in everything if record.time >= since]
    assert list(everything) == sorted(everything, key=record_key)


def test_a_first_marker_is_answered_with_itself(stores: Stores) -> None:
    markers = [marker("a"), marker("b"), marker("a", source="till")]
    assert list(stores.curated.mark(markers)) == markers
    assert list(stores.curated.mark(markers)) == markers


def test_a_later_marker_is_answered_with_the_first_of_its_source_and_id(stores: Stores) -> None:
    stores.curated.mark([marker("a")])
    later = marker("a", type="refund", time=NOON + 5, receipt=OTHER, index=3)
    assert list(stores.curated.mark([marker("b"), later])) == [marker("b"), marker("a")]


def test_within_a_batch_the_first_marker_wins(stores: Stores) -> None:
    first, second = marker("a"), marker("a", receipt=OTHER, time=NOON + 1)
    assert list(stores.curated.mark([first, second, first])) == [first, first, first]
    assert list(stores.curated.mark([second])) == [first]


def test_many_markers_keep_their_order(stores: Stores) -> None:
    stores.curated.mark([marker(f"e-{n}") for n in range(0, 250, 2)])
    answers = stores.curated.mark([marker(f"e-{n}", receipt=OTHER) for n in range(250)])
    assert [answer.id for answer in answers] == [f"e-{n}" for n in range(250)]
    assert [answer.receipt for answer in answers] == [OTHER if n % 2 else receipt_id() for n in range(250)]


def test_markers_are_no_curated_events(stores: Stores) -> None:
    assert list(stores.curated.mark([])) == []
    stores.curated.mark([marker("a")])
    assert stores.curated.count() == 0
    assert list(stores.feed.changes(origin_of(stores), 0, 9).records) == []
