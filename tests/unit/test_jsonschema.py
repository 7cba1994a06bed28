"""JSON Schemas of event types, judged by the library jsonschema and against validation itself."""

import enum
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, localcontext
from random import Random
from typing import Annotated, Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from millrace import Catalog, CatalogError, Ge, Gt, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Pattern, Predicate
from millrace.core.catalog.jsonschema import DECIMAL, DIALECT, json_schema
from millrace.core.catalogs import cloudtrail, retail
from millrace.core.decoding.strict_json import parse
from millrace.core.errors import BodyError
from millrace.core.schema.structure import Invalid, compile_structure
from tests.properties.declarations import class_of


def schema_of(cls: type, name: str = "t", **settings: Any) -> dict[str, Any]:
    catalog = Catalog("test")
    catalog.event(name, **settings)(cls)
    schema = json_schema("test", catalog.types[name])
    Draft202012Validator.check_schema(schema)
    return schema


def fits(schema: dict[str, Any], value: Any) -> bool:
    with localcontext(prec=200):  # the library divides Decimals in whatever context there is
        return bool(Draft202012Validator(schema).is_valid(value))


def is_accepted(structure: Callable[[Any, str], Any], value: Any) -> bool:
    try:
        structure(value, "")
    except Invalid:
        return False
    return True


@given(st.integers(0, 2**64), st.sampled_from(["drop", "reject"]))
def test_whatever_validation_accepts_fits_the_schema(seed: int, unknown: str) -> None:
    random = Random(seed)
    cls, texts = class_of(random)
    try:
        schema = schema_of(cls, unknown=unknown)
    except CatalogError:
        return
    structure = compile_structure(cls, reject_unknown=unknown == "reject")
    for _ in range(20):
        # Of Decimals written as text, the schema promises the plain notation only.
        with suppress(BodyError):
            value = parse(texts(random).replace('"1_000"', '"1000"').encode("utf-8", "surrogateescape"))
            if is_accepted(structure, value):
                assert fits(schema, value), (value, schema)


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


@attrs.frozen
class Line:
    """A line of an order."""

    sku: Annotated[str, Pattern("^[a-z]{1,3}$")]
    count: Annotated[int, Ge(1), Lt(5)] = 1


@attrs.frozen
class Order:
    """Everything that JSON Schema can say in full."""

    name: Annotated[str, Len(1, 3)]
    size: Size
    lines: Annotated[list[Line], MaxLen(2)]
    by_name: Annotated[dict[str, Line], MinLen(1)]
    level: Annotated[int | None, Gt(0), Le(3)] = None
    step: Annotated[int, MultipleOf(3)] = 3
    sure: bool | None = None
    kind: Literal["a", 2] = "a"
    either: int | str = 0
    first: Line | None = None


ORDER = {"name": "ab", "size": 1, "lines": [{"sku": "a"}], "by_name": {"x": {"sku": "b", "count": 2}}}
OPEN, CLOSED = schema_of(Order), schema_of(Order, unknown="reject")
LOOSE, STRICT = compile_structure(Order, reject_unknown=False), compile_structure(Order, reject_unknown=True)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-7, 7), st.sampled_from(["", "a", "ab", "abcd", "é", "A"]))
LINES = st.fixed_dictionaries({}, optional={"sku": SCALARS, "count": SCALARS, "else": SCALARS})
VALUES = st.one_of(SCALARS, LINES, st.lists(LINES, max_size=3), st.dictionaries(st.sampled_from("ab"), LINES))


@given(st.dictionaries(st.sampled_from([*attrs.fields_dict(Order), "else"]), VALUES, max_size=3))
def test_where_json_schema_has_the_words_it_accepts_exactly_what_validation_does(changes: dict[str, Any]) -> None:
    value = {**ORDER, **changes}
    assert fits(CLOSED, value) == is_accepted(STRICT, value)
    assert fits(OPEN, value) == is_accepted(LOOSE, value)


@pytest.mark.parametrize("missing", ORDER)
def test_a_field_without_a_default_is_required(missing: str) -> None:
    assert not fits(OPEN, {key: value for key, value in ORDER.items() if key != missing})


def test_the_order_that_is_varied_fits() -> None:
    assert fits(CLOSED, ORDER)


@pytest.mark.parametrize("catalog", [retail.catalog, cloudtrail.catalog], ids=lambda catalog: catalog.name)
def test_every_type_that_comes_with_millrace_has_a_schema(catalog: Catalog) -> None:
    for declared in catalog.types.values():
        schema = json_schema(catalog.name, declared)
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == DIALECT
        assert schema["$id"] == f"urn:millrace:{catalog.name}:{declared.name}:{declared.version}"
        assert schema["description"]


def test_a_schema_says_what_a_purchase_is() -> None:
    schema = json_schema("retail", retail.catalog.types["purchase"])
    assert schema["title"] == "purchase"
    assert "amount_is_plausible" in schema["$comment"]
    assert schema["required"] == ["order_id", "customer_id", "amount", "currency"]
    properties = schema["properties"]
    assert properties["amount"] == {"type": ["number", "string"], "pattern": DECIMAL, "exclusiveMinimum": 0}
    assert properties["currency"] == {"enum": ["EUR", "USD", "GBP"]}
    assert properties["items"] == {"type": "integer", "minimum": 1, "default": 1}
    assert "additionalProperties" not in schema


def test_nested_classes_are_defined_once_and_closed_like_the_type() -> None:
    schema = schema_of(Order, unknown="reject")
    assert schema["additionalProperties"] is False
    assert list(schema["$defs"]) == ["Line"]
    assert schema["$defs"]["Line"]["additionalProperties"] is False
    assert schema["$defs"]["Line"]["description"] == "A line of an order."
    assert schema["properties"]["lines"]["items"] == {"$ref": "#/$defs/Line"}


def test_classes_of_the_same_name_are_told_apart() -> None:
    one = attrs.make_class("Same", {"a": attrs.field(type=int)})
    other = attrs.make_class("Same", {"b": attrs.field(type=str)})
    schema = schema_of(attrs.make_class("Both", {"x": attrs.field(type=one), "y": attrs.field(type=other)}))
    assert fits(schema, {"x": {"a": 1}, "y": {"b": "b"}})
    assert not fits(schema, {"x": {"b": "b"}, "y": {"a": 1}})


def test_names_are_quoted_in_the_urn() -> None:
    schema = schema_of(Line, name="a:b%é")
    assert schema["$id"] == "urn:millrace:test:a%3Ab%25%C3%A9:1"


def test_several_constraints_of_one_kind_all_hold() -> None:
    @attrs.frozen
    class Twice:
        text: Annotated[str, Pattern("a"), Pattern("b")]
        number: Annotated[int, Ge(1), Ge(3), MultipleOf(2), MultipleOf(3)]

    schema = schema_of(Twice)
    assert fits(schema, {"text": "ab", "number": 6})
    assert not fits(schema, {"text": "a", "number": 6})
    assert not fits(schema, {"text": "ab", "number": 4})
    assert not fits(schema, {"text": "ab", "number": 0})


def test_what_has_no_keyword_is_told_in_a_comment() -> None:
    def is_even(value: int) -> bool:
        return value % 2 == 0

    @attrs.frozen
    class Odd:
        number: Annotated[int, Predicate(is_even)]
        letters: Annotated[set[str], MaxLen(2)]

    properties = schema_of(Odd)["properties"]
    assert properties["number"]["$comment"] == "satisfies is_even"
    assert "maxItems" not in properties["letters"], "repeated items do not count"
    assert "2" in properties["letters"]["$comment"]


def test_defaults_are_json_and_never_made_by_user_code() -> None:
    def boom() -> str:
        raise AssertionError("called")

    @attrs.frozen
    class Defaults:
        amount: Decimal = Decimal("1.50")
        tags: list[str] = attrs.field(factory=list)
        size: Size = Size.LARGE
        nothing: str | None = None
        made: str = attrs.field(factory=boom)

    properties = schema_of(Defaults)["properties"]
    assert [properties[name].get("default", "none") for name in properties] == [Decimal("1.50"), [], 2, None, "none"]
