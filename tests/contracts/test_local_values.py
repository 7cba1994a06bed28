"""The codec of the local adapter: exact values come back exactly, others are refused."""

import enum
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.local.values import decode_list, encode, encode_list, exact

from .builders import typed
from .strategies import fields, values


@given(st.lists(values))
def test_every_exact_value_comes_back_equal_and_of_its_type(listed: list[Any]) -> None:
    assert typed(decode_list(encode_list(listed))) == typed(listed)


@given(fields)
def test_fields_that_need_no_care_are_not_copied_and_come_back(values: dict[str, Any]) -> None:
    decoded = msgspec.json.decode(encode(exact(values)))
    assert decoded.keys() == values.keys()
    plain = all(type(value) in (str, int, bool, type(None)) for value in values.values())
    assert not plain or exact(values) is values
    assert typed(decode_list(b"[" + encode(exact(values)) + b"]")) == typed([values])


@pytest.mark.parametrize(
    "text", ["12", "-12", "0", "-0", "0E-10", "1E+3", "1E+125", "1E-130", "1.0", "12.00", "9" * 38, "0." + "9" * 38]
)
def test_a_decimal_keeps_its_digits_and_its_exponent(text: str) -> None:
    [found] = decode_list(encode_list([Decimal(text)]))
    assert found.as_tuple() == Decimal(text).as_tuple()


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**38 - 1, -(10**38) + 1, 10**80])
def test_an_int_stays_an_int_however_large(number: int) -> None:
    assert typed(decode_list(encode_list([number]))) == typed([number])


class Colour(enum.StrEnum):
    RED = "red"


def test_a_text_of_a_subclass_is_kept_as_text() -> None:
    assert decode_list(encode_list([Colour.RED])) == ["red"]


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("sNaN"), b"x", (1, 2),
     {1: 2}, datetime(2026, 1, 1, tzinfo=UTC), object(), {1}, [0.5], {"a": {"b": 0.5}}],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_exact_json_value_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"no exact JSON value|no number|no string"):
        exact({"fine": 1, "value": value})


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode(exact({"a": ["\ud800"]}))
