"""The items of curated events: keys that sort as the core's do, and records that come back whole."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.aws.items import (
    FIRST_KEY,
    LAST_KEY,
    encoded,
    key_number,
    key_of,
    lineage_of,
    partition_of,
    partitions_of,
    record_of,
)
from millrace.core.identity import EARLIEST, LATEST, content_hash, record_key, sort_key
from millrace.core.records import Curated, Lineage

from ..contracts.builders import NOON, bare, curated
from ..contracts.strategies import texts
from .test_values import values

keys = st.integers(FIRST_KEY, LAST_KEY)
records = st.builds(
    curated, texts, type=texts, time=st.integers(EARLIEST, LATEST), source=texts, part=st.integers(0, 99),
    version=st.integers(1, 9), subject=st.none() | texts, receipt=texts, index=st.integers(0, 9999),
    curated_at=st.integers(EARLIEST, LATEST),
    fields=st.dictionaries(texts, values, max_size=4), raw=st.binary(max_size=9),
)  # fmt: skip


def item_of(record: Curated, shards: int = 1) -> dict[str, Any]:
    item: dict[str, Any] = msgspec.json.decode(encoded(record, shards)[1])
    return item


@given(records, st.integers(1, 3))
def test_a_record_comes_back_as_it_was_without_its_bytes(record: Curated, shards: int) -> None:
    shards = 1 if "#" in record.type or not record.type else shards  # a catalog lets no such type have shards
    item = item_of(record, shards)
    assert repr(record_of(item)) == repr(bare(record))
    assert key_of(item) == record_key(record)
    expected = Lineage(record.source, record.id, record.receipt, record.index, content_hash(record.raw))
    assert lineage_of(item) == expected


@given(keys, keys)
def test_key_numbers_have_at_most_38_digits_and_sort_as_the_keys_do(first: int, second: int) -> None:
    numbers = Decimal(key_number(first)), Decimal(key_number(second))
    assert (numbers[0] < numbers[1]) == (first < second)
    assert max(len(number.as_tuple().digits) for number in numbers) <= 38
    assert key_of({"eventTime": {"N": key_number(first)}}) == first


@given(st.integers(EARLIEST, LATEST))
def test_a_key_number_begins_with_epoch_seconds(time: int) -> None:
    number = Decimal(key_number(sort_key(time, 0)))
    assert number == Decimal(time).scaleb(-6)
    assert Decimal(time).scaleb(-6) <= Decimal(key_number(sort_key(time, 10**20 - 1))) < Decimal(time + 1).scaleb(-6)


@given(texts, st.integers(0, 2**64 - 1), st.integers(1, 20))
def test_an_event_is_in_one_of_its_types_partitions(event_type: str, tie: int, shards: int) -> None:
    partitions = partitions_of(event_type, shards)
    assert len(set(partitions)) == shards
    assert partition_of(event_type, tie, shards) in partitions


def test_partitions_have_the_names_operators_query() -> None:
    assert partitions_of("purchase", 1) == ["purchase"]
    assert partitions_of("purchase", 3) == ["purchase#0", "purchase#1", "purchase#2"]


@given(texts, texts)
def test_partitions_of_different_types_differ(first: str, second: str) -> None:
    assert (partitions_of(first, 1) == partitions_of(second, 1)) == (first == second)


@pytest.mark.parametrize("time", [EARLIEST - 1, LATEST + 1])
def test_times_beyond_those_that_have_a_name_are_refused(time: int) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        encoded(curated(time=time), 1)


def test_a_record_larger_than_an_item_is_refused() -> None:
    encoded(curated(fields={"a": "x" * 400_000}), 1)
    with pytest.raises(ValueError, match="409600"):
        encoded(curated(fields={"a": "x" * 410_000}), 1)


@pytest.mark.parametrize("event_type", ["t" * 2049, "é" * 1025])
def test_a_type_longer_than_a_partition_value_is_refused(event_type: str) -> None:
    encoded(curated(type=event_type[:1024]), 1)
    with pytest.raises(ValueError, match="2048"):
        encoded(curated(type=event_type), 1)


def test_the_item_is_what_operators_find() -> None:
    record = curated("e-1", time=NOON + 250_000, fields={"amount": Decimal("12.50"), "ok": True}, subject="s")
    item = item_of(record)
    assert item["eventType"] == {"S": "purchase"}
    assert item["eventTime"]["N"].startswith("1767960000.25")
    assert item["fields"] == {"M": {"amount": {"N": "12.50"}, "ok": {"BOOL": True}}}
    assert item["exact"] == {"S": '{"amount":-2}'}
    assert item["subject"] == {"S": "s"}
