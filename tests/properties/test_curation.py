"""Curation: what a transform may return, and in which form a store gets it."""

import datetime as dt
import enum
import math
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.core.canonical import canonical_text
from millrace.core.catalog.curation import NotStorable, as_records
from millrace.core.decoding.strict_json import parse


class Mixed(str, enum.Enum):  # noqa: UP042 (its own __str__ names the member)
    RED = "red"


@attrs.frozen
class Point:
    x: Any
    y: Any = None


CHARACTERS = st.text(max_size=4)
STORABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=4),
    CHARACTERS,
)
RICH = st.recursive(
    st.one_of(
        STORABLE,
        st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100).filter(
            lambda f: f == 0 or abs(f) > 1e-100
        ),
        st.dates(),
        st.times(),
        st.uuids(),
        st.binary(max_size=4),
        st.datetimes(timezones=st.just(dt.UTC)),
        st.just(Mixed.RED),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
        st.builds(Point, inner, inner),
    ),
    max_leaves=6,
)
RECORDS = st.dictionaries(st.text(min_size=1, max_size=4), RICH, max_size=4)


@given(RECORDS)
def test_what_is_stored_reads_back_as_itself(record: dict[str, Any]) -> None:
    (stored,) = as_records(record)
    assert canonical_text(parse(canonical_text(stored).encode())) == canonical_text(stored)
    assert repr(as_records(stored)) == repr([stored])


@given(st.dictionaries(st.text(min_size=1, max_size=4), STORABLE, max_size=4))
def test_a_storable_record_stays_as_it_is(record: dict[str, Any]) -> None:
    assert repr(as_records(record)) == repr([record])


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (1.5, Decimal("1.5")),
        (0.1, Decimal("0.1")),
        (dt.datetime(2026, 11, 23, 3, tzinfo=dt.timezone(dt.timedelta(hours=1))), "2026-11-23T02:00:00Z"),
        (dt.datetime(2026, 11, 23, 2, 0, 0, 5, tzinfo=dt.UTC), "2026-11-23T02:00:00.000005Z"),
        (dt.date(2026, 11, 23), "2026-11-23"),
        (dt.time(2, 30), "02:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"hello", "aGVsbG8="),
        (Mixed.RED, "red"),
        ({3, 1, 2}, [1, 2, 3]),
        (Point(1, {"z": (1, 2)}), {"x": 1, "y": {"z": [1, 2]}}),
        ({Mixed.RED: 1}, {"red": 1}),
        (10**125, 10**125),
    ],
)
def test_each_type_is_stored_in_its_json_form(value: Any, stored: Any) -> None:
    assert repr(as_records({"v": value})) == repr([{"v": stored}])


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        (float("nan"), "/v"),
        (math.inf, "/v"),
        (Decimal("NaN"), "/v"),
        (Decimal("sNaN"), "/v"),
        (Decimal("1e126"), "/v"),
        (Decimal("1." + "1" * 38), "/v"),
        (10**38 + 1, "/v"),
        (5e-324, "/v"),
        (dt.datetime(2026, 1, 1), "/v"),  # noqa: DTZ001 (that is the point)
        ("\ud800", "/v"),
        ({"a/b": [1, {"~": "\udfff"}]}, "/v/a~1b/1/~0"),
        ({"": 1}, "/v"),
        ({1: 1}, "/v"),
        ({"\ud800": 1}, "/v"),
        (object(), "/v"),
        (Point(object()), "/v/x"),
        (1j, "/v"),
        (print, "/v"),
    ],
)
def test_what_no_store_can_hold_is_refused_with_its_place(value: Any, pointer: str) -> None:
    with pytest.raises(NotStorable) as raised:
        as_records({"v": value})
    assert raised.value.pointer == pointer
    raised.value.message.encode()


@pytest.mark.parametrize(
    ("result", "count"), [(None, 0), ([], 0), ((), 0), ({}, 1), ([{}, {"a": 1}], 2), (Point(1), 1), ((Point(1), {}), 2)]
)
def test_a_transform_returns_one_record_several_or_none(result: Any, count: int) -> None:
    assert len(as_records(result)) == count


@pytest.mark.parametrize("result", ["text", 1, True, {1, 2}, [1], [None], [[{}]], iter(()), object()])
def test_a_transform_that_returns_anything_else_is_refused(result: Any) -> None:
    with pytest.raises(NotStorable):
        as_records(result)
