"""The contract of ``RawStore``."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.core.errors import ReceiptConflict, UnknownReceipt
from millrace.core.ports import Stores
from millrace.core.records import RawObject

from .builders import HOUR, NOON, raw_object, receipt_id

BODIES = [b"", b"{}", b"\n", b"{}\n{}\r\n\x00\xff", bytes(range(256)) * 5000]
APPENDED = st.tuples(st.integers(0, 3), st.integers(0, 9), st.binary(max_size=40))
"""Hour, number and bytes."""
EVER = {"since": 0, "until": NOON * 2, "after": None, "limit": 1000}


@pytest.mark.parametrize("body", BODIES, ids=len)
def test_what_is_read_is_what_was_appended(stores: Stores, body: bytes) -> None:
    raw = raw_object(
        body=body,
        content_type="application/x-ndjson",
        origin="orders\n.ndjson",
        source="caller é",
        foreign="github",
        idempotency_key="k-1",
        headers={"ce-id": "1", "ce-type": "a"},
        line=101,
    )
    stores.raw.append(raw)
    assert stores.raw.read(raw.receipt.id) == raw


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=300), number=st.integers(0, 4095), at=st.integers(0, NOON * 2))
def test_any_bytes_come_back(stores: Stores, body: bytes, number: int, at: int) -> None:
    raw = raw_object(at, number, body)
    try:
        stores.raw.append(raw)
    except ReceiptConflict:
        assert stores.raw.read(raw.receipt.id) != raw
    else:
        assert stores.raw.read(raw.receipt.id) == raw


def test_the_same_receipt_with_the_same_bytes_changes_nothing(stores: Stores) -> None:
    raw = raw_object(body=b"once")
    stores.raw.append(raw)
    stores.raw.append(RawObject(raw.receipt, b"once"))
    assert stores.raw.read(raw.receipt.id) == raw
    assert list(stores.raw.list(**EVER)) == [raw.receipt.id]  # type: ignore[arg-type]


def test_the_same_receipt_with_other_bytes_is_refused_and_the_first_stays(stores: Stores) -> None:
    raw = raw_object(body=b"first")
    stores.raw.append(raw)
    with pytest.raises(ReceiptConflict):
        stores.raw.append(RawObject(raw.receipt, b"second"))
    assert stores.raw.read(raw.receipt.id).body == b"first"


@pytest.mark.parametrize(
    "receipt",
    [receipt_id(number=9), "", ".", "../../etc/passwd", receipt_id() + "/..", receipt_id().upper(), "x" * 36, "\0",
     "ffffffff-ffff-7fff-bfff-ffffffffffff"],
)  # fmt: skip
def test_an_unknown_receipt_is_said_to_be_unknown(stores: Stores, receipt: str) -> None:
    stores.raw.append(raw_object(NOON, 10))
    with pytest.raises(UnknownReceipt):
        stores.raw.read(receipt)


def test_receipts_are_listed_in_order_of_id_whatever_the_order_of_arrival(stores: Stores) -> None:
    objects = [raw_object(NOON + hours * HOUR, number) for hours in (2, 0, 30, -30, 1) for number in (3, 1, 2)]
    for raw in objects:
        stores.raw.append(raw)
    assert list(stores.raw.list(**EVER)) == sorted(raw.receipt.id for raw in objects)  # type: ignore[arg-type]


def test_since_is_inclusive_and_until_exclusive(stores: Stores) -> None:
    instants = [NOON - 1000, NOON, NOON + 1000, NOON + 2000]
    for at in instants:
        stores.raw.append(raw_object(at))
    found = stores.raw.list(since=NOON, until=NOON + 2000, after=None, limit=10)
    assert list(found) == [receipt_id(NOON), receipt_id(NOON + 1000)]


def test_a_range_within_a_millisecond_holds_that_millisecond(stores: Stores) -> None:
    stores.raw.append(raw_object(NOON + 500))
    assert list(stores.raw.list(since=NOON + 900, until=NOON + 901, after=None, limit=10)) == [receipt_id(NOON)]
    assert list(stores.raw.list(since=NOON, until=NOON, after=None, limit=10)) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_everything_once(stores: Stores, limit: int) -> None:
    ids = [receipt_id(NOON + hours * HOUR, number) for hours in (0, 1, 7) for number in range(3)]
    for hours in (0, 1, 7):
        for number in range(3):
            stores.raw.append(raw_object(NOON + hours * HOUR, number))
    found: list[str] = []
    while page := stores.raw.list(since=0, until=NOON * 2, after=found[-1] if found else None, limit=limit):
        assert len(page) <= limit
        found += page
    assert found == ids


@pytest.mark.parametrize(("since", "until"), [(-(10**30), 10**30), (0, 10**30), (-1, NOON * 2)])
def test_bounds_may_lie_beyond_all_time(stores: Stores, since: int, until: int) -> None:
    stores.raw.append(raw_object(0))
    stores.raw.append(raw_object())
    assert list(stores.raw.list(since=since, until=until, after=None, limit=9)) == [receipt_id(0), receipt_id()]


def test_after_need_not_exist(stores: Stores) -> None:
    stores.raw.append(raw_object(NOON, 5))
    for after, expected in [(receipt_id(NOON, 4), 1), (receipt_id(NOON, 6), 0), ("0", 1), ("~", 0)]:
        assert len(stores.raw.list(since=0, until=NOON * 2, after=after, limit=9)) == expected


def test_an_empty_log_lists_nothing(stores: Stores) -> None:
    assert list(stores.raw.list(**EVER)) == []  # type: ignore[arg-type]


def test_an_empty_range_within_a_millisecond_holds_nothing(stores: Stores) -> None:
    stores.raw.append(raw_object(NOON))
    for until in (NOON + 1, NOON):
        assert list(stores.raw.list(since=NOON + 1, until=until, after=None, limit=9)) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    given=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 9), st.binary(max_size=40)),
        max_size=12,
        unique_by=lambda it: it[:2],
    ),
    cut=st.integers(0, 12),
    instance=st.integers(0, 2**13),
)
def test_what_is_appended_together_is_there_as_if_one_by_one(
    stores: Stores, given: list[tuple[int, int, bytes]], cut: int, instance: int
) -> None:
    at = instance * 24 * HOUR  # a time of its own for each example
    raws = [raw_object(at + hours * HOUR, number, body) for hours, number, body in given]
    try:
        for some in (raws[:cut], raws, raws[cut:]):
            stores.raw.append_all(some)
    except ReceiptConflict:
        assert any(stores.raw.read(raw.receipt.id) != raw for raw in raws)
        return
    assert [stores.raw.read(raw.receipt.id) for raw in raws] == raws
    listed = stores.raw.list(since=at, until=at + 4 * HOUR, after=None, limit=1000)
    assert {raw.receipt.id for raw in raws} <= {*listed}
    assert [*listed] == sorted({*listed})


def test_of_receipts_that_are_appended_together_none_takes_the_place_of_another(stores: Stores) -> None:
    first, second = raw_object(NOON, 1, b"1"), raw_object(NOON, 2, b"2")
    stores.raw.append_all([first, second, first])
    for raws in ([RawObject(first.receipt, b"other")], [raw_object(NOON, 3), RawObject(second.receipt, b"other")]):
        with pytest.raises(ReceiptConflict):
            stores.raw.append_all(raws)
    with pytest.raises(ReceiptConflict):
        stores.raw.append(RawObject(second.receipt, b"other"))
    assert [stores.raw.read(raw.receipt.id) for raw in (first, second)] == [first, second]
    stores.raw.append_all([])
