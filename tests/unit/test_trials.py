"""Examples of catalogs, declared and generated: what holds, what does not, and what is said of it."""

from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Annotated, Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace import Catalog, CatalogError, Gt
from millrace.core.catalogs import cloudtrail, retail, webhooks
from millrace.core.comparison import Difference
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.pipeline.trials import Trial, trials, untried

from ..properties.declarations import catalog_of


@attrs.frozen
class Sale:
    order: str
    amount: Annotated[Decimal, Gt(0)]
    at: datetime | None = None
    test: bool = False


@attrs.frozen
class OldSale:
    order: str


def shop() -> Catalog:
    catalog = Catalog("shop")
    catalog.event("sale", version=2)(Sale)
    catalog.upcast("sale", from_version=1)(lambda data: {**data, "amount": 5})
    catalog.rule(Sale, name="plausible")(lambda sale: sale.amount < 1000)

    @catalog.transform(Sale)
    def curate(sale: Sale) -> Any:
        if sale.order == "several":
            return [{"part": 1}, {"part": 2}]
        return None if sale.test else {"order": sale.order, "amount": sale.amount, "at": sale.at}

    return catalog


def tried(catalog: Catalog) -> list[Trial]:
    return [*trials(Pipeline(catalog))]


def only(data: dict[str, Any], **expected: Any) -> Trial:
    """The trial of one declared example."""
    catalog = shop()
    catalog.example(Sale, data, **expected)
    return tried(catalog)[0]


GOOD = {"order": "a", "amount": "12.50"}
CURATED = {"order": "a", "amount": Decimal("12.5"), "at": None}
BAD = {"order": 7, "amount": 0}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (GOOD, {}),
        (GOOD, {"curated": CURATED}),
        (GOOD, {"curated": [CURATED]}),
        (GOOD, {"curated": {**CURATED, "amount": 12.5}}),
        ({"order": "a", "amount": 12}, {"curated": {**CURATED, "amount": 12}}),
        (
            {**GOOD, "at": "2026-11-23T01:00:00+01:00"},
            {"curated": {**CURATED, "at": datetime(2026, 11, 23, tzinfo=UTC)}},
        ),
        ({"order": "several", "amount": 1}, {"curated": [{"part": 1}, {"part": 2}]}),
        ({**GOOD, "test": True}, {"filtered": True}),
        ({**GOOD, "test": True}, {}),
        (BAD, {"rejected": True}),
        (BAD, {"rejected": ["/order", "/amount"]}),
        (BAD, {"rejected": ["type", "gt"]}),
        (BAD, {"rejected": "invalid"}),
        ({"order": "a"}, {"rejected": "required"}),
        ({"order": "a", "amount": 1000}, {"rejected": "plausible"}),
        ({"order": "a", "amount": 1000}, {"rejected": "rule"}),
        ({"order": "a"}, {"version": 1, "curated": {**CURATED, "amount": 5}}),
    ],
)
def test_an_example_holds_that_comes_out_as_it_says(data: dict[str, Any], expected: dict[str, Any]) -> None:
    trial = only(data, **expected)
    assert (trial.holds, [*trial.differences]) == (True, [])
    assert (trial.place or "").startswith(__file__)


@pytest.mark.parametrize(
    ("data", "expected", "got"),
    [
        (GOOD, {"filtered": True}, "curated"),
        (GOOD, {"rejected": True}, "curated"),
        ({**GOOD, "test": True}, {"curated": CURATED}, "filtered"),
        ({**GOOD, "test": True}, {"rejected": True}, "filtered"),
        ({"order": "several", "amount": 1}, {"filtered": True}, "curated into 2"),
        (BAD, {}, "invalid: /order expected str, got int; /amount is not greater than 0"),
        (BAD, {"curated": CURATED}, "invalid: /order expected str, got int; /amount is not greater than 0"),
        (BAD, {"rejected": "/order"}, "invalid: /order expected str, got int; /amount is not greater than 0"),
        ({"order": "a", "amount": 0}, {"rejected": ["/order", "/amount"]}, "invalid: /amount is not greater than 0"),
        ({"order": "a", "amount": 1000}, {"rejected": "other"}, "rule: The rule 'plausible' does not hold."),
    ],
)
def test_an_example_that_comes_out_otherwise_fails(data: dict[str, Any], expected: dict[str, Any], got: str) -> None:
    trial = only(data, **expected)
    assert (trial.holds, trial.got) == (False, got)


@pytest.mark.parametrize(
    ("curated", "pointers"),
    [
        ({**CURATED, "amount": "12.50"}, ["/amount"]),
        ({**CURATED, "amount": True}, ["/amount"]),
        ({"order": "a", "amount": 12.5, "more": 1}, ["/more", "/at"]),
        ([CURATED, CURATED], ["/1"]),
    ],
)
def test_a_curated_example_says_where_it_differs(curated: Any, pointers: list[str]) -> None:
    trial = only(GOOD, curated=curated)
    assert not trial.holds
    assert [difference.pointer for difference in trial.differences] == pointers
    assert all(isinstance(difference, Difference) for difference in trial.differences)


def test_generated_examples_are_of_each_version_that_has_a_class() -> None:
    catalog = shop()
    found = tried(catalog)
    assert found
    assert {(trial.version, trial.holds, trial.place) for trial in found} == {(2, True, None)}
    assert untried(Pipeline(catalog), found) == [("sale", 1)]


def test_a_declared_example_of_an_old_version_is_a_trial_of_it() -> None:
    catalog = shop()
    catalog.example("sale", {"order": "a"}, version=1)
    assert untried(Pipeline(catalog), tried(catalog)) == []


@pytest.mark.parametrize(
    ("upcaster", "got"),
    [
        (
            lambda data: {**data, "amount": data["cents"]},
            "transform-error:  The upcaster from 1 raised KeyError: 'cents'",
        ),
        (lambda data: [data], "transform-error:  The upcaster from version 1 returned list, not a dict."),
        (lambda data: data, "invalid: /amount is missing"),
    ],
)
def test_an_upcaster_that_fails_on_data_of_its_class_is_found(upcaster: Any, got: str) -> None:
    catalog = Catalog("shop")
    catalog.event("sale", version=2)(Sale)
    catalog.upcast("sale", from_version=1, data=OldSale)(upcaster)
    wrong = [trial for trial in tried(catalog) if trial.version == 1]
    assert {(trial.holds, " ".join(trial.got.split())) for trial in wrong} == {(False, " ".join(got.split()))}


@pytest.mark.parametrize("kind", ["rule", "transform", "derive"])
def test_a_function_that_raises_for_some_example_is_found(kind: str) -> None:
    catalog = Catalog("shop")
    catalog.event("sale")(Sale)

    def function(sale: Sale) -> Any:
        return {"ratio": 1 / (sale.amount - Decimal("1.50"))}

    {"rule": catalog.rule, "transform": catalog.transform, "derive": catalog.derive}[kind](Sale)(function)
    wrong = [trial for trial in tried(catalog) if not trial.holds]
    assert wrong
    assert all("raised DivisionByZero" in trial.got for trial in wrong)


def test_a_rule_that_refuses_an_example_is_no_fault() -> None:
    catalog = Catalog("shop")
    catalog.event("sale")(Sale)
    catalog.rule(Sale, name="never")(lambda sale: False)
    assert {(trial.holds, trial.got) for trial in tried(catalog)} == {(True, "rule: The rule 'never' does not hold.")}


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=True))
def test_generated_examples_of_any_catalog_fail_only_where_its_functions_do(random: Random) -> None:
    catalog, _ = catalog_of(random)
    for trial in tried(catalog):
        reason, _, why = trial.got.partition(": ")
        assert trial.holds == (reason in ("filtered", "rule") or reason.startswith("curated")) or "raised" in why


@pytest.mark.parametrize("catalog", [retail.catalog, cloudtrail.catalog, webhooks.catalog], ids=repr)
def test_the_catalogs_that_come_with_it_hold_on_their_examples(catalog: Catalog) -> None:
    found = tried(catalog)
    assert [trial for trial in found if not trial.holds] == []
    assert untried(Pipeline(catalog), found) == []


@pytest.mark.parametrize(
    ("of", "data", "settings_", "said"),
    [
        ("letter", {}, {}, "there is no event type 'letter'"),
        (str, {}, {}, "is not declared as an event type"),
        (Sale, {}, {"version": 3}, "'sale' has versions 1 to 2; there is no example of version 3."),
        (Sale, [], {}, "the data of an example is a dict, not list"),
        (Sale, {}, {"filtered": True, "rejected": True}, "is curated, filtered or rejected, and only one of these"),
        (Sale, {}, {"curated": {}, "rejected": "/a"}, "is curated, filtered or rejected, and only one of these"),
    ],
)
def test_an_example_that_makes_no_sense_is_refused_at_its_place(
    of: Any, data: Any, settings_: dict[str, Any], said: str
) -> None:
    with pytest.raises(CatalogError) as caught:
        shop().example(of, data, **settings_)
    assert str(caught.value).startswith(f"{__file__}:")
    assert said in str(caught.value)


@pytest.mark.parametrize("wrong", [{"data": {"amount": float("nan")}}, {"data": {}, "curated": {"at": object()}}])
def test_an_example_that_is_no_json_is_refused_when_it_is_tried(wrong: dict[str, Any]) -> None:
    catalog = shop()
    catalog.example(Sale, **wrong)
    with pytest.raises(CatalogError, match="the example is no JSON"):
        tried(catalog)


def test_examples_are_nothing_at_run_time() -> None:
    catalog = shop()
    catalog.example(Sale, {"amount": float("nan")}, rejected=True)
    Pipeline(catalog)
    assert not catalog.examples[0].filtered
