"""Measures: commutative monoids with exact results, whatever the order, the batches and the merges."""

from datetime import timedelta
from decimal import Decimal, getcontext, localcontext
from fractions import Fraction
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace import Catalog, Count, Distinct, First, Last, Max, Mean, Min, Quantiles, Sum
from millrace.core.canonical import canonical_text
from millrace.core.errors import CatalogError
from millrace.core.identity import record_key
from millrace.core.records import Changes, Curated, RowKey, ViewRow
from millrace.core.views.measures import Measure
from millrace.core.views.projection import bucket, fold, results
from millrace.core.views.view import View

NUMBERS = st.one_of(
    st.integers(-5, 5),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-100, max_value=100, places=2),
    st.sampled_from(
        [
            Decimal("1"),
            Decimal("1.0"),
            Decimal("-0.0"),
            Decimal("1E+125"),
            Decimal("-1E+125"),
            Decimal("1E-130"),
            10**125,
        ]
    ),
)
VALUES = st.one_of(NUMBERS, NUMBERS, st.sampled_from(["", "a", "1", '"1', "é", True, False, None]))


@attrs.frozen
class Anything:
    v: Any
    g: Any = None
    h: Any = None


def curated(number: int, fields: dict[str, Any], time: int = 0) -> Curated:
    return Curated("t", time, "s", str(number), 0, 1, None, "r", number, 0, fields)


@st.composite
def batches(draw: st.DrawFn, values: Any = VALUES) -> list[Curated]:
    """Events with values, some at the same instant, some without the field."""
    found = draw(st.lists(st.tuples(values, st.integers(-2, 2)), max_size=12))
    missing = draw(st.integers(0, 12))
    return [curated(i, {} if i == missing else {"v": value}, time) for i, (value, time) in enumerate(found)]


MEASURES: list[Measure] = [
    Count(),
    Count("v"),
    Sum("v"),
    Mean("v"),
    Min("v"),
    Max("v"),
    First("v"),
    Last("v"),
    Distinct("v"),
    Distinct("v", approximate=True),
    Quantiles("v"),
]
each_measure = pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.signature)


def spelt(state: Any) -> str:
    return repr(state)


def whole(measure: Measure, events: list[Curated]) -> Any:
    return measure.fold(measure.start(), events)


@each_measure
@given(data=st.data())
@settings(max_examples=25)
def test_states_merge_as_a_commutative_monoid_does(measure: Measure, data: st.DataObject) -> None:
    events = data.draw(batches())
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(events))] * 2)))
    a, b, c = (whole(measure, part) for part in (events[:first], events[first:second], events[second:]))
    before = spelt((a, b, c))
    assert spelt(measure.merge(a, b)) == spelt(measure.merge(b, a))
    assert spelt(measure.merge(measure.merge(a, b), c)) == spelt(measure.merge(a, measure.merge(b, c)))
    assert spelt(measure.merge(a, measure.start())) == spelt(a) == spelt(measure.merge(measure.start(), a))
    assert spelt((a, b, c)) == before


@each_measure
@given(data=st.data())
@settings(max_examples=25)
def test_any_order_and_any_batches_give_the_plain_fold(measure: Measure, data: st.DataObject) -> None:
    events = data.draw(batches())
    plain = whole(measure, events)
    state = measure.start()
    shuffled = data.draw(st.permutations(events))
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        before = spelt(state)
        after = measure.fold(state, shuffled[:size])
        assert spelt(state) == before
        state, shuffled = after, shuffled[size:]
    assert spelt(state) == spelt(plain)
    assert spelt(measure.result(state)) == spelt(measure.result(plain))


@given(st.lists(NUMBERS, max_size=40))
def test_sums_and_means_never_round(numbers: list[Any]) -> None:
    events = [curated(i, {"v": number}) for i, number in enumerate(numbers)]
    exact = sum(map(Fraction, numbers), Fraction(0))
    with localcontext() as context:  # whatever the surroundings have set
        context.prec = 3
        total, mean = whole(Sum("v"), events), whole(Mean("v"), events)
        assert Fraction(total) == exact
        result = Mean("v").result(mean)
    if numbers:
        assert abs(Fraction(result) - exact / len(numbers)) <= abs(exact / len(numbers)) / 10**37
    else:
        assert result is None
    assert getcontext().prec == 28


@given(batches(NUMBERS))
def test_least_greatest_earliest_and_latest_are_what_they_say(events: list[Curated]) -> None:
    having = [e for e in events if "v" in e.fields]
    numbers = [e.fields["v"] for e in having]
    assert Min("v").result(whole(Min("v"), events)) == min(numbers, default=None)
    assert Max("v").result(whole(Max("v"), events)) == max(numbers, default=None)
    ordered = sorted(having, key=record_key)
    assert spelt(First("v").result(whole(First("v"), events))) == spelt(ordered[0].fields["v"] if ordered else None)
    assert spelt(Last("v").result(whole(Last("v"), events))) == spelt(ordered[-1].fields["v"] if ordered else None)


@given(batches())
def test_different_values_are_counted_by_their_canonical_text(events: list[Curated]) -> None:
    values = [e.fields["v"] for e in events if e.fields.get("v") is not None]
    assert Distinct("v").result(whole(Distinct("v"), events)) == len({canonical_text(v) for v in values})
    near = Distinct("v", approximate=True)
    assert near.result(whole(near, events)) == pytest.approx(len({canonical_text(v) for v in values}), abs=1)


def test_an_approximate_count_is_within_its_error() -> None:
    measure = Distinct("v", approximate=True)
    events = [curated(i, {"v": f"customer-{i % 20_000}"}) for i in range(40_000)]
    assert measure.result(whole(measure, events)) == pytest.approx(20_000, rel=0.05)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=60), st.sampled_from([0, 0.1, 0.5, 0.95, 1]))
def test_a_quantile_is_within_one_percent_of_the_value_at_its_rank(numbers: list[int], q: float) -> None:
    measure = Quantiles("v", at=(q,))
    state = whole(measure, [curated(i, {"v": n}) for i, n in enumerate(numbers)])
    true = sorted(numbers)[int(q * (len(numbers) - 1))]
    assert float(measure.result(state)[str(q)]) == pytest.approx(true, rel=0.0101)


def test_quantiles_take_every_number_a_store_holds() -> None:
    numbers = [Decimal("1E-130"), Decimal("9.9E+125"), Decimal("-9.9E+125"), 10**125, 0, Decimal("-0.0")]
    measure = Quantiles("v", at=(0, 1))
    state = whole(measure, [curated(i, {"v": n}) for i, n in enumerate(numbers)])
    assert float(measure.result(state)["1"]) == pytest.approx(9.9e125, rel=0.0101)


GROUPS = st.one_of(
    st.sampled_from([1, True, Decimal("1"), Decimal("1.0"), 0, False, None, "1", "true", "", "null"]), VALUES
)


def view(by: tuple[str, ...], every: int = 3_600_000_000) -> View:
    measures = {"n": Count(), "sum": Sum("v"), "last": Last("v"), "distinct": Distinct("v"), "least": Min("v")}
    return View("view", "t", every, by, measures, "here")


@st.composite
def grouped(draw: st.DrawFn) -> list[Curated]:
    times = st.sampled_from([-3_600_000_001, -3_600_000_000, -1, 0, 1, 3_599_999_999, 3_600_000_000])
    rows = draw(st.lists(st.tuples(GROUPS, GROUPS, NUMBERS, times), max_size=14))
    return [curated(i, {"g": g, "h": h, "v": v}, time) for i, (g, h, v, time) in enumerate(rows)]


def rows_of(over: View, events: list[Curated]) -> list[ViewRow]:
    found = bucket(over, events)
    changes = Changes("o", [e.index + 1 for e in events], events)
    return [row for key, group in found.items() if (row := fold(over, key, None, group, changes)) is not None]


@given(grouped())
def test_every_event_counts_in_the_window_of_its_time_and_in_one_group(events: list[Curated]) -> None:
    over = view(("g", "h"))
    found = bucket(over, events)
    assert sorted(e.index for group in found.values() for e in group) == list(range(len(events)))
    for key, group in found.items():
        for event in group:
            assert key.window <= event.time < key.window + over.every
            assert key.window % over.every == 0
            assert key.group == canonical_text([event.fields["g"], event.fields["h"]])


@given(grouped(), st.sampled_from([(), ("g",), ("h",), ("h", "g")]))
def test_merging_groups_when_read_equals_folding_with_fewer_fields(events: list[Curated], by: tuple[str, ...]) -> None:
    merged = results(view(("g", "h")), rows_of(view(("g", "h")), events), by)
    folded = results(view(by), rows_of(view(by), events))
    assert list(map(repr, merged)) == list(map(repr, folded))


@given(grouped(), st.data())
def test_changes_that_come_again_or_overlap_are_folded_once(events: list[Curated], data: st.DataObject) -> None:
    over = view(("g",))
    rows: dict[RowKey, ViewRow] = {}
    reached = 0
    while reached < len(events):
        start = data.draw(st.integers(0, reached))
        stop = data.draw(st.integers(reached + 1, len(events)))
        part = events[start:stop]
        changes = Changes("o", list(range(start + 1, stop + 1)), part)
        for key, group in bucket(over, part).items():
            row = fold(over, key, rows.get(key), group, changes)
            if row is not None:
                rows[key] = row
                assert fold(over, key, row, group, changes) is None
        reached = stop
    assert list(map(repr, results(over, rows.values()))) == list(map(repr, results(over, rows_of(over, events))))


def test_a_view_is_declared_with_measures_it_can_take() -> None:
    for wrong in (Sum("g"), Mean("g"), Quantiles("g")):
        catalog = Catalog("c")
        cls = catalog.event("t")(attrs.make_class("Texts", {"g": attrs.field(type=str)}))
        with pytest.raises(CatalogError, match="needs numbers"):
            catalog.view("x", over=cls, every=timedelta(hours=1), measures={"m": wrong})


def test_shuffled_input_of_any_size_gives_the_same_row() -> None:
    events = [curated(i, {"g": i % 3, "v": Decimal(i) / 8}, i * 1_000_000) for i in range(500)]
    plain = results(view(("g",)), rows_of(view(("g",)), events))
    for seed in range(5):
        shuffled = Random(seed).sample(events, len(events))
        positions = list(range(1, len(shuffled) + 1))
        rows = [
            row
            for key, group in bucket(view(("g",)), shuffled).items()
            if (row := fold(view(("g",)), key, None, group, Changes("o", positions, shuffled))) is not None
        ]
        assert list(map(repr, results(view(("g",)), rows))) == list(map(repr, plain))
