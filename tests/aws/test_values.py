"""Values in DynamoDB's JSON read back with the same types and digits, also after DynamoDB rewrote their numbers."""

import enum
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.aws.values import (
    LARGEST_ITEM,
    decode_json,
    encode_json,
    from_wire,
    item_json,
    refusing,
    size,
    to_wire,
)
from millrace.core.errors import Unstorable
from millrace.core.numbers import DIGITS, EXACT, UnholdableNumber, fits

from ..contracts.builders import typed
from ..contracts.strategies import texts

decimals = st.one_of(
    st.decimals(min_value=-1000, max_value=1000, places=2),
    st.sampled_from(
        [Decimal("-0"), Decimal("0E-30"), Decimal("0.00"), Decimal("1E+2"), Decimal("100"), Decimal("1.0")]
    ),
    st.builds(
        lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
        st.sampled_from([0, 1]),
        st.integers(0, 10**DIGITS - 1),
        st.integers(-160, 125),
    ).filter(fits),
)
scalars = st.one_of(texts, st.integers(-(10**DIGITS) + 1, 10**DIGITS - 1), decimals, st.booleans(), st.none())
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


class Colour(enum.StrEnum):
    RED = "red"


class Size(enum.IntEnum):
    ONE = 1


def stored(wire: Any) -> Any:
    """The value as DynamoDB gives it back: numbers without exponent and without zeros at the end."""
    [(kind, content)] = wire.items()
    match kind:
        case "N":
            text = format(EXACT.normalize(Decimal(content)), "f")
            return {"N": "0" if text == "-0" else text}
        case "M":
            return {"M": {key: stored(item) for key, item in content.items()}}
        case "L":
            return {"L": [stored(item) for item in content]}
    return wire


def nested(depth: int, innermost: Any) -> Any:
    """The value within that many lists and objects, by turns."""
    for level in range(depth):
        innermost = [innermost] if level % 2 else {"a": innermost}
    return innermost


def depth_of(wire: Any) -> int:
    [(kind, content)] = wire.items()
    below = content.values() if kind == "M" else content if kind == "L" else None
    return 0 if below is None else 1 + max(map(depth_of, below), default=0)


@given(values)
def test_values_read_back_with_their_types_and_digits(value: Any) -> None:
    wire, note = to_wire(value)
    back = from_wire(stored(wire), note)
    assert typed(back) == typed(value)
    assert repr(back) == repr(value)  # 1.50 is no 1.5


@given(values)
def test_notes_are_made_only_of_numbers_that_do_not_say_it_themselves(value: Any) -> None:
    wire, note = to_wire(value)
    assert note is None or repr(from_wire(stored(wire), None)) != repr(value)


@pytest.mark.parametrize("depth", [1, 29, 30, 31, 32, 33, 64])
def test_nesting_beyond_what_dynamodb_takes_is_kept_as_text(depth: int) -> None:
    value = nested(depth, Decimal("1.50"))
    wire, note = to_wire(value)
    assert depth_of(wire) <= 32
    assert repr(from_wire(wire, note)) == repr(value)


@pytest.mark.parametrize("name", ["", "n" * 65_536, "é" * 40_000])
def test_objects_with_keys_that_dynamodb_refuses_are_kept_as_text(name: str) -> None:
    value = {"a": [{name: Decimal("12")}, 1]}
    wire, note = to_wire(value)
    assert wire["M"]["a"]["L"][0].keys() == {"S"}
    assert repr(from_wire(wire, note)) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        10**38 + 1,
        -(10**38) - 1,
        Decimal(10**38 + 1),
        Decimal("0." + "1" * 39),
        Decimal("1E+126"),
        Decimal("1E-131"),
        10**126,
    ],
)
def test_numbers_beyond_38_digits_or_the_exponents_are_refused(value: Any) -> None:
    with pytest.raises(UnholdableNumber):
        to_wire({"a": [value]})


@pytest.mark.parametrize("value", [1.5, Decimal("NaN"), Decimal("Infinity"), (1,), {1: 2}, b"", object()])
def test_what_is_no_exact_json_value_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"no|exactly"):
        to_wire({"a": value})


@pytest.mark.parametrize("value", [1.5, Decimal("NaN"), {1: 2}, b"", object()])
def test_json_of_what_is_no_exact_json_value_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no"):
        encode_json({"a": [value]})


def test_texts_and_numbers_of_a_class_of_their_own_are_kept_as_plain_ones() -> None:
    wire, note = to_wire([Colour.RED, Size.ONE])
    assert wire == {"L": [{"S": "red"}, {"N": "1"}]}
    assert note is None


@given(st.recursive(scalars | st.integers() | st.decimals(allow_nan=False, allow_infinity=False), st.lists))
def test_json_text_keeps_numbers_of_any_size(value: Any) -> None:
    assert repr(decode_json(encode_json(value))) == repr(value)


def test_another_type_of_dynamodb_is_no_value_of_ours() -> None:
    with pytest.raises(ValueError, match="SS"):
        from_wire({"SS": ["a"]}, None)


def test_an_item_is_refused_exactly_where_it_counts_too_many_bytes() -> None:
    item: dict[str, Any] = {"é": {"S": ""}, "list": {"L": [{"N": "12"}, {"BOOL": True}]}, "b": {"B": "AAAA"}}
    room = LARGEST_ITEM - size(item)
    item["é"] = {"S": "x" * room}
    assert size(item) == LARGEST_ITEM
    assert item_json(item)
    item["é"] = {"S": "x" * (room - 1) + "é"}
    with pytest.raises(ValueError, match=f"{LARGEST_ITEM + 1} bytes"):
        item_json(item)


def test_an_item_whose_json_is_longer_than_the_item_is_let_through() -> None:
    text = item_json({"a": {"S": '"' * (LARGEST_ITEM - 100)}})
    assert len(text) > LARGEST_ITEM


@pytest.mark.parametrize("error", [ValueError("x"), TypeError("x"), OverflowError("x"), RecursionError("x")])
def test_what_cannot_be_written_is_unstorable_at_its_place(error: Exception) -> None:
    with pytest.raises(Unstorable, match="exactly: x") as caught, refusing(7):
        raise error
    assert caught.value.position == 7
    with pytest.raises(Unstorable, match="surrogate"), refusing(0):
        "\ud800".encode()
