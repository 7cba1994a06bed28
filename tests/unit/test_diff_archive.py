"""``Diff`` where events are archived: they compare as they did in the store, and the boundary counts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.core.catalog import Catalog
from millrace.core.diffs import Totals
from millrace.core.services.diff import Diff
from millrace.core.services.rehearsal import rehearsal
from millrace.core.services.replace import entry_of

from .test_diff import AMOUNTS, categories, diffs, numbered
from .versions import archive, event, platform, raws, restore, send, shop, stored


def changed_shop() -> Catalog:
    return shop(least=2, transform=lambda sale: {"euros": sale.amount})


def test_archived_events_compare_as_they_did_in_the_store() -> None:
    on = numbered(platform(shop()), 4)
    before = diffs(on, changed_shop())
    assert archive(on) == 4
    assert stored(on) == []
    same, found = diffs(on), diffs(on, changed_shop())
    assert categories(same) == ["same"] * 4
    assert categories(found) == ["lost", "lost", "changed", "changed"]
    assert all(diff.archived for diff in [*same, *found])
    assert [(diff.reason, [*diff.changes]) for diff in found] == [(diff.reason, [*diff.changes]) for diff in before]
    assert [[record.id for record in diff.stored] for diff in found] == [["e-0"], ["e-1"], ["e-2"], ["e-3"]]
    restore(on)
    found = diffs(on, changed_shop())
    assert categories(found) == ["lost", "lost", "changed", "changed"]
    assert not any(diff.archived for diff in found)


def test_totals_say_how_many_are_archived() -> None:
    on = numbered(platform(shop()), 4)
    archive(on)
    totals = Totals()
    for diff in diffs(on, changed_shop()):
        totals.add(diff)
    assert totals.as_dict()["archived"] == {"changed": 2, "lost": 2}
    assert (totals.out_of_reach, totals.breaks) == (4, True)
    both = Totals()
    both.merge(totals)
    both.merge(totals)
    assert both.out_of_reach == 8


def test_deliveries_of_archived_events_are_duplicates_or_conflicts() -> None:
    on = platform(shop())
    send(on, event(1), event(2))
    archive(on)
    send(on, event(1), event(2, amount=6))
    assert categories(diffs(on)) == ["same", "same", "duplicate", "duplicate"]
    found = diffs(on, contents=True)[2:]
    assert [(diff.category.value, diff.reason) for diff in found] == [("duplicate", None), ("rejected", "conflict")]


def test_what_is_unknown_and_older_than_the_boundary_would_be_rejected() -> None:
    on = platform(shop(least=2))
    send(on, event(1, amount=1), event(2, amount=5), event(3, amount=1, eventTime="2026-11-24T00:00:00Z"))
    assert categories(diffs(on, shop())) == ["new", "same", "new"]
    archive(on)
    found = diffs(on, shop())
    assert [(diff.category.value, diff.reason) for diff in found] == [
        ("rejected", "before-archive-boundary"), ("same", None), ("new", None),
    ]  # fmt: skip
    now = platform(shop(), on.stores)
    for raw in raws(on):
        now.process.receipt(raw.receipt.id, raw)
    assert on.stores.dead_letters.occurrences() == {"invalid": 2, "before-archive-boundary": 1}


def test_an_event_that_is_partly_in_the_store_counts_as_archived() -> None:
    on = numbered(platform(shop(transform=lambda sale: [{"n": n} for n in range(3)])), 2)
    every = stored(on)
    archive(on)
    for part in range(3):
        on.stores.curated.delete(every)
        on.stores.curated.restore([record for record in every if record.part == part])
        found = diffs(on)
        assert categories(found) == ["same", "same"]
        assert [diff.archived for diff in found] == [True, True]
        assert [len(diff.stored) for diff in diffs(on, shop(least=9))] == [3, 2 + 1]
    on.stores.curated.restore(every)
    assert [diff.archived for diff in diffs(on, shop(least=9))] == [False, False]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(AMOUNTS, min_size=1, max_size=3),
    st.lists(AMOUNTS, max_size=2),
    st.integers(-1, 2),
    st.integers(-1, 2),
    st.booleans(),
)
def test_a_diff_adds_up_to_the_ledger_entry_that_processing_would_write(
    early: list[list[int]], late: list[list[int]], before: int, after: int, restored: bool
) -> None:
    """Also where some of it is archived, restored, or behind the boundary."""
    on = platform(shop(least=before))
    for receipts in (early, late):
        for amounts in receipts:
            send(on, *[event(place, amount=amount) for place, amount in enumerate(amounts)])
        if receipts is early:
            archive(on)
            if restored:
                restore(on)
    now = platform(shop(least=after, transform=lambda sale: {"a": sale.amount}), on.stores)
    diff, process = Diff(now.pipeline, on.stores, contents=True), rehearsal(now.process, on.stores.curated)
    for raw in raws(on):
        assert entry_of(raw.receipt.id, diff.receipt(raw)) == process.receipt(raw.receipt.id, raw)
