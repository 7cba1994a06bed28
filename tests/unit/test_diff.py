"""``Diff``: what a changed catalog would make of history, beside what is stored."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.faults import Injector, faulty
from millrace.core.catalog import Catalog
from millrace.core.comparison import Difference, alike, differences
from millrace.core.diffs import Category, EventDiff, Totals
from millrace.core.errors import OtherCatalog, Unstorable
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.records import Curated, RawObject
from millrace.core.services.diff import Diff
from millrace.entrypoints.platform import Platform

from .versions import event, platform, raws, send, shop, stored, visit


def diffs(on: Platform, catalog: Catalog | None = None, **options: Any) -> list[EventDiff]:
    """What a catalog would make of all that a platform has received; proves that it writes nothing."""
    writes: list[str] = []
    quiet = ("read", "list", "find", "marked", "query", "count", "entries", "load", "names")
    injector = Injector(on_call=lambda port, method: writes.append(f"{port}.{method}") if method not in quiet else None)
    compared = Diff(Pipeline(catalog or on.catalog), faulty(on.stores, injector), **options)
    found = [*compared.events(raws(on))]
    assert writes == []
    return found


def categories(found: Iterable[EventDiff]) -> list[str]:
    return [diff.category.value for diff in found]


def numbered(on: Platform, count: int) -> Platform:
    send(on, *[event(number, amount=number + 1) for number in range(count)])
    return on


def test_under_the_same_catalog_everything_is_the_same() -> None:
    on = numbered(platform(shop()), 5)
    send(on, visit(1), visit(2), event(7, amount=-1), b"not json", event(0, amount=1))
    assert categories(diffs(on)) == ["same"] * 7 + ["rejected", "rejected", "duplicate"]


def test_a_tightened_constraint_names_what_would_be_lost_and_why() -> None:
    on = numbered(platform(shop()), 5)
    found = diffs(on, shop(least=2))
    assert categories(found) == ["lost", "lost", "same", "same", "same"]
    first = found[0]
    assert (first.type, first.id, first.source, first.index, first.reason) == ("sale", "e-0", "till", 0, "invalid")
    assert [(wrong.pointer, wrong.code) for wrong in first.violations] == [("/data/amount", "gt")]
    assert [record.id for record in first.stored] == ["e-0"]
    assert first.records == ()


def test_a_rule_that_rejects_and_a_transform_that_filters_lose_events() -> None:
    on = numbered(platform(shop()), 3)
    assert [diff.reason for diff in diffs(on, shop(rule=lambda sale: sale.amount > 2))] == ["rule", "rule", None]
    filtering = shop(transform=lambda sale: {"amount": sale.amount} if sale.amount > 2 else None)
    found = diffs(on, filtering)
    assert [(diff.category.value, diff.reason) for diff in found][:2] == [("lost", "filtered")] * 2
    assert (found[0].type, found[0].id, found[0].source) == ("sale", "e-0", "till")


def test_what_was_never_stored_is_rejected_or_filtered_but_not_lost() -> None:
    on = platform(shop(least=100))
    numbered(on, 2)
    assert categories(diffs(on)) == ["rejected", "rejected"]
    assert categories(diffs(on, shop())) == ["new", "new"]
    assert categories(diffs(on, shop(transform=lambda _: None))) == ["filtered", "filtered"]


def test_an_event_whose_type_was_removed_is_lost_with_or_without_a_time_of_its_own() -> None:
    on = platform(shop())
    send(on, event(1), {**event(2), "eventTime": None} | {"eventTime": "2026-11-23T00:00:00Z"}, visit(1))
    timeless = {key: value for key, value in event(3).items() if key != "eventTime"}
    send(on, timeless)
    found = diffs(on, shop(sale="other"))
    assert categories(found) == ["lost", "lost", "same", "lost"]
    assert {diff.reason for diff in found} == {None, "unknown-type"}


def test_a_changed_field_is_named_with_what_it_was_and_would_be() -> None:
    on = numbered(platform(shop()), 1)
    changed = shop(transform=lambda sale: {"amount": str(sale.amount), "tax": {"rate": Decimal("0.19")}}, version=2)
    [found] = diffs(on, changed)
    assert found.category is Category.CHANGED
    assert found.changes == [
        Difference("/schemaVersion", 1, 2),
        Difference("/fields/amount", Decimal(1), "1"),
        Difference("/fields/note", before=None),
        Difference("/fields/tax", after={"rate": Decimal("0.19")}),
    ]
    assert (found.stored[0].fields["amount"], found.records[0].fields["amount"]) == (Decimal(1), "1")


def test_more_and_fewer_records_of_an_event_are_changes() -> None:
    def in_parts(count: int) -> Catalog:
        return shop(transform=lambda sale: [{"amount": sale.amount, "n": n} for n in range(count)])

    on = numbered(platform(in_parts(2)), 2)
    assert categories(diffs(on, in_parts(2))) == ["same", "same"]
    assert [change.pointer for change in diffs(on, in_parts(4))[0].changes] == ["/parts/2", "/parts/3"]
    [change] = diffs(on, in_parts(1))[1].changes
    assert (change.pointer, change.before) == ("/parts/1", {"amount": Decimal(2), "n": 1})
    assert [len(diff.stored) for diff in diffs(on, shop(least=9))] == [2, 2]
    on = numbered(platform(in_parts(5)), 1)
    [found] = diffs(on, in_parts(2))
    assert [change.pointer for change in found.changes] == ["/parts/2", "/parts/3", "/parts/4"]


def test_of_deliveries_of_one_new_event_the_first_counts() -> None:
    on = platform(shop(least=100))
    send(on, event(1), event(1), event(2))
    send(on, event(2), event(2, amount=6), event(3))
    assert categories(diffs(on, shop())) == ["new", "duplicate", "new", "duplicate", "duplicate", "new"]


def test_an_event_identified_by_its_id_is_found_at_the_time_of_its_marker() -> None:
    on = platform(shop())
    send(on, visit(1, eventTime="2026-11-23T02:00:00Z"))
    send(on, visit(1, eventTime="2026-11-23T09:00:00Z"), visit(2))
    assert categories(diffs(on)) == ["same", "duplicate", "same"]


def test_of_new_events_with_one_id_the_first_sets_the_time() -> None:
    on = platform(shop(name="other"))
    for hour in (3, 2):
        on.ingest.chunk(
            json.dumps(visit(1, eventTime=f"2026-11-23T0{hour}:00:00Z")).encode(),
            source="s",
            content_type="application/x-ndjson",
            origin="",
        )
    found = diffs(on)
    assert categories(found) == ["new", "duplicate"]
    assert found[0].records[0].time == found[1].records[0].time


def test_an_id_that_belongs_to_another_type_is_a_conflict() -> None:
    on = platform(shop(identity="id"))
    send(on, visit(1), event(1))
    send(on, {**event(1), "eventId": "v-1", "source": "site"})
    found = diffs(on)
    assert [(diff.category.value, diff.reason) for diff in found][2] == ("rejected", "conflict")


def test_conflicts_are_told_from_duplicates_where_contents_are_compared() -> None:
    on = platform(shop())
    send(on, event(1), event(2))
    send(on, event(1), event(2, amount=6), {**event(1), "data": {"amount": 5.0}})
    assert categories(diffs(on))[2:] == ["duplicate"] * 3
    found = diffs(on, contents=True)[2:]
    assert [(diff.category.value, diff.reason) for diff in found] == [
        ("duplicate", None),
        ("rejected", "conflict"),
        ("duplicate", None),
    ]


def test_an_event_that_the_store_could_not_hold_is_lost() -> None:
    on = numbered(platform(shop()), 3)
    find = on.stores.curated.find

    def refusing(records: list[Curated]) -> Any:
        for position, record in enumerate(records):
            if record.fields.get("amount") == 2:
                raise Unstorable(position, "it is even")
        return find(records)

    on.stores.curated.find = refusing  # type: ignore[method-assign, assignment]
    found = [*Diff(on.pipeline, on.stores).events(raws(on))]
    assert categories(found) == ["same", "lost", "same"]
    assert (found[1].reason, found[1].violations[0].message) == ("transform-error", "it is even")


def test_receipts_of_another_catalog_are_refused_unless_adopted() -> None:
    on = numbered(platform(shop()), 1)
    with pytest.raises(OtherCatalog):
        diffs(on, shop(name="other"))
    assert categories(diffs(on, shop(name="other"), adopt=True)) == ["same"]


def test_receipts_are_taken_one_at_a_time() -> None:
    on = platform(shop())
    for number in range(3):
        send(on, event(number))
    taken: list[int] = []

    def source() -> Iterator[RawObject]:
        for place, raw in enumerate(raws(on)):
            taken.append(place)
            yield raw

    for place, _ in enumerate(Diff(on.pipeline, on.stores).events(source())):
        assert taken == [*range(place + 1)]


def test_totals_count_by_category_type_reason_and_field() -> None:
    on = numbered(platform(shop()), 3)
    send(on, visit(1), b"not json")
    changed = shop(least=1, transform=lambda sale: {"lines": [1], "amount": sale.amount, "note": None})
    whole, one, other = Totals(), Totals(), Totals()
    for place, diff in enumerate(diffs(on, changed)):
        whole.add(diff)
        (one if place % 2 else other).add(diff)
    assert whole.as_dict() == {
        "events": 5, "new": 0, "same": 1, "changed": 2, "lost": 1, "duplicate": 0, "rejected": 1, "filtered": 0,
        "types": {"": {"rejected": 1}, "sale": {"lost": 1, "changed": 2}, "visit": {"same": 1}},
        "reasons": {"lost": {"invalid": 1}, "rejected": {"malformed": 1}},
        "fields": {"sale": {"/fields/lines": 2}},
        "archived": {},
    }  # fmt: skip
    assert whole.breaks
    one.merge(other)
    assert one == whole
    assert not Totals().breaks


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([Decimal(1), Decimal("1.0"), Decimal("1.5"), "", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b/", "~"]), inner, max_size=3),
    max_leaves=6,
)


def typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), value)


@given(VALUES, VALUES)
def test_values_are_alike_where_types_and_values_are_equal(one: Any, other: Any) -> None:
    assert alike(one, other) == (typed(one) == typed(other))
    pointers = [change.pointer for change in differences(one, other)]
    assert len(pointers) == len(set(pointers))
    assert (not pointers) == alike(one, other)


AMOUNTS = st.lists(st.integers(-1, 3), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(st.lists(AMOUNTS, max_size=3), st.integers(-1, 2), st.integers(-1, 2), st.booleans())
def test_what_a_diff_says_is_what_processing_from_scratch_would_come_to(
    receipts: list[list[int]], before: int, after: int, doubled: bool
) -> None:
    def transform(sale: Any) -> Any:
        return [{"amount": sale.amount}] * (2 if doubled else 1)

    old, new = shop(least=before), shop(least=after, transform=transform)
    on = platform(old)
    for amounts in receipts:
        send(on, *[event(place, amount=amount) for place, amount in enumerate(amounts)])
    there = {record.id: (record.receipt, record.index) for record in stored(on)}
    fresh = platform(new)
    for raw in raws(on):
        fresh.process.receipt(raw.receipt.id, raw)
    passing = {record.id for record in stored(fresh)}
    for diff in diffs(on, new):
        mine = diff.id is not None and there.get(diff.id) == (diff.receipt, diff.index)
        if diff.category in (Category.SAME, Category.CHANGED):
            assert mine
            assert diff.id in passing
        assert (diff.category is Category.LOST) <= mine
        assert (diff.category is Category.NEW) <= (diff.id not in there and diff.id in passing)
