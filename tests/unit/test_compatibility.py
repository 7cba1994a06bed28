"""``findings``: what differs between two catalogs, and what of it is breaking."""

import enum
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

import annotated_types as at
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace import Catalog, Count, Pattern, Sum
from millrace.core.catalog.compatibility import Finding, findings
from millrace.core.decoding.events import Event
from millrace.core.pipeline.judgement import Passed
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.schema.functions import same_code

Edit = Callable[[Catalog, Any], None]


def with_field(annotation: Any, default: Any = attrs.NOTHING, **settings: Any) -> Catalog:
    """A catalog whose only type has one field ``f``."""
    return of_fields({"f": (annotation, default)}, **settings)


def of_fields(fields: dict[str, tuple[Any, Any]], edit: Edit | None = None, **settings: Any) -> Catalog:
    catalog = Catalog(settings.pop("name", "c"))
    attributes = {name: attrs.field(type=hint, default=default) for name, (hint, default) in fields.items()}
    cls = attrs.make_class("T", attributes, frozen=True, kw_only=True)
    catalog.event("t", **settings)(cls)
    for version in range(settings.get("oldest", 1), settings.get("version", 1)):
        catalog.upcast("t", from_version=version)(lambda data: data)
    if edit is not None:
        edit(catalog, cls)
    return catalog


def told(old: Catalog, new: Catalog) -> list[tuple[bool, str, str]]:
    return [(each.breaking, each.code, each.place) for each in findings(old, new)]


class Colour(enum.Enum):
    RED, BLUE = "red", "blue"


class Paler(enum.Enum):
    RED = "red"


@attrs.frozen
class Inner:
    a: int
    b: str = ""


@attrs.frozen
class Stricter:
    a: int
    b: str


MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

NARROWER: list[tuple[Any, Any, str]] = [
    (Decimal, int, "narrowed"),
    (str, datetime, "narrowed"),
    (int | None, int, "narrowed"),
    (int | str, int, "narrowed"),
    (str, int, "narrowed"),
    (Any, str, "narrowed"),
    (str, Literal["a", "b"], "narrowed"),
    (Literal["a", "b"], Literal["a"], "narrowed"),
    (Literal["a", None], Literal["a"], "narrowed"),
    (Literal[1, True], Literal[1], "narrowed"),
    (Colour, Paler, "narrowed"),
    (dict[str, Any], dict[str, int], "narrowed"),
    (dict[str, int], Inner, "narrowed"),
    (str, list[str], "narrowed"),
    (list[int], list[Annotated[int, at.Gt(0)]], "tightened"),
    (int, Annotated[int, at.Gt(0)], "tightened"),
    (Annotated[int, at.Ge(0)], Annotated[int, at.Gt(0)], "tightened"),
    (Annotated[int, at.Lt(10)], Annotated[int, at.Lt(9)], "tightened"),
    (Annotated[int, at.Le(10)], Annotated[int, at.Lt(10)], "tightened"),
    (Annotated[str, at.MaxLen(3)], Annotated[str, at.MaxLen(2)], "tightened"),
    (str, Annotated[str, at.MinLen(1)], "tightened"),
    (Annotated[int, at.MultipleOf(5)], Annotated[int, at.MultipleOf(10)], "tightened"),
    (str, Annotated[str, Pattern("^a")], "tightened"),
    (Annotated[str, Pattern("a")] | None, Annotated[str, Pattern("a"), Pattern("b")] | None, "tightened"),
    (Annotated[datetime | None, at.Gt(MOMENT)], Annotated[datetime | None, at.Gt(MOMENT + timedelta(1))], "tightened"),
    (Inner, Stricter, "field-required"),
]
NEITHER = [(str, int), (str, list[str]), (dict[str, int], Inner)]
"""Of these neither takes what the other does."""


@pytest.mark.parametrize(("wide", "narrow", "code"), NARROWER)
def test_what_takes_fewer_values_is_breaking_and_the_other_way_round_is_not(wide: Any, narrow: Any, code: str) -> None:
    found = told(with_field(wide), with_field(narrow))
    assert any(breaking and each == code for breaking, each, _ in found)
    back = told(with_field(narrow), with_field(wide))
    if (wide, narrow) in NEITHER:
        assert any(breaking for breaking, *_ in back)
    else:
        assert back
        assert not any(breaking for breaking, *_ in back)


@pytest.mark.parametrize(
    "shape", dict.fromkeys([*(each for row in NARROWER for each in row[:2] if not isinstance(each, str)), list[Inner]])
)
def test_a_catalog_is_compatible_with_itself(shape: Any) -> None:
    assert findings(with_field(shape), with_field(shape)) == []


def test_a_predicate_is_compared_by_its_code() -> None:
    def even(value: int) -> bool:
        return value % 2 == 0

    first = with_field(Annotated[int, at.Predicate(even)])
    assert told(first, with_field(Annotated[int, at.Predicate(lambda value: value > 2)]))[0][:2] == (True, "tightened")
    assert told(first, with_field(int)) == [(False, "loosened", "type t /f")]


def test_fields_come_and_go() -> None:
    one, two = {"a": (int, attrs.NOTHING)}, {"a": (int, attrs.NOTHING), "b~/": (str, "x")}
    required = {"a": (int, attrs.NOTHING), "b~/": (str, attrs.NOTHING)}
    plain = {"b" if key != "a" else key: value for key, value in two.items()}
    must = {"b" if key != "a" else key: value for key, value in required.items()}
    assert told(of_fields(one), of_fields(plain)) == [(False, "field-added", "type t /b")]
    assert told(of_fields(one), of_fields(must)) == [(True, "field-required", "type t /b")]
    assert told(of_fields(plain), of_fields(one)) == [(True, "field-removed", "type t /b")]
    assert told(of_fields(plain), of_fields(must)) == [(True, "field-required", "type t /b")]
    assert told(of_fields(must), of_fields(plain)) == [(False, "field-optional", "type t /b")]


def test_another_default_is_breaking_and_an_equal_one_made_anew_is_not() -> None:
    assert told(with_field(int, 1), with_field(int, 2)) == [(True, "default-changed", "type t /f")]
    lists = [with_field(list[int], attrs.Factory(lambda: [1])) for _ in range(2)]
    assert findings(*lists) == []
    assert told(with_field(Decimal, Decimal(1)), with_field(Decimal, Decimal(2)))[0][1] == "default-changed"


def test_an_array_that_becomes_a_set_is_breaking() -> None:
    assert told(with_field(list[int]), with_field(set[int])) == [(True, "container", "type t /f")]
    assert findings(with_field(list[int]), with_field(tuple[int, ...])) == []


def test_versions() -> None:
    def at_version(version: int, **more: Any) -> Catalog:
        return with_field(int, version=version, unversioned=version, **more)

    assert told(at_version(1), at_version(2)) == [
        (False, "version-raised", "type t"), (False, "unversioned-changed", "type t"),
    ]  # fmt: skip
    assert (True, "version-skipped", "type t") in told(at_version(1), at_version(3))
    assert (True, "version-lowered", "type t") in told(at_version(2), at_version(1))
    assert told(at_version(3), at_version(3, oldest=2)) == [(True, "oldest-raised", "type t")]
    assert told(at_version(3, oldest=2), at_version(3)) == [(False, "oldest-lowered", "type t")]


def test_what_upcasters_take_care_of_is_not_breaking_unless_unversioned_events_pass_them_by() -> None:
    old = with_field(str)
    upcast = told(old, with_field(int, version=2, unversioned=1))
    assert upcast == [(False, "version-raised", "type t"), (False, "narrowed", "type t /f")]
    assert (True, "narrowed", "type t /f") in told(old, with_field(int, version=2))
    assert (True, "narrowed", "type t /f") in told(old, with_field(int, version=2, oldest=2))
    removed = of_fields({"g": (int, 0)}, version=2, unversioned=1)
    assert (True, "field-removed", "type t /f") in told(old, removed)


@pytest.mark.parametrize(
    ("before", "after", "breaking", "code"),
    [
        ({}, {"identity": "id"}, True, "identity-changed"),
        ({"shards": 2}, {"shards": 4}, True, "shards-changed"),
        ({}, {"unknown": "reject"}, True, "unknown-changed"),
        ({"unknown": "keep"}, {}, True, "unknown-changed"),
        ({"unknown": "reject"}, {}, False, "unknown-changed"),
        ({}, {"unknown": "keep"}, False, "unknown-changed"),
    ],
)
def test_settings(before: dict[str, Any], after: dict[str, Any], breaking: bool, code: str) -> None:
    assert told(with_field(int, **before), with_field(int, **after)) == [(breaking, code, "type t")]


def test_types_come_and_go_and_catalogs_are_renamed() -> None:
    def more(catalog: Catalog, _: Any) -> None:
        catalog.event("u")(attrs.make_class("U", {"a": attrs.field(type=int)}))

    one, two = with_field(int), of_fields({"f": (int, attrs.NOTHING)}, more)
    assert told(one, two) == [(False, "type-added", "type u")]
    assert told(two, one) == [(True, "type-removed", "type u")]
    assert told(one, with_field(int, name="d")) == [(True, "catalog-renamed", "catalog")]


def ruled(holds: Callable[[Any], bool] | None) -> Catalog:
    def declare(catalog: Catalog, cls: Any) -> None:
        if holds is not None:
            catalog.rule(cls, name="r")(holds)

    return of_fields({"f": (int, 0)}, declare)


def test_rules() -> None:
    def below(limit: int) -> Callable[[Any], bool]:
        return lambda event: event.f < limit

    limits = [*map(below, (5, 5, 6))]
    assert told(ruled(None), ruled(limits[0])) == [(True, "rule-added", "type t, rule r")]
    assert told(ruled(limits[0]), ruled(None)) == [(False, "rule-removed", "type t, rule r")]
    assert findings(ruled(limits[0]), ruled(limits[1])) == []
    assert told(ruled(limits[0]), ruled(limits[2])) == [(True, "rule-changed", "type t, rule r")]


def curated_as(transform: Callable[[Any], Any], **settings: Any) -> Catalog:
    def declare(catalog: Catalog, cls: Any) -> None:
        catalog.transform(cls)(transform)

    return of_fields({"f": (int, 0)}, declare, **settings)


def test_transforms_and_what_they_yield() -> None:
    found = told(curated_as(lambda event: {"a": 1, "b": 2}), curated_as(lambda event: {"a": 1, "c": 2}))
    assert found == [
        (True, "curated-field-removed", "type t /b"),
        (False, "curated-field-added", "type t /c"),
        (False, "transform-changed", "type t"),
    ]
    assert told(with_field(int, 0), curated_as(lambda event: {"f": event.f}))[0][:2] == (False, "transform-changed")


def test_upcasters() -> None:
    def version_2(step: Callable[[Any], Any]) -> Catalog:
        catalog = Catalog("c")
        catalog.event("t", version=2)(attrs.make_class("T", {"f": attrs.field(type=int)}))
        catalog.upcast("t", from_version=1)(step)
        return catalog

    one, other = (version_2(step) for step in (lambda data: data, lambda data: {**data, "f": 1}))
    assert told(one, other) == [(False, "upcaster-changed", "type t")]


def viewed(**measures: Any) -> Catalog:
    def view(catalog: Catalog, cls: Any) -> None:
        if measures:
            catalog.view("v", over=cls, every=timedelta(hours=1), measures=measures)

    return of_fields({"f": (int, 0)}, view)


def test_views() -> None:
    assert told(viewed(), viewed(n=Count())) == [(False, "view-added", "view v")]
    assert told(viewed(n=Count()), viewed()) == [(True, "view-removed", "view v")]
    assert told(viewed(n=Count()), viewed(n=Sum("f"))) == [(True, "view-changed", "view v")]
    assert findings(viewed(n=Count()), viewed(n=Count())) == []


def sourced(**mapping: Any) -> Catalog:
    return of_fields({"f": (int, 0)}, lambda c, _: c.source("s", **mapping) if mapping else None)


def test_sources() -> None:
    mapping = {"type": "/kind", "types": {"a": "t"}}
    assert told(sourced(), sourced(**mapping)) == [(False, "source-added", "source s")]
    assert told(sourced(**mapping), sourced()) == [(True, "source-removed", "source s")]
    assert told(sourced(**mapping), sourced(**mapping, id="/id")) == [(True, "source-changed", "source s")]
    more = {**mapping, "types": {"a": "t", "b": "t"}}
    assert told(sourced(**mapping), sourced(**more)) == [(False, "source-changed", "source s")]
    assert told(sourced(**more), sourced(**mapping)) == [(True, "source-changed", "source s")]


def test_every_finding_is_a_sentence() -> None:
    wild = of_fields({"g": (str, attrs.NOTHING)}, version=3, shards=2, identity="id", unknown="reject", name="d")
    for one, other in ((with_field(int), wild), (wild, with_field(int)), (viewed(), viewed(n=Count()))):
        for each in findings(one, other):
            assert isinstance(each, Finding)
            assert each.message[0].isupper()
            assert each.message.endswith(".")


def test_code_is_compared_by_what_it_does_and_the_constants_it_uses() -> None:
    def made(text: str, **known: Any) -> Callable[..., Any]:
        names: dict[str, Any] = dict(known)
        exec(text, names)
        function: Callable[..., Any] = names["f"]
        return function

    text = "def f(e, a=1):\n    return [x for x in e if x < LIMIT + a]"
    assert same_code(made(text, LIMIT=5), made("\n\n" + text, LIMIT=5))
    assert not same_code(made(text, LIMIT=5), made(text, LIMIT=6))
    assert not same_code(made(text, LIMIT=5), made(text.replace("a=1", "a=2"), LIMIT=5))
    assert not same_code(made(text, LIMIT=5), made(text.replace("<", "<="), LIMIT=5))
    assert same_code(made(text, LIMIT=5), made(text.replace("x", "y"), LIMIT=5))
    documented = text.replace("return", "'What it does.'\n    return")
    assert same_code(made(documented, LIMIT=5), made(documented.replace("What", "Whatever"), LIMIT=5))
    assert same_code(len, len)
    assert not same_code(len, max)
    assert not same_code(None, len)


BOUNDS = st.lists(
    st.builds(
        lambda kind, bound: kind(bound), st.sampled_from([at.Gt, at.Ge, at.Lt, at.Le, at.MultipleOf]), st.integers(1, 6)
    ),
    max_size=3,
)


@given(BOUNDS, BOUNDS)
def test_where_nothing_is_breaking_every_value_that_was_taken_still_is(one: list[Any], other: list[Any]) -> None:
    old, new = (with_field(Annotated[int, *bounds] if bounds else int) for bounds in (one, other))
    taken, taken_now = (values_taken(catalog) for catalog in (old, new))
    if not any(breaking for breaking, *_ in told(old, new)):
        assert taken <= taken_now


def values_taken(catalog: Catalog) -> set[int]:
    pipeline = Pipeline(catalog)
    events = {n: Event("t", "e", "s", 0, None, None, {"f": n}, "") for n in range(13)}
    return {n for n, event in events.items() if isinstance(pipeline.judge(event), Passed)}
