"""``Replace``: a changed catalog applied to what is stored."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.faults import Injector, faulty
from millrace.adapters.faults.injector import Crash
from millrace.core.catalog import Catalog
from millrace.core.diffs import Totals
from millrace.core.errors import TransientError
from millrace.core.ports import Stores
from millrace.core.services.diff import Diff
from millrace.core.services.replace import Replace, Replaced
from millrace.entrypoints.platform import Platform

from .versions import event, platform, raws, send, shop, stored, visit


def apply(on: Platform, catalog: Catalog, stores: Stores | None = None, **options: Any) -> Replaced:
    """What was done to a platform's stores (or to a guise of them) by a catalog."""
    now = platform(catalog, stores or on.stores)
    replace, done = Replace(Diff(now.pipeline, now.stores), now.process, now.stores, **options), Replaced()
    for raw in raws(on):
        done.merge(replace.receipt(raw))
    return done


def totals(on: Platform, catalog: Catalog) -> Totals:
    found = Totals()
    now = platform(catalog, on.stores)
    for diff in Diff(now.pipeline, now.stores).events(raws(on)):
        found.add(diff)
    return found


def fields(on: Platform) -> dict[tuple[str, int], Any]:
    return {(record.id, record.part): (record.version, record.fields) for record in stored(on)}


def old_shop() -> tuple[Platform, Catalog]:
    """A platform with five sales, one of them rejected, and a catalog that takes all and writes them otherwise."""
    on = platform(shop(least=0))
    send(on, *[event(number, amount=number) for number in range(3)], visit(1))
    send(on, event(3, amount=3), event(4, amount=4))
    return on, shop(least=-1, version=2, transform=lambda sale: {"euros": sale.amount})


def test_changed_events_are_written_anew_and_new_ones_inserted() -> None:
    on, changed = old_shop()
    curated_at = {record.id: record.curated_at for record in stored(on)}
    done = apply(on, changed)
    assert (done.receipts, done.replaced, done.inserted, done.lost, done.types) == (2, 4, 1, 0, {"sale"})
    assert fields(on) == {(f"e-{number}", 0): (1 + 1, {"euros": number}) for number in range(5)}
    assert curated_at.items() <= {record.id: record.curated_at for record in stored(on)}.items()
    found = totals(on, changed)
    assert (found.categories["same"], found.breaks) == (6, False)


def test_the_ledger_agrees_with_what_is_stored_afterwards() -> None:
    on, changed = old_shop()
    apply(on, changed)
    assert platform(changed, on.stores).reconcile.run().holds
    apply(on, shop(least=3), lose=True)
    assert platform(changed, on.stores).reconcile.run().holds
    assert {record.id for record in stored(on)} == {"e-4"}


def test_applying_it_again_changes_nothing() -> None:
    on, changed = old_shop()
    apply(on, changed)
    before = stored(on)
    done = apply(on, changed)
    assert (done.replaced, done.inserted, done.lost, done.types) == (0, 0, 0, set())
    assert stored(on) == before


def test_what_would_be_lost_stays_unless_losing_is_allowed() -> None:
    on, _ = old_shop()
    tightened = shop(least=2, transform=lambda sale: {"euros": sale.amount})
    before = fields(on)
    done = apply(on, tightened)
    assert (done.replaced, done.kept, done.lost) == (2, 2, 0)
    assert fields(on) == {**before, ("e-3", 0): (1, {"euros": 3}), ("e-4", 0): (1, {"euros": 4})}
    assert platform(shop(), on.stores).reconcile.run().holds
    done = apply(on, tightened, lose=True)
    assert (done.replaced, done.kept, done.lost) == (0, 0, 2)
    assert {record.id for record in stored(on)} == {"e-3", "e-4"}
    assert on.stores.dead_letters.occurrences() == {"invalid": 3}


def test_new_events_beside_lost_ones_wait() -> None:
    on = platform(shop(rule=lambda sale: sale.amount != 1))
    send(on, event(1, amount=1), event(2, amount=2))
    done = apply(on, shop(rule=lambda sale: sale.amount != 2))
    assert (done.kept, done.waiting, done.inserted) == (1, 1, 0)
    assert {record.id for record in stored(on)} == {"e-2"}
    done = apply(on, shop(rule=lambda sale: sale.amount != 2), lose=True)
    assert (done.lost, done.inserted) == (1, 1)
    assert {record.id for record in stored(on)} == {"e-1"}


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 2), (4, 2)])
def test_events_get_as_many_records_as_the_catalog_makes(before: int, after: int) -> None:
    def in_parts(count: int, name: str) -> Catalog:
        return shop(transform=lambda sale: [{name: n} for n in range(count)])

    on = platform(in_parts(before, "a"))
    send(on, event(1), event(2))
    done = apply(on, in_parts(after, "b"))
    assert done.replaced == 2
    assert fields(on) == {(f"e-{n}", part): (1, {"b": part}) for n in (1, 2) for part in range(after)}
    assert on.stores.curated.count() == 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_after_a_crash_anywhere_applying_it_again_leads_to_the_same_end(seed: int, call: int) -> None:
    def history() -> Platform:
        on = platform(shop(transform=lambda sale: [{"a": sale.amount}] * (1 + int(sale.amount) % 2)))
        send(on, *[event(number, amount=number) for number in range(6)])
        send(on, event(6, amount=6), event(1, amount=1), event(7, amount=0))
        return on

    def changed() -> Catalog:
        return shop(least=2, transform=lambda sale: [{"b": sale.amount}] * (1 + int(sale.amount) // 2 % 2))

    whole, crashing = history(), history()
    apply(whole, changed(), lose=True)
    injector = Injector(Random(seed), rate=0.2)
    for _ in range(99):
        try:
            apply(crashing, changed(), faulty(crashing.stores, injector), lose=True)
        except (Crash, TransientError):
            injector.rate = 0.2 if injector.calls < call else 0.0
        else:
            break
    apply(crashing, changed(), lose=True)
    assert fields(crashing) == fields(whole)
    assert crashing.stores.dead_letters.occurrences() == whole.stores.dead_letters.occurrences()
    assert platform(changed(), crashing.stores).reconcile.run().holds
