"""The contracts of ``Clock`` and ``ReceiptIds``, on the machine's own."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.system import RandomReceiptIds, SystemClock

from .builders import NOON


def test_the_clock_tells_the_microseconds_since_the_epoch() -> None:
    before = time.time_ns() // 1000
    now = SystemClock().now()
    assert before <= now <= time.time_ns() // 1000


@given(st.integers(0, 2**48 * 1000 - 1))
def test_an_id_is_a_uuid_of_version_7_with_the_millisecond_of_the_receipt(received_at: int) -> None:
    text = RandomReceiptIds().new(received_at)
    parsed = uuid.UUID(text)
    assert (str(parsed), parsed.version, parsed.variant) == (text, 7, uuid.RFC_4122)
    assert parsed.int >> 80 == received_at // 1000


def test_ids_of_the_same_instant_differ() -> None:
    assert len({RandomReceiptIds().new(NOON) for _ in range(1000)}) == 1000


@given(st.integers(0, 2**40), st.integers(1, 10**9))
def test_ids_sort_by_the_instant_to_the_microsecond(received_at: int, later: int) -> None:
    assert RandomReceiptIds().new(received_at) < RandomReceiptIds().new(received_at + later)


@pytest.mark.parametrize("received_at", [-1, 2**48 * 1000])
def test_an_instant_that_48_bits_cannot_hold_is_refused(received_at: int) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        RandomReceiptIds().new(received_at)
