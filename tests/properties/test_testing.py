"""Strategies for authors: whatever is declared, they draw what they say they do; and the laws find what is wrong."""

import json
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Annotated, Any, Literal
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from millrace import Catalog, Count, Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Pattern, Predicate, Sum
from millrace.core.catalogs import cloudtrail, retail, webhooks
from millrace.core.pipeline.judgement import Failed
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.schema.structure import compile_structure
from millrace.testing import Delivered, LawBroken, MemoryPlatform, TooNarrow, data, events, histories, holds_the_laws
from millrace.testing.strategies import exactly, judged_data

from .declarations import Channel, Colour, CustomerId, Size, catalog_of, class_of

RANDOM = st.randoms(use_true_random=True)


def found(strategy: st.SearchStrategy[Any], wanted: Any = lambda _: True) -> Any:
    """A value that is wanted, not the smallest one."""
    return find(strategy, wanted, settings=settings(max_examples=5000, phases=[Phase.generate], database=None))


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=[*HealthCheck])


@examples(100)
@given(RANDOM, st.data())
def test_data_of_any_class_is_json_that_the_class_takes(random: Random, draw: st.DataObject) -> None:
    cls, _ = class_of(random)
    drawn = draw.draw(data(cls))
    assert isinstance(compile_structure(cls, reject_unknown=True)(exactly(drawn), ""), cls)
    assert json.loads(json.dumps(drawn, allow_nan=False)) == drawn


@examples(100)
@given(RANDOM, st.data())
def test_events_of_any_catalog_are_accepted_unless_its_functions_fail(random: Random, draw: st.DataObject) -> None:
    catalog, _ = catalog_of(random)
    event = draw.draw(events(catalog))
    platform = MemoryPlatform(catalog)
    platform.send(event)
    [*reasons] = platform.drain()["dead_letters"]
    assert reasons in ([], ["transform-error"])
    declared = catalog.types[event["eventType"]]
    judged = judged_data(platform.platform.pipeline, declared, declared.version, event["data"])
    assert isinstance(judged, Failed) == (reasons == ["transform-error"])


@examples(100)
@given(RANDOM, st.data())
def test_events_of_a_history_of_any_catalog_end_as_they_say(random: Random, draw: st.DataObject) -> None:
    catalog, _ = catalog_of(random)
    history = draw.draw(histories(catalog, max_size=5))
    pipeline = Pipeline(catalog)
    faults = [each for each in history if each.dead is None and _fails(pipeline, each)]
    if faults:
        with pytest.raises(LawBroken, match="Law 1: an event became a dead letter"):
            holds_the_laws(catalog, history)
    else:
        holds_the_laws(catalog, history)


def _fails(pipeline: Pipeline, each: Delivered) -> bool:
    """Whether an event that fits its class makes a function of the catalog fail."""
    platform = MemoryPlatform(pipeline.catalog)
    platform.send(each.document)
    return bool(platform.drain()["dead_lettered"])


# --------------------------------------------------------------------------------------------------- one of everything


def _is_even(value: int) -> bool:
    return value % 2 == 0


@attrs.frozen
class Address:
    street: Annotated[str, Len(1, 20)]
    code: Annotated[str, Pattern("^[0-9]{5}$")]


@attrs.frozen
class Everything:
    text: str
    short: Annotated[str, MinLen(2), MaxLen(3)]
    lower: Annotated[str, Predicate(str.islower)]
    whole: Annotated[int, Gt(0), Lt(10)]
    even: Annotated[int, Predicate(_is_even), Ge(0)]
    sevens: Annotated[int, MultipleOf(7), Interval(gt=10, le=70)]
    cents: Annotated[Decimal, MultipleOf(Decimal("0.01")), Gt(0), Lt(1)]
    tiny: Annotated[Decimal, Gt(Decimal("0.001")), Lt(Decimal("0.002"))]
    share: Annotated[float, Ge(0), Le(1)]
    at: Annotated[datetime, Ge(datetime(2026, 1, 1, tzinfo=UTC)), Lt(datetime(2027, 1, 1, tzinfo=UTC))]
    on: Annotated[date, Gt(date(2026, 1, 1))]
    clock: Annotated[time, Lt(time(12))]
    key: UUID
    blob: Annotated[bytes, MinLen(1)]
    flag: bool
    level: Literal["low", "high", 3]
    colour: Colour
    size: Size
    channel: Channel
    customer: CustomerId
    address: Address
    past: Annotated[list[Address], MaxLen(2)]
    tags: Annotated[set[str], Len(1, 3)]
    counts: Annotated[dict[str, int], MaxLen(2)]
    numbers: tuple[Annotated[int, Ge(0)], ...]
    either: int | str | None
    bounded: Annotated[int | None, Ge(5)]
    anything: Any
    note: str | None = None
    many: list[int] = attrs.Factory(list)


@examples(100)
@given(data(Everything))
def test_data_has_fields_of_every_type_within_their_constraints(drawn: dict[str, Any]) -> None:
    taken: Everything = compile_structure(Everything, reject_unknown=True)(exactly(drawn), "")
    assert Decimal("0.001") < taken.tiny < Decimal("0.002")
    assert taken.sevens in range(14, 71, 7)
    assert taken.even % 2 == 0
    assert 2 <= len(taken.short) <= 3
    assert 1 <= len(taken.tags) <= 3
    assert taken.bounded is None or taken.bounded >= 5


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(lambda drawn: "note" not in drawn and "many" not in drawn, id="optional fields are left out"),
        pytest.param(lambda drawn: "note" in drawn and drawn["note"] is None, id="optional fields are null"),
        pytest.param(lambda drawn: isinstance(drawn["either"], str), id="either is a text"),
        pytest.param(lambda drawn: isinstance(drawn["either"], int), id="either is a number"),
        pytest.param(lambda drawn: isinstance(drawn["cents"], float), id="a Decimal is a number"),
        pytest.param(lambda drawn: drawn["level"] == 3, id="the last of the choices"),
        pytest.param(lambda drawn: not drawn["at"].endswith("Z"), id="an instant has another offset"),
        pytest.param(lambda drawn: len(drawn["past"]) == 2, id="as many items as there may be"),
        pytest.param(lambda drawn: isinstance(drawn["anything"], dict), id="anything is an object"),
    ],
)
def test_data_varies(wanted: Any) -> None:
    assert found(data(Everything), wanted)


def test_a_decimal_that_no_float_says_exactly_is_a_text() -> None:
    @attrs.frozen
    class Exact:
        value: Decimal

    text = found(data(Exact), lambda drawn: isinstance(drawn["value"], str))
    assert Decimal(repr(float(text["value"]))) != Decimal(text["value"])


def test_a_field_can_be_drawn_from_a_strategy_of_ones_own() -> None:
    strategy = data(Address, code=st.just("10115"))
    assert found(strategy)["code"] == "10115"
    with pytest.raises(TypeError, match="Address has no field 'town'"):
        data(Address, town=st.just("Berlin"))


# --------------------------------------------------------------------------------------------------------- a small shop


@attrs.frozen
class Sale:
    order: str
    amount: Annotated[Decimal, Gt(0), Lt(10_000)]
    test: bool = False


@attrs.frozen
class OldSale:
    order: str
    cents: Annotated[int, Gt(0), Lt(100_000)]


def shop() -> Catalog:
    catalog = Catalog("shop")
    catalog.event("sale", version=3, unknown="reject")(Sale)
    catalog.upcast("sale", from_version=1)(lambda data: {"order": data["number"], "cents": data["cents"]})
    catalog.upcast("sale", from_version=2, data=OldSale)(
        lambda data: {"order": data["order"], "amount": Decimal(data["cents"]) / 100}
    )
    catalog.rule(Sale, name="not_too_much")(lambda sale: sale.amount < 5000)
    catalog.example("sale", {"number": "o-1", "cents": 5}, version=1)
    catalog.view("sales", over=Sale, every=timedelta(hours=1), measures={"n": Count(), "sum": Sum("amount")})
    return catalog


SHOP = shop()
FILTERING = shop()
FILTERING.transform(Sale)(lambda sale: None if sale.test else {"amount": sale.amount})


@pytest.mark.parametrize("catalog", [SHOP, FILTERING], ids=["plain", "filtering"])
def test_the_laws_hold_for_every_history(catalog: Catalog) -> None:
    @examples(100)
    @given(histories(catalog))
    def check(history: list[Delivered]) -> None:
        holds_the_laws(catalog, history)

    check()


HISTORIES = histories(SHOP)
REASONS = {"malformed", "unknown-type", "unsupported-version", "invalid", "rule", "conflict"}


@pytest.mark.parametrize(
    "wanted",
    [
        *[pytest.param(lambda h, r=reason: any(each.dead == r for each in h), id=reason) for reason in sorted(REASONS)],
        pytest.param(lambda h: any(b'"specversion"' in each.document for each in h), id="a CloudEvent"),
        pytest.param(lambda h: any(b'"data"' not in each.document and not each.dead for each in h), id="a flat event"),
        pytest.param(lambda h: any(b'"number"' in each.document and not each.dead for each in h), id="an example"),
        pytest.param(lambda h: any(b'"cents"' in each.document and not each.dead for each in h), id="an old version"),
        pytest.param(lambda h: len({each.document for each in h}) < len(h), id="an exact duplicate"),
        pytest.param(lambda h: _ids(h) != sorted(_ids(h)), id="another order"),
    ],
)
def test_histories_have_all_that_senders_send(wanted: Any) -> None:
    assert found(HISTORIES, wanted)


def _ids(history: list[Delivered]) -> list[str]:
    documents = [json.loads(each.document) for each in history if each.dead is None]
    return [document.get("eventId", document.get("id")) for document in documents]


@pytest.mark.parametrize("of", [Sale, "sale", OldSale])
def test_histories_draw_data_from_a_strategy_of_ones_own(of: Any) -> None:
    strategy = histories(SHOP, data={of: data(OldSale if of is OldSale else Sale, order=st.just("mine"))})
    history = found(strategy, lambda drawn: any(b'"mine"' in each.document for each in drawn))
    holds_the_laws(SHOP, history)
    assert any((b'"cents"' in each.document) == (of is OldSale) for each in history if b'"mine"' in each.document)


def test_a_strategy_for_what_is_not_declared_is_refused() -> None:
    with pytest.raises(LookupError, match="is no event type of the catalog"):
        histories(SHOP, data={Address: data(Address)})


AMOUNTS = st.decimals("0.01", "2000000", places=2)
RETAIL: dict[type | str, st.SearchStrategy[Any]] = {
    # A rule that is about cents cannot say of an amount of over 26 digits how many it has, and raises.
    of: data(of, amount=AMOUNTS)
    for of in (retail.Purchase, retail.PurchaseInDollars, retail.Refund)
}


@pytest.mark.parametrize(
    ("catalog", "given_"),
    [(retail.catalog, RETAIL), (cloudtrail.catalog, {}), (webhooks.catalog, {})],
    ids=["retail", "cloudtrail", "webhooks"],
)
def test_the_catalogs_that_come_with_it_keep_the_laws(catalog: Catalog, given_: Any) -> None:
    @examples(50)
    @given(histories(catalog, data=given_))
    def check(history: list[Delivered]) -> None:
        holds_the_laws(catalog, history)

    check()


def test_what_a_subscription_costs_can_always_be_kept_exactly() -> None:
    """Found by the test above: a quantity of 31 digits, which the transform multiplies by a price."""
    item = {"price": {"id": "", "unit_amount": 21059138}, "quantity": 6669173938587589475602215686887}
    data = {"id": "", "customer": "", "status": "", "currency": "0", "items": {"data": [item]}}
    event = {"eventType": "customer.subscription.created", "eventId": "e11", "data": data}
    holds_the_laws(webhooks.catalog, [Delivered(json.dumps(event).encode(), dead="invalid")])


def test_events_are_of_the_type_that_is_asked_for_in_its_current_version() -> None:
    for of in (Sale, "sale", None):
        event = found(events(SHOP, of))
        assert (event["eventType"], event["schemaVersion"]) == ("sale", 3)
    with pytest.raises(LookupError, match="is no event type of the catalog; it has sale"):
        events(SHOP, "purchase")


@examples(50)
@given(events(SHOP, Sale))
def test_events_keep_the_rules(event: dict[str, Any]) -> None:
    assert Decimal(event["data"]["amount"]) < 5000


# --------------------------------------------------------------------------------------------------------- clear errors


def refusing(holds: Any) -> Catalog:
    catalog = Catalog("refusing")
    catalog.event("sale")(Sale)
    catalog.rule(Sale, name="never")(holds)
    return catalog


def test_rules_that_refuse_everything_are_said_to_do_so() -> None:
    @given(events(refusing(lambda sale: False)))
    def never(_: dict[str, Any]) -> None:
        raise AssertionError("no event was to be drawn")

    with pytest.raises(TooNarrow, match="The rules of 'sale' refuse all events that were drawn; draw it from a str"):
        never()


def test_constraints_that_refuse_everything_are_said_to_do_so() -> None:
    @attrs.frozen
    class Never:
        field: Annotated[str, Predicate(lambda text: False)]

    with pytest.raises(TooNarrow, match=r"Never\.field: no value was found that meets"):
        found(data(Never))


@pytest.mark.parametrize(
    ("annotation", "what"),
    [
        (Annotated[int, Gt(1), Lt(2)], "no int"),
        (Annotated[Decimal, Gt(2), Lt(1)], "no Decimal"),
        (Annotated[float, Gt(2), Lt(1)], "no float"),
        (Annotated[str, Len(3), MaxLen(2)], "nothing"),
        (Annotated[date, Gt(date(2026, 1, 2)), Lt(date(2026, 1, 1))], "no date"),
        (Annotated[time, Gt(time(2)), Lt(time(1))], "no time"),
        (
            Annotated[datetime, Gt(datetime(2026, 1, 2, tzinfo=UTC)), Lt(datetime(2026, 1, 1, tzinfo=UTC))],
            "no datetime",
        ),
    ],
)
def test_constraints_that_contradict_each_other_are_named_at_once(annotation: Any, what: str) -> None:
    cls = attrs.make_class("Narrow", {"field": attrs.field(type=annotation)})
    with pytest.raises(TooNarrow, match=rf"Narrow\.field: {what} meets "):
        data(cls)


# -------------------------------------------------------------------------------------------------------- what is wrong

SALE = {"eventType": "sale", "eventId": "1", "data": {"order": "o", "amount": 5}}


def broken(catalog: Catalog, *history: Any) -> str:
    with pytest.raises(LawBroken) as caught:
        holds_the_laws(catalog, history)
    return str(caught.value)


def test_a_function_that_raises_breaks_the_first_law_for_an_event_in_order() -> None:
    catalog = shop()
    catalog.transform(Sale)(lambda sale: {"amount": 1 / (sale.amount - 5)})
    said = broken(catalog, Delivered(json.dumps(SALE).encode()))
    assert "transform-error" in said
    assert "DivisionByZero" in said
    assert '"eventId": "1"' in said
    holds_the_laws(catalog, [SALE])  # of what only has to end somewhere, that is an end


def test_another_outcome_than_was_expected_breaks_the_first_law() -> None:
    assert "was taken, and is a dead letter (invalid)" in broken(SHOP, Delivered(json.dumps(SALE).encode(), "invalid"))
    assert "(malformed: " in broken(SHOP, Delivered(b"{", "invalid"))


def test_a_view_that_is_not_the_fold_breaks_the_second_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.core.services.project.fold_rows", lambda *_: None)
    assert broken(SHOP, SALE).startswith("Law 2: A view is not the plain fold:\n  /views/sales/0: ")


def test_a_transform_that_remembers_breaks_the_third_or_the_fourth_law() -> None:
    calls, later = Counter[str](), Counter[str]()

    def curate(sale: Sale) -> dict[str, Any] | None:
        calls[sale.order] += 1
        return {"amount": sale.amount, "calls": calls[sale.order]}

    catalog = shop()
    catalog.transform(Sale)(curate)
    assert broken(catalog, SALE).startswith(
        "Law 4: The raw log, processed once more, gives something else:\n  /events/0/"
    )

    def forget(sale: Sale) -> dict[str, Any] | None:
        later[sale.order] += 1
        return None if later[sale.order] > 1 else {"amount": sale.amount}

    catalog = shop()
    catalog.transform(Sale)(forget)
    assert broken(catalog, SALE).startswith("Law 3: Processing every receipt again changed something:\n")


def test_histories_of_a_catalog_whose_upcaster_raises_break_the_first_law() -> None:
    catalog = Catalog("raising")
    catalog.event("sale", version=2)(Sale)
    catalog.upcast("sale", from_version=1, data=OldSale)(lambda data: {"order": data["no such field"]})

    @settings(deadline=None, database=None, phases=[Phase.generate])
    @given(histories(catalog))
    def check(history: list[Delivered]) -> None:
        holds_the_laws(catalog, history)

    with pytest.raises(LawBroken, match="upcaster from 1 raised KeyError"):
        check()
