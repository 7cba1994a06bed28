"""``Replace``: a changed catalog applied to what is stored."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from millrace import Count
from millrace.core.catalog import Catalog
from millrace.core.diffs import EventDiff, Totals
from millrace.core.ports import Stores
from millrace.core.records import RawObject
from millrace.core.services.archived import FOLDER
from millrace.core.services.diff import Diff
from millrace.core.services.outdated import Outdated
from millrace.core.services.replace import Replace, Replaced
from millrace.entrypoints.platform import Platform

from ..simulation.endings import rebuild_views
from .versions import archive, archived, event, platform, raws, restore, send, shop, stored, visit


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


def numbers(done: Replaced) -> dict[str, int]:
    """What is not 0 of what was done, but for the receipts."""
    return {name: count for name, count in attrs.asdict(done).items() if count and name not in ("types", "receipts")}


def letters(on: Platform) -> dict[str, int]:
    return dict(on.stores.dead_letters.occurrences())


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


def test_events_that_grow_beside_lost_ones_wait_whole() -> None:
    def in_parts(count: int, least: int) -> Catalog:
        return shop(least=least, transform=lambda sale: [{"n": n, "of": count} for n in range(count)])

    on = platform(in_parts(2, 0))
    send(on, event(1, amount=1), event(2, amount=2))
    before = stored(on)
    for _ in range(2):
        assert numbers(apply(on, in_parts(3, 1))) == {"kept": 1, "waiting": 1}
        assert stored(on) == before
    assert numbers(apply(on, in_parts(3, 1), lose=True)) == {"replaced": 1, "lost": 1}
    assert fields(on) == {("e-2", part): (1, {"n": part, "of": 3}) for part in range(3)}


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


def test_views_over_what_was_replaced_are_outdated_until_they_are_rebuilt() -> None:
    def viewed(catalog: Catalog) -> Catalog:
        for name, over in (("sales", "sale"), ("visits", "visit")):
            measures = {"number": Count()}
            catalog.view(name, over=catalog.types[over].cls, every=timedelta(days=1), measures=measures)
        return catalog

    on, now = platform(viewed(shop())), viewed(taxed())
    views = now.views.values()
    send(on, event(1), visit(1))
    assert Outdated(on.stores).of(views) == []
    apply(on, now)
    for _ in range(2):  # replaced again, there is nothing to do, but what was left to do still is
        assert [view.name for view in Outdated(on.stores).of(views)] == ["sales"]
        apply(on, now)
    rebuild_views(platform(now, on.stores))
    assert Outdated(on.stores).of(views) == []
    apply(on, viewed(shop(least=9)))
    assert Outdated(on.stores).of(views) == []  # what would be lost was kept
    apply(on, viewed(shop(least=9)), lose=True)
    assert [view.name for view in Outdated(on.stores).of(views)] == ["sales"]


# -------------------------------------------------------------------------------------------------------------- archive
def taxed(**options: Any) -> Catalog:
    return shop(transform=lambda sale: {"euros": sale.amount}, version=2, **options)


def archive_bodies(on: Platform) -> dict[str, bytes | None]:
    return {name: on.stores.archive.read(FOLDER, name) for name in on.stores.archive.names(FOLDER, "")}


def test_archived_events_are_kept_as_they_are_and_told() -> None:
    on = platform(shop())
    send(on, *[event(number, amount=number + 1) for number in range(3)])
    archive(on)
    send(on, event(5, eventTime="2026-11-25T00:00:00Z"))
    files = archive_bodies(on)
    done = apply(on, taxed())
    assert numbers(done) == {"replaced": 1, "kept": 3, "archived": 3}
    assert done.types == {"sale"}
    assert archive_bodies(on) == files
    assert platform(taxed(), on.stores).reconcile.run().holds


def test_restored_replaced_and_archived_again_they_are_what_the_catalog_makes_of_them() -> None:
    on, now = platform(shop()), taxed()
    send(on, *[event(number, amount=number + 1) for number in range(3)])
    archive(on)
    restore(on)
    assert numbers(apply(on, now)) == {"replaced": 3}
    assert archive(on) == 3
    assert [(record.version, record.fields) for record in archived(on)] == [
        (2, {"euros": record.fields["euros"]}) for record in archived(on)
    ]
    found = totals(on, now)
    assert (found.categories["same"], found.archived["same"], found.breaks) == (3, 3, False)
    assert platform(now, on.stores).reconcile.run().holds


def test_an_archived_event_that_would_be_lost_is_kept_until_it_is_restored_and_then_gone_for_good() -> None:
    on, tightened = platform(shop()), shop(least=2)
    send(on, *[event(number, amount=number + 1) for number in range(4)])
    archive(on)
    files = archive_bodies(on)
    assert numbers(apply(on, tightened, lose=True)) == {"kept": 2, "archived": 2}
    assert (archive_bodies(on), letters(on)) == (files, {})
    restore(on)
    assert numbers(apply(on, tightened, lose=True)) == {"lost": 2}
    assert {record.id for record in archived(on)} == {record.id for record in stored(on)} == {"e-2", "e-3"}
    assert letters(on) == {"invalid": 2}
    assert archive(on) == 2
    assert (totals(on, tightened).categories["same"], totals(on, tightened).breaks) == (2, False)
    assert platform(tightened, on.stores).reconcile.run().holds


def test_a_worker_that_remembers_the_archive_notices_what_left_it() -> None:
    on, tightened = platform(shop()), shop(least=2)
    send(on, event(1, amount=1), event(3, amount=3))
    process = platform(shop(), on.stores).process  # as a worker that has read the archive before
    archive(on)
    [entry] = [process.receipt(raw.receipt.id) for raw in raws(on)]
    assert entry.curated == 2
    restore(on)
    apply(on, tightened, lose=True)
    archive(on)
    [entry] = [process.receipt(raw.receipt.id) for raw in raws(on)]
    assert (entry.curated, dict(entry.dead_letters)) == (1, {"before-archive-boundary": 1})


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 2)])
def test_restored_events_get_as_many_records_as_the_catalog_makes_and_so_does_the_archive(
    before: int, after: int
) -> None:
    def in_parts(count: int, name: str) -> Catalog:
        return shop(transform=lambda sale: [{name: n} for n in range(count)])

    on, now = platform(in_parts(before, "a")), in_parts(after, "b")
    send(on, event(1), event(2))
    archive(on)
    files = archive_bodies(on)
    assert numbers(apply(on, now)) == {"kept": 2, "archived": 2}
    assert (archive_bodies(on), stored(on)) == (files, [])
    restore(on)
    assert numbers(apply(on, now)) == {"replaced": 2}
    archive(on)
    assert stored(on) == []
    found = {(record.id, record.part): record.fields for record in archived(on)}
    assert found == {(f"e-{n}", part): {"b": part} for n in (1, 2) for part in range(after)}
    assert not totals(on, now).breaks
    assert platform(now, on.stores).reconcile.run().holds


@pytest.mark.parametrize("lose", [True, False], ids=["losing", "keeping"])
def test_new_events_beside_archived_ones_that_would_be_lost_wait(lose: bool) -> None:
    on = platform(shop(rule=lambda sale: sale.amount != 3))
    later = {"eventTime": "2026-11-25T00:00:00Z"}
    send(on, event(1, amount=1), event(3, amount=3, **later), event(4, amount=1, **later))
    archive(on)
    now = shop(rule=lambda sale: sale.amount != 1)
    assert numbers(apply(on, now, lose=lose)) == {"kept": 2, "archived": 1, "waiting": 1}
    assert platform(now, on.stores).reconcile.run().holds
    restore(on)
    assert numbers(apply(on, now, lose=True)) == {"lost": 2, "inserted": 1}
    assert platform(now, on.stores).reconcile.run().holds


def test_what_is_archived_between_comparing_and_writing_is_not_counted_as_replaced() -> None:
    on = platform(shop())
    send(on, event(1))
    now = platform(taxed(), on.stores)

    class Meanwhile(Diff):
        def receipt(self, raw: RawObject) -> list[EventDiff]:
            found = super().receipt(raw)
            archive(on)
            return found

    [raw] = raws(on)
    done = Replace(Meanwhile(now.pipeline, now.stores), now.process, now.stores).receipt(raw)
    assert (numbers(done), done.types) == ({}, set())
    assert numbers(apply(on, taxed())) == {"kept": 1, "archived": 1}
