"""The contract of ``CuratedStore``: insertion, lineage, changes and counting."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from millrace.core.identity import content_hash
from millrace.core.ports import Stores
from millrace.core.records import Curated, Lineage

from .builders import NOON, bare, curated, lost_to, origin_of, receipt_id, typed
from .strategies import fields, texts

OTHER = receipt_id(NOON + 1000)


def everything(stores: Stores, limit: int = 1000) -> list[Curated]:
    """All changes in order of identity, read page by page; checks that positions only grow.

    In which order the records of one batch come is up to the store.
    """
    origin = origin_of(stores)
    found: list[Curated] = []
    after = 0
    while (page := stores.feed.changes(origin, after, limit)).records:
        assert len(page.records) == len(page.positions) <= limit
        assert list(page.positions) == sorted(set(page.positions))
        assert page.positions[0] > after
        after = page.positions[-1]
        found += map(bare, page.records)
    return sorted(found, key=identity)


def identity(record: Curated) -> tuple[object, ...]:
    return record.type, record.time, record.source, record.id, record.part


def test_a_new_record_is_written(stores: Stores) -> None:
    assert list(stores.curated.insert([curated("a"), curated("b")])) == [None, None]
    assert everything(stores) == [bare(curated("a")), bare(curated("b"))]


def test_a_check_of_what_can_be_stored_writes_nothing(stores: Stores) -> None:
    stores.curated.check([curated("a"), curated("b", fields={"amount": Decimal("1.50")})])
    stores.curated.check([])
    assert everything(stores) == []


def test_no_records_are_no_error(stores: Stores) -> None:
    assert list(stores.curated.insert([])) == []
    assert everything(stores) == []


def test_the_same_receipt_and_index_again_is_ours_and_changes_nothing(stores: Stores) -> None:
    stores.curated.insert([curated("a")])
    again = curated("a", fields={"order": "changed"}, curated_at=NOON + 99)
    assert list(stores.curated.insert([again, curated("b")])) == [None, None]
    assert everything(stores) == [bare(curated("a")), bare(curated("b"))]


@pytest.mark.parametrize("other", [{"receipt": OTHER}, {"index": 1}])
def test_another_delivery_gets_the_lineage_of_the_first_which_stays(stores: Stores, other: dict[str, Any]) -> None:
    first = curated("a")
    stores.curated.insert([first])
    answers = stores.curated.insert([curated("new"), curated("a", raw=b"other", fields={}, **other)])
    assert list(answers) == [None, Lineage("shop", "a", first.receipt, 0, content_hash(first.raw))]
    assert everything(stores) == [bare(first), bare(curated("new"))]


def test_within_a_batch_the_first_wins_and_later_ones_get_its_lineage(stores: Stores) -> None:
    first, second = curated("a", raw=b"1"), curated("a", raw=b"2", receipt=OTHER, index=4)
    answers = stores.curated.insert([first, curated("b"), second, first])
    assert answers[0] is answers[1] is answers[3] is None
    assert answers[2] == Lineage("shop", "a", first.receipt, 0, content_hash(b"1"))
    assert everything(stores) == [bare(first), bare(curated("b"))]


def test_the_very_same_object_twice_is_one_record(stores: Stores) -> None:
    record = curated("a")
    assert list(stores.curated.insert([record, record])) == [None, None]
    assert list(stores.curated.insert([record])) == [None]
    assert everything(stores) == [bare(record)]


@pytest.mark.parametrize(
    "other", [{"type": "refund"}, {"time": NOON + 1}, {"source": "till"}, {"part": 1}, {"event_id": "A"}]
)
def test_type_time_source_id_and_part_make_the_key(stores: Stores, other: dict[str, Any]) -> None:
    different = curated(**{"event_id": "a", "receipt": OTHER, "index": 3, **other})
    stores.curated.insert([curated("a")])
    assert list(stores.curated.insert([different])) == [None]
    assert len(everything(stores)) == 2


def test_equal_keys_with_other_fields_are_the_same_key(stores: Stores) -> None:
    stores.curated.insert([curated("a")])
    other = curated("a", version=1, subject="s", curated_at=0, fields={}, raw=b"", receipt=OTHER)
    assert lost_to(stores.curated.insert([other])[0]).receipt == receipt_id()


def test_a_batch_may_mix_receipts_types_and_losers(stores: Stores) -> None:
    stores.curated.insert([curated(f"e-{n}") for n in range(0, 300, 3)])
    batch = [curated(f"e-{n}", receipt=OTHER, index=n, type="purchase" if n % 2 else "refund") for n in range(300)]
    answers = stores.curated.insert(batch)
    lost = {n for n, answer in enumerate(answers) if answer is not None}
    assert lost == {n for n in range(0, 300, 3) if n % 2}
    assert len(everything(stores)) == 100 + 300 - len(lost)


def test_a_large_batch_keeps_its_order(stores: Stores) -> None:
    batch = [curated(f"e-{n}", index=n, time=NOON - n) for n in range(1234)]
    assert list(stores.curated.insert(batch)) == [None] * 1234
    assert everything(stores, limit=100) == sorted(map(bare, batch), key=identity)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=fields)
def test_fields_come_back_equal_and_of_the_same_types(stores: Stores, values: dict[str, Any]) -> None:
    start = stores.curated.count()
    stores.curated.insert([curated(f"h-{start}", fields=values)])
    found = [r for r in stores.curated.query("purchase", since=NOON, until=NOON + 1, after=None, limit=10**6)
             if r.id == f"h-{start}"]  # fmt: skip
    assert typed(found[0].fields) == typed(values)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(source=texts, event_id=texts, subject=texts, event_type=texts)
def test_any_text_may_name_an_event(stores: Stores, source: str, event_id: str, subject: str, event_type: str) -> None:
    record = curated(event_id, source=source, subject=subject, type=event_type)
    assert list(stores.curated.insert([record])) == [None] or stores.curated.count()
    found = stores.curated.query(event_type, since=NOON, until=NOON + 1, after=None, limit=10**6)
    assert any((r.source, r.id, r.type) == (source, event_id, event_type) for r in found)


def test_numbers_keep_their_38_digits(stores: Stores) -> None:
    exact = {
        "int": 10**38 - 1,
        "negative": -(10**38) + 1,
        "fraction": Decimal("0." + "9" * 38),
        "integral": Decimal("12"),
        "power": Decimal("1E+125"),
        "tiny": Decimal("1E-130"),
        "zero": Decimal("0"),
        "nested": [{"a": Decimal(7), "b": 7, "c": True, "d": None}],
    }
    stores.curated.insert([curated("a", fields=exact)])
    assert typed(everything(stores)[0].fields) == typed(exact)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_changes_are_every_insertion_once_in_order(stores: Stores, limit: int) -> None:
    expected = []
    for batch in range(4):
        records = [curated(f"e-{batch}-{n}", index=n) for n in range(batch + 1)]
        stores.curated.insert([*records, curated("e-0-0", receipt=OTHER)])
        expected += [bare(record) for record in records]
    assert everything(stores, limit) == sorted(expected, key=identity)


def test_changes_after_the_last_position_are_none_until_there_are_more(stores: Stores) -> None:
    stores.curated.insert([curated("a"), curated("b")])
    seen = stores.feed.changes(origin_of(stores), 0, 10).positions[-1]
    assert list(stores.feed.changes(origin_of(stores), seen, 10).records) == []
    stores.curated.insert([curated("a", receipt=OTHER), curated("c")])
    later = stores.feed.changes(origin_of(stores), seen, 10)
    assert [record.id for record in later.records] == ["c"]
    assert later.positions[0] > seen


def test_all_changes_of_a_store_have_one_origin(stores: Stores) -> None:
    stores.curated.insert([curated("a")])
    first = stores.feed.changes(origin_of(stores), 0, 1)
    stores.curated.insert([curated("b")])
    assert {first.origin, stores.feed.changes(origin_of(stores), first.positions[-1], 1).origin} == {first.origin}
    assert first.origin


def test_changes_do_not_follow_what_the_caller_does_to_its_batch(stores: Stores) -> None:
    batch = [curated("a"), curated("b")]
    stores.curated.insert(batch)
    batch.clear()
    assert [record.id for record in everything(stores)] == ["a", "b"]


def test_an_event_counts_once_however_many_parts_it_has(stores: Stores) -> None:
    assert stores.curated.count() == 0
    stores.curated.insert([curated("a", part=part) for part in range(3)])
    stores.curated.insert([curated("b"), curated("b"), curated("a", receipt=OTHER)])
    assert stores.curated.count() == 2
