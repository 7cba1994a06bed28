"""Declarations that contradict each other are errors when they are made; the message names the place and the thing."""

import enum
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType

import attrs
import pytest
from annotated_types import Timezone

from millrace import Catalog, CatalogError, Count, Gt, Interval, Len, MaxLen, MultipleOf, Pattern, Sum
from millrace.core.catalog.probes import PROBE, Probe
from millrace.core.pipeline.pipeline import Pipeline

HOUR = timedelta(hours=1)


NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 (that is the point)


@attrs.frozen
class Sale:
    amount: Decimal
    shop: str = "main"


@attrs.frozen
class Other:
    name: str


@attrs.frozen
class Node:
    next: "Node | None" = None


class Mixed(enum.Enum):
    TEXT = "a"
    NUMBER = 1


class Fractions(enum.Enum):
    HALF = 0.5


class Empty(enum.Enum):
    pass


class Plain:
    a: int


Name = NewType("Name", str)


def shop() -> Catalog:
    catalog = Catalog("shop")
    catalog.event("sale", version=3, oldest=2)(Sale)
    catalog.upcast("sale", from_version=2)(dict)
    return catalog


def of(annotation: Any, **settings: Any) -> Callable[[Catalog], Any]:
    def declare(catalog: Catalog) -> None:
        catalog.event("test")(attrs.make_class("Test", {"field": attrs.field(type=annotation, **settings)}))

    return declare


def reserved(catalog: Catalog) -> None:
    catalog.event("test")(Other)
    catalog.transform(Other)(lambda event: {"eventTime": event.name})
    catalog.check()


def late_transform(catalog: Catalog) -> None:
    catalog.view("v", over=Sale, every=HOUR, measures={"n": Sum("amount")})
    catalog.transform(Sale)(lambda event: {"price": event.amount})


def gap(catalog: Catalog) -> None:
    catalog.event("test", version=4, oldest=2)(Other)
    catalog.upcast("test", from_version=2)(dict)
    Pipeline(catalog)


def two_transforms(catalog: Catalog) -> None:
    catalog.transform(Sale)(lambda event: {})
    catalog.transform(Sale)(lambda event: {})


def two_upcasters(catalog: Catalog) -> None:
    catalog.upcast("sale", from_version=2)(dict)


def two_rules(catalog: Catalog) -> None:
    for _ in range(2):
        catalog.rule(Sale, name="same")(lambda event: True)


def unannotated(catalog: Catalog) -> None:
    catalog.event("test")(attrs.make_class("Test", ["field"]))


def foreign_type(catalog: Catalog) -> None:
    catalog.source("hook", type="nothing")
    catalog.check()


def foreign_types(catalog: Catalog) -> None:
    catalog.source("hook", type="/kind", types={"x": "nothing"})
    catalog.check()


def probing_source(catalog: Catalog) -> None:
    catalog.source("hook", type=PROBE)
    catalog.check()


def source_twice(catalog: Catalog) -> None:
    for _ in range(2):
        catalog.source("hook", type="sale")


def view_of(name: str = "v", over: type = Sale, every: timedelta = HOUR, **settings: Any) -> Callable[[Catalog], Any]:
    return lambda catalog: catalog.view(name, over=over, every=every, **{"measures": {"n": Count()}, **settings})


def view_twice(catalog: Catalog) -> None:
    view_of()(catalog)
    view_of()(catalog)


CONTRADICTIONS: dict[str, tuple[Callable[[Catalog], Any], str]] = {
    "name taken": (lambda c: c.event("sale")(Other), "'sale' is declared twice, first at"),
    "class taken": (lambda c: c.event("again")(Sale), "Sale is declared twice, as 'sale' and 'again'"),
    "bad name": (lambda c: c.event("a b"), "'a b' is no name for an event type"),
    "empty name": (lambda c: c.event(""), "'' is no name"),
    "name of probes": (lambda c: c.event(PROBE), "'millrace.probe' is that of probes, which every catalog has"),
    "upcast of probes": (lambda c: c.upcast(PROBE, from_version=1), "nothing can be upcast from 1"),
    "rule on probes": (lambda c: c.rule(Probe), "Probe.* is not declared"),
    "view of probes": (view_of(over=Probe), "Probe.* is not declared"),
    "source of probes": (probing_source, "source 'hook' names event type 'millrace.probe'"),
    "name with a hash": (lambda c: c.event("a#1"), "'a#1' is no name"),
    "long name": (lambda c: c.event("a" * 129), "is no name"),
    "bad view name": (view_of("a/b"), "'a/b' is no name for a view"),
    "bad source name": (lambda c: c.source("a(", type="sale"), "is no name for a source"),
    "versions": (lambda c: c.event("x", version=1, oldest=2), "'x', 1 ≤ oldest"),
    "unversioned": (lambda c: c.event("x", version=2, oldest=2, unversioned=1), "'x', 1 ≤ oldest"),
    "shards": (lambda c: c.event("x", shards=0), "'x' has 0 shards"),
    "identity": (lambda c: c.event("x", identity="name"), "'x': identity is"),  # type: ignore[arg-type]
    "unknown": (lambda c: c.event("x", unknown="ignore"), "'x': identity is"),  # type: ignore[arg-type]
    "no attrs class": (lambda c: c.event("x")(Plain), "Plain is no attrs class"),
    "undeclared type": (lambda c: c.upcast("nothing", from_version=1), "no event type 'nothing'"),
    "undeclared class": (lambda c: c.rule(Other), "Other.* is not declared as an event type"),
    "undeclared class of a transform": (lambda c: c.transform(Other), "Other.* is not declared"),
    "undeclared class of a view": (view_of(over=Other), "Other.* is not declared"),
    "upcast too old": (lambda c: c.upcast("sale", from_version=1), "versions 2 to 3; nothing can be upcast from 1"),
    "upcast too new": (lambda c: c.upcast("sale", from_version=3), "nothing can be upcast from 3"),
    "two upcasters": (two_upcasters, "'sale' has two upcasters from version 2"),
    "gap": (gap, "'test' is at version 4 and has no upcaster from version 3"),
    "two transforms": (two_transforms, "'sale' has two transforms"),
    "two rules": (two_rules, "'sale' has two rules named 'same'"),
    "reserved field": (reserved, "'eventTime' of 'test' has a reserved name"),
    "recursion": (lambda c: c.event("node")(Node), "Node contains itself"),
    "no annotation": (unannotated, "Test.field has no type annotation"),
    "unknown annotation": (of("Missing"), "cannot be read|names something unknown"),
    "broken annotation": (of("1 +"), "cannot be read|names something unknown"),
    "complex": (of(complex), "Test.field: .*complex.* is not supported"),
    "pair": (of(tuple[int, str]), "Test.field: of tuples only"),
    "int keys": (of(dict[int, str]), "Test.field: the keys of a dict are str"),
    "set of lists": (of(set[list[int]]), "Test.field: .*set"),
    "set of anything": (of(set[Any]), "Test.field: .*set"),
    "bare set": (of(set), "Test.field: .*set"),
    "frozenset of dicts": (of(frozenset[dict[str, int]]), "Test.field: .*frozenset"),
    "set of objects": (of(set[Other]), "Test.field: .*set"),
    "mixed enum": (of(Mixed), "Test.field: .*Mixed"),
    "enum of fractions": (of(Fractions), "Test.field: .*Fractions"),
    "empty enum": (of(Empty), "Test.field: .*Empty"),
    "literal bytes": (of(Literal[b"a"]), "Test.field: .*Literal"),
    "int or float": (of(int | float), "Test.field: .* cannot be told apart"),
    "text or date": (of(str | datetime), "Test.field: .* cannot be told apart"),
    "text or Decimal": (of(str | Decimal), "Test.field: .* cannot be told apart"),
    "two classes": (of(Sale | Other), "Test.field: .* cannot be told apart"),
    "object or text": (of(Sale | str), "Test.field: a union may hold"),
    "constrained members": (of(Annotated[int, Gt(0)] | str), "Test.field: .*union"),
    "new types in a union": (of(Name | int), "Test.field: .*union"),
    "pattern of a number": (of(Annotated[int, Pattern("a")]), "Test.field: the constraint .* does not fit"),
    "broken pattern": (of(Annotated[str, Pattern("[")]), "Test.field: the constraint .* does not fit"),
    "length of a number": (of(Annotated[int, MaxLen(3)]), "Test.field: the constraint .* does not fit"),
    "order of lists": (of(Annotated[list[int], Gt(3)]), "Test.field: the constraint .* does not fit"),
    "bound of another type": (of(Annotated[int, Gt("a")]), "Test.field: the constraint .* does not fit"),
    "bound for text": (of(Annotated[int | str, Interval(ge=1)]), "Test.field: the constraint .* does not fit"),
    "bound without offset": (
        of(Annotated[datetime, Gt(NAIVE)]),
        "Test.field: the constraint .* does not fit",
    ),
    "multiple of a float": (of(Annotated[Decimal, MultipleOf(0.1)]), "Test.field: the constraint .* does not fit"),
    "multiple of zero": (of(Annotated[int, MultipleOf(0)]), "Test.field: the constraint .* does not fit"),
    "multiple for text": (of(Annotated[str, MultipleOf(2)]), "Test.field: the constraint .* does not fit"),
    "length of an optional number": (of(Annotated[int | None, Len(1)]), "Test.field: the constraint .* does not fit"),
    "unsupported constraint": (
        of(Annotated[datetime, Timezone(None)]),
        "Test.field: the constraint .* is not supported",
    ),
    "default from self": (
        of(int, default=attrs.Factory(lambda self: 1, takes_self=True)),
        "Test.field has a default that depends",
    ),
    "view twice": (view_twice, "view 'v' is declared twice, first at"),
    "short window": (view_of(every=timedelta(milliseconds=999)), "the window of view 'v' is shorter than a second"),
    "no measures": (view_of(measures={}), "view 'v' has no measures"),
    "unknown group": (view_of(by=["shpo"]), "view 'v' uses field 'shpo' .* there are amount, shop"),
    "unknown measured field": (view_of(measures={"sum": Sum("amuont")}), "view 'v' uses field 'amuont' \\(sum\\)"),
    "sum of texts": (
        view_of(measures={"sum": Sum("shop")}),
        "measure 'sum' of view 'v' needs numbers; 'shop' has none",
    ),
    "measure like a group": (
        view_of(by=["shop"], measures={"shop": Count()}),
        "measure 'shop' of view 'v' has the name of a column",
    ),
    "measure called window": (view_of(measures={"window": Count()}), "measure 'window' of view 'v' has the name"),
    "transform without the view's field": (late_transform, "view 'v' uses field 'amount'.* there are price"),
    "source of an unknown type": (foreign_type, "source 'hook' names event type 'nothing'"),
    "source with unknown types": (foreign_types, "source 'hook' names event type 'nothing'"),
    "source twice": (source_twice, "source 'hook' is declared twice"),
    "source without a slash": (
        lambda c: c.source("hook", type="sale", id="id"),
        "id of source 'hook' is a JSON pointer",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_is_an_error_that_names_the_place_and_the_thing(case: str) -> None:
    declare, said = CONTRADICTIONS[case]
    with pytest.raises(CatalogError) as raised:
        declare(shop())
    assert re.search(said, str(raised.value)), raised.value
    assert re.match(re.escape(__file__) + r":\d+: ", str(raised.value)), raised.value


def test_a_catalog_without_types_is_none() -> None:
    with pytest.raises(CatalogError, match="declares no event types"):
        Pipeline(Catalog("empty"))


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129])
def test_a_catalog_has_a_name(name: str) -> None:
    with pytest.raises(CatalogError, match="is no name for a catalog"):
        Catalog(name)


def test_declarations_that_fit_make_a_pipeline() -> None:
    catalog = shop()
    catalog.event("other")(Other)
    catalog.rule(Sale)(lambda event: event.amount > 0)
    catalog.view("sales", over=Sale, every=HOUR, by=["shop"], measures={"n": Count(), "sum": Sum("amount")})
    catalog.source("hook", type="/kind", types={"x": "sale"}, id="/id", subject="/id", time="/at", records="/items")
    assert set(Pipeline(catalog).plans) == {"sale", "other", PROBE}


def test_a_decorated_class_or_function_stays_what_it_was() -> None:
    catalog = Catalog("c")
    assert catalog.event("sale")(Sale) is Sale
    for decorate in (catalog.rule(Sale), catalog.transform(Sale)):
        assert decorate(len) is len
