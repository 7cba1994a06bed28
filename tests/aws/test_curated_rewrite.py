"""``DynamoCurated`` where history is gone over: the requests it makes, and what faults of single calls do to them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from millrace.adapters.aws.curated import DynamoCurated
from millrace.core.errors import StoreError, TransientError, Unstorable
from millrace.core.records import Curated

from ..contracts.builders import NOON, bare, curated, marker, receipt_id
from .calls import Call, Fault, Send, in_turn, lost, timed_out
from .tables import Service, Tables, mocked_tables
from .test_curated import ATTEMPTS, FAULTS, everything

OTHER = receipt_id(NOON + 1000)
STORED = [curated(f"e-{n}", index=n) for n in range(5)]
CHANGED = [curated(f"e-{n}", index=n, fields={"changed": n}) for n in range(5)]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with mocked_tables(attempts=ATTEMPTS) as service:
        yield service


@pytest.fixture
def tables(service: Service) -> Iterator[Tables]:
    yield service.fresh()
    for operation in ("BatchGetItem", "PutItem", "DeleteItem", "*"):
        service.calls.always(operation, None)


@pytest.fixture
def store(service: Service, tables: Tables) -> Iterator[DynamoCurated]:
    """A store with five events and their markers."""
    database = service.database()
    opened = tables.curated_store(database, hot=4)
    opened.insert(STORED)
    opened.mark([marker(f"e-{n}") for n in range(5)])
    service.calls.clear()
    yield opened
    database.close()


Act = Callable[[DynamoCurated], Any]
ACTS: dict[str, Act] = {
    "find": lambda store: [record and bare(record) for record in store.find(STORED)],
    "marked": lambda store: store.marked([marker(f"e-{n}", receipt=OTHER) for n in range(5)]),
    "replace": lambda store: store.replace(CHANGED) and None,
    "delete": lambda store: store.delete(STORED),
}
"""What can be done again with the same answer."""


def test_find_costs_a_batch_of_reads_for_each_hundred_keys(service: Service, store: DynamoCurated) -> None:
    store.find([curated(f"f-{n}", type="hot") for n in range(150)] * 2)
    assert service.calls.counts() == {"BatchGetItem": 2}
    for call in service.calls.made:
        [asked] = call.parameters["RequestItems"].values()
        assert asked["ConsistentRead"] is True
        assert {key["eventType"]["S"] for key in asked["Keys"]} == {f"hot#{k}" for k in range(4)}


def test_replace_reads_once_and_writes_what_differs_under_a_condition(
    service: Service, store: DynamoCurated, tables: Tables
) -> None:
    assert store.replace([*STORED[:3], *CHANGED[3:]]) == [False] * 3 + [True] * 2
    assert service.calls.counts() == {"BatchGetItem": 1, "PutItem": 2}
    for call in service.calls.of("PutItem"):
        assert call.parameters["TableName"] == tables.curated
        assert call.parameters["ConditionExpression"] == "#receipt = :receipt AND #index = :index AND #at = :at"
        assert call.parameters["Item"]["curatedAt"] == {"N": str(STORED[0].curated_at)}


def test_delete_writes_only_under_a_condition(service: Service, store: DynamoCurated) -> None:
    store.delete([*STORED, *STORED, curated("e-0", receipt=OTHER)])
    assert service.calls.counts() == {"DeleteItem": 6}
    conditions = {call.parameters["ConditionExpression"] for call in service.calls.made}
    assert conditions == {"#receipt = :receipt AND #index = :index"}
    assert everything(store) == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_faults_that_pass_change_no_answer(service: Service, store: DynamoCurated, act: Act, fault: Fault) -> None:
    service.calls.always("*", in_turn(fault, fault, None))
    first = act(store)
    service.calls.always("*", None)
    if act is ACTS["find"]:
        assert first == [bare(record) for record in STORED]
    elif act is ACTS["replace"]:
        assert sorted(everything(store), key=lambda record: record.index) == [bare(record) for record in CHANGED]
    elif act is ACTS["delete"]:
        assert everything(store) == []
    assert act(store) == first or act is ACTS["find"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_faults_that_last_are_transient_and_the_call_can_be_made_again(
    service: Service, store: DynamoCurated, act: Act, fault: Fault
) -> None:
    service.calls.always("*", fault)
    with pytest.raises(TransientError):
        act(store)
    service.calls.always("*", None)
    if act in (ACTS["find"], ACTS["marked"]):
        assert None not in act(store)
    else:
        act(store)
        left = sorted(everything(store), key=lambda record: record.index)
        assert left == ([] if act is ACTS["delete"] else [bare(record) for record in CHANGED])


def test_a_write_whose_answer_was_lost_counts_as_written(service: Service, store: DynamoCurated) -> None:
    service.calls.next("PutItem", timed_out)
    assert store.replace(CHANGED) == [True] * 5


def test_after_an_error_some_are_replaced_and_the_rest_can_follow(service: Service, store: DynamoCurated) -> None:
    service.calls.next("PutItem", None, None, *[lost] * ATTEMPTS)
    with pytest.raises(TransientError):
        store.replace(CHANGED)
    assert store.replace(CHANGED) == [False, False, True, True, True]


def test_what_is_deleted_and_inserted_anew_between_reading_and_writing_stays(
    service: Service, store: DynamoCurated
) -> None:
    anew = curated("e-0", index=0, curated_at=NOON + 99)

    def overtaken(call: Call, send: Send) -> Any:
        answer = send()
        store.delete([STORED[0]])
        store.insert([anew])
        return answer

    service.calls.next("BatchGetItem", overtaken)
    assert store.replace(CHANGED[:1]) == [False]
    assert bare(anew) in everything(store)


def test_what_is_deleted_between_reading_and_writing_stays_deleted(service: Service, store: DynamoCurated) -> None:
    def overtaken(call: Call, send: Send) -> Any:
        answer = send()
        store.delete(STORED)
        return answer

    service.calls.next("BatchGetItem", overtaken)
    assert store.replace(CHANGED) == [False] * 5
    assert everything(store) == []


def test_a_type_with_shards_is_found_replaced_and_deleted(store: DynamoCurated) -> None:
    records = [curated(f"h-{n}", type="hot", index=n) for n in range(20)]
    store.insert(records)
    assert [bare(record) for record in store.find(records) if record] == [bare(record) for record in records]
    assert store.replace([curated(f"h-{n}", type="hot", index=n, fields={}) for n in range(20)]) == [True] * 20
    store.delete(records[:15])
    assert len(everything(store, "hot")) == 5


@pytest.mark.parametrize(
    "wrong", [curated(fields={"a": 10**38 + 1}), curated(subject="\udfff"), curated(type="t" * 2049)]
)
def test_what_cannot_be_stored_is_named_before_anything_is_sent(
    service: Service, store: DynamoCurated, wrong: Curated
) -> None:
    for act in (store.find, store.replace):
        with pytest.raises(Unstorable) as caught:
            act([*CHANGED, wrong])
        assert caught.value.position == 5
    with pytest.raises(Unstorable):
        store.marked([marker("a"), marker("\ud800")])
    assert service.calls.made == []


def test_a_table_that_does_not_exist_is_said_to_be_missing(service: Service, store: DynamoCurated) -> None:
    database = service.database()
    missing = Tables("Nowhere", "Nowhere", "Nowhere", "Nowhere").curated_store(database)
    for act in ACTS.values():
        with pytest.raises(StoreError, match=r"Nowhere.*does not exist"):
            act(missing)
    database.close()
