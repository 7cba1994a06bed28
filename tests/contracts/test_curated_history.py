"""Diff and replace over the stores of every adapter: what a changed catalog would do to history, and doing it."""

from millrace.core.diffs import Totals
from millrace.core.ports import Stores
from millrace.core.services.diff import Diff
from millrace.core.services.replace import Replace, Replaced

from ..unit.versions import event, platform, raws, send, shop, stored, visit


def test_a_changed_catalog_is_compared_and_applied(stores: Stores) -> None:
    before = platform(shop(transform=lambda sale: [{"amount": sale.amount}] * 2), stores)
    send(before, *[event(number, amount=number) for number in range(6)], visit(1), visit(1))
    send(before, visit(1), visit(2), event(1, amount=1))
    after = platform(shop(least=2, transform=lambda sale: {"cents": int(sale.amount * 100)}), stores)

    def compared() -> Totals:
        totals = Totals()
        for diff in Diff(after.pipeline, stores).events(raws(after)):
            totals.add(diff)
        return totals

    totals = compared()
    assert {name: count for name, count in totals.categories.items() if count} == {
        "changed": 3, "lost": 2, "same": 2, "duplicate": 2, "rejected": 2,
    }  # fmt: skip
    assert len(stored(before)) == 10
    replace, done = Replace(Diff(after.pipeline, stores), after.process, stores, lose=True), Replaced()
    for raw in raws(after):
        done.merge(replace.receipt(raw))
    assert (done.replaced, done.lost, done.inserted, done.types) == (3, 2, 0, {"sale"})
    assert sorted((record.id, record.part, record.fields["cents"]) for record in stored(after)) == [
        ("e-3", 0, 300), ("e-4", 0, 400), ("e-5", 0, 500),
    ]  # fmt: skip
    assert not compared().breaks
    assert after.reconcile.run().holds
