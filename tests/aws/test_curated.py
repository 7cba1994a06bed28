"""``DynamoCurated`` and ``DynamoIdentities``: the requests they make, and what faults of single calls do to them."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.aws.curated import DynamoCurated
from millrace.core.errors import StoreError, TransientError, Unstorable
from millrace.core.identity import EARLIEST, LATEST, content_hash, record_key
from millrace.core.records import Curated, Lineage, Marker

from ..contracts.builders import NOON, bare, curated, marker, receipt_id
from .calls import Fault, error, in_turn, lost, throttled, timed_out, unavailable
from .tables import Service, Tables, mocked_tables
from .test_dynamodb import damaged, no_json

ATTEMPTS = 3
OTHER = receipt_id(NOON + 1000)
FAULTS: list[Fault] = [throttled, unavailable, lost, timed_out, damaged, no_json, error("InternalServerError", 500)]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with mocked_tables(attempts=ATTEMPTS) as service:
        yield service


@pytest.fixture
def tables(service: Service) -> Iterator[Tables]:
    yield service.fresh()
    for operation in ("PutItem", "*"):
        service.calls.always(operation, None)


@pytest.fixture
def store(service: Service, tables: Tables) -> Iterator[DynamoCurated]:
    database = service.database()
    yield tables.curated_store(database, hot=4)
    database.close()


def everything(store: DynamoCurated, event_type: str = "purchase") -> list[Curated]:
    return list(store.query(event_type, since=EARLIEST, until=LATEST + 1, after=None, limit=10**6))


def test_a_new_record_costs_one_conditional_write_and_no_read(
    service: Service, store: DynamoCurated, tables: Tables
) -> None:
    store.insert([curated(f"e-{n}") for n in range(20)])
    assert service.calls.counts() == {"PutItem": 20}
    for call in service.calls.made:
        assert call.parameters["TableName"] == tables.curated
        assert call.parameters["ConditionExpression"] == "attribute_not_exists(#key)"
        assert call.parameters["ExpressionAttributeNames"] == {"#key": "eventType"}
        assert call.parameters["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_a_record_that_lost_costs_one_refused_write_and_no_read(service: Service, store: DynamoCurated) -> None:
    store.insert([curated("a")])
    service.calls.clear()
    assert store.insert([curated("a", receipt=OTHER)]) == [
        Lineage("shop", "a", receipt_id(), 0, content_hash(curated("a").raw))
    ]
    assert service.calls.counts() == {"PutItem": 1}


def test_records_with_one_key_are_sent_once(service: Service, store: DynamoCurated) -> None:
    store.insert([curated("a"), curated("b"), curated("a", receipt=OTHER), curated("a")])
    assert service.calls.counts() == {"PutItem": 2}


def test_a_new_marker_costs_one_conditional_write_and_no_read(
    service: Service, store: DynamoCurated, tables: Tables
) -> None:
    store.mark([marker("a"), marker("a", receipt=OTHER), marker("b")])
    assert service.calls.counts() == {"PutItem": 2}
    assert {call.parameters["TableName"] for call in service.calls.made} == {tables.identities}
    assert all("attribute_not_exists" in call.parameters["ConditionExpression"] for call in service.calls.made)


def test_markers_of_sources_and_ids_that_read_the_same_together_are_apart(store: DynamoCurated) -> None:
    markers = [marker("bc", source="a"), marker("c", source="ab"), marker("abc", source="")]
    assert store.mark(markers) == markers


Act = Callable[[DynamoCurated], Any]
ACTS: dict[str, Act] = {
    "insert": lambda store: store.insert([curated(f"e-{n}", index=n) for n in range(5)]),
    "mark": lambda store: store.mark([marker(f"e-{n}", index=n) for n in range(5)]),
    "query": everything,
    "count": DynamoCurated.count,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_faults_that_pass_change_no_answer(service: Service, store: DynamoCurated, act: Act, fault: Fault) -> None:
    service.calls.always("*", in_turn(fault, fault, None))
    first = act(store)
    service.calls.always("*", None)
    assert act(store) == first
    assert store.count() in (0, 5)
    assert everything(store) == sorted((bare(curated(f"e-{n}", index=n)) for n in range(store.count())), key=record_key)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_faults_that_last_are_transient_and_the_call_can_be_made_again(
    service: Service, store: DynamoCurated, act: Act, fault: Fault
) -> None:
    service.calls.always("*", fault)
    with pytest.raises(TransientError):
        act(store)
    service.calls.always("*", None)
    first = act(store)
    assert act(store) == first
    assert first in ([None] * 5, [marker(f"e-{n}", index=n) for n in range(5)], [], 0)


def test_after_an_error_what_is_written_is_ours_and_the_rest_can_follow(service: Service, store: DynamoCurated) -> None:
    batch = [curated(f"e-{n}", index=n) for n in range(9)]
    service.calls.next("PutItem", *[None] * 4, *[lost] * ATTEMPTS)
    with pytest.raises(TransientError):
        store.insert(batch)
    assert store.count() == 4
    assert store.insert(batch) == [None] * 9
    assert store.count() == 9


def test_a_table_that_does_not_exist_is_said_to_be_missing(service: Service, store: DynamoCurated) -> None:
    database = service.database()
    missing = Tables("Nowhere", "Nowhere", "Nowhere", "Nowhere").curated_store(database)
    for act in ACTS.values():
        with pytest.raises(StoreError, match=r"Nowhere.*does not exist"):
            act(missing)
    database.close()


@pytest.mark.parametrize(
    "wrong",
    [
        curated(fields={"a": 10**38 + 1}),
        curated(fields={"a": Decimal("1." + "1" * 38)}),
        curated(fields={"a": Decimal("1E+126")}),
        curated(fields={"a": "x" * 410_000}),
        curated(fields={"a": "\ud800"}),
        curated(fields={"a": 1.5}),
        curated(subject="\udfff"),
        curated(source="\ud800"),
        curated(type="t" * 2049),
        curated(time=LATEST + 1),
    ],
)
def test_what_cannot_be_stored_is_named_before_anything_is_sent(
    service: Service, store: DynamoCurated, wrong: Curated
) -> None:
    for act in (store.insert, store.check):
        with pytest.raises(Unstorable) as caught:
            act([curated("a"), curated("b"), wrong, curated("c")])
        assert caught.value.position == 2
    assert service.calls.made == []


@pytest.mark.parametrize("wrong", [marker("\ud800"), marker(type="x" * 410_000)])
def test_a_marker_that_cannot_be_stored_is_named_before_anything_is_sent(
    service: Service, store: DynamoCurated, wrong: Marker
) -> None:
    with pytest.raises(Unstorable) as caught:
        store.mark([marker("a"), wrong])
    assert caught.value.position == 1
    assert service.calls.made == []


def test_numbers_of_38_digits_are_written_to_the_last(service: Service, store: DynamoCurated) -> None:
    digits = "1" * 38
    store.insert([curated(fields={"a": int(digits), "b": Decimal(f"0.{digits}")})])
    [call] = service.calls.made
    assert call.parameters["Item"]["fields"] == {"M": {"a": {"N": digits}, "b": {"N": f"0.{digits}"}}}


@settings(max_examples=10, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 99)), max_size=25), st.integers(1, 30))
def test_a_query_over_partitions_merges_them_in_order(
    service: Service, names: set[tuple[int, int]], limit: int
) -> None:
    tables, database = service.fresh(), service.database()
    store = tables.curated_store(database, hot=4)
    records = [curated(f"e-{n}", type="hot", time=NOON + instant) for instant, n in names]
    store.insert(records)
    expected, found, after = sorted(map(bare, records), key=record_key), list[Curated](), None
    while page := store.query("hot", since=NOON, until=NOON + 4, after=after, limit=limit):
        assert len(page) <= limit
        found += page
        after = record_key(found[-1])
    assert found == expected
    database.close()


def test_a_type_with_shards_is_spread_over_all_of_them(service: Service, store: DynamoCurated) -> None:
    store.insert([curated(f"e-{n}", type="hot") for n in range(60)])
    partitions = {call.parameters["Item"]["eventType"]["S"] for call in service.calls.made}
    assert partitions == {f"hot#{k}" for k in range(4)}
    service.calls.clear()
    assert len(everything(store, "hot")) == 60
    assert len(service.calls.of("Query")) == 4
    assert store.count() == 60


def test_two_identities_with_one_key_get_the_lineage_of_the_first(
    store: DynamoCurated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.adapters.aws.items.tie_break", lambda *_: 7)
    assert store.insert([curated("a")]) == [None]
    [held] = store.insert([curated("b", receipt=OTHER)])
    assert held is not None
    assert held.id == "a"
