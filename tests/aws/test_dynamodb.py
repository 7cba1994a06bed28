"""``DynamoDB``: what goes out, what is tried again, what an answer means, and how calls are made in parallel."""

import json
import threading
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from millrace.adapters.aws.dynamodb import KEYS_AT_ONCE, ConditionFailed, DynamoDB, encode, page_of, put_head
from millrace.core.errors import StoreError, TransientError

from .calls import Call, Fault, Send, answer, canned, error, lost, throttled, timed_out, unavailable
from .tables import Service, mocked_tables

ATTEMPTS = 3
FOUND = canned(200, '{"Item": {"a": {"S": "b"}}}')


def damaged(call: Call, send: Send) -> Any:
    """The call took effect, but its answer lost its end."""
    content = send().content
    return answer(200, content[:-1], {"x-amz-crc32": str(crc32(content))})


def no_json(call: Call, send: Send) -> Any:
    """A server's error without any body."""
    return answer(500, b"")


PASSING: list[Fault] = [throttled, unavailable, lost, timed_out, damaged, no_json, error("InternalServerError", 500)]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with mocked_tables(attempts=ATTEMPTS) as service:
        yield service


@pytest.fixture
def database(service: Service) -> Iterator[DynamoDB]:
    service.calls.clear()
    database = service.database()
    yield database
    database.close()
    for operation in ("GetItem", "BatchGetItem"):
        service.calls.always(operation, None)


def get(database: DynamoDB) -> Any:
    return database.item("t", {"k": {"S": "x"}})


def test_a_request_is_one_that_botocores_client_could_have_made(service: Service, database: DynamoDB) -> None:
    service.clients.get("dynamodb").list_tables(Limit=5)
    database.ask("ListTables", {"Limit": 5}, "the tables")
    theirs, ours = service.calls.of("ListTables")
    assert (ours.service, ours.request.method, ours.request.url) == ("dynamodb", "POST", theirs.request.url)
    assert ours.parameters == theirs.parameters
    for name in ("content-type", "x-amz-target", "x-amz-security-token"):
        assert ours.headers[name] == theirs.headers[name]
    assert ours.headers["authorization"].split("/")[1:4] == theirs.headers["authorization"].split("/")[1:4]


@pytest.mark.parametrize("fault", PASSING)
def test_what_fails_for_the_moment_is_tried_again(service: Service, database: DynamoDB, fault: Fault) -> None:
    tables = service.fresh()
    service.calls.next("ListTables", fault, fault)
    assert tables.curated in database.ask("ListTables", {}, "the tables")["TableNames"]
    assert len(service.calls.of("ListTables")) == ATTEMPTS


@pytest.mark.parametrize("fault", PASSING)
def test_what_fails_every_time_is_transient(service: Service, database: DynamoDB, fault: Fault) -> None:
    service.calls.next("ListTables", *[fault] * ATTEMPTS)
    with pytest.raises(TransientError, match=r"the tables|damaged"):
        database.ask("ListTables", {}, "the tables")
    assert len(service.calls.of("ListTables")) == ATTEMPTS


def test_the_cause_of_a_lost_connection_is_kept(service: Service, database: DynamoDB) -> None:
    service.calls.next("ListTables", *[timed_out] * ATTEMPTS)
    with pytest.raises(TransientError) as caught:
        database.ask("ListTables", {}, "the tables")
    assert isinstance(caught.value.__cause__, ReadTimeoutError)


@pytest.mark.parametrize(
    ("code", "expected"), [("ResourceNotFoundException", StoreError), ("AccessDeniedException", StoreError)]
)
def test_what_somebody_must_mend_is_not_tried_again(
    service: Service, database: DynamoDB, code: str, expected: type[Exception]
) -> None:
    service.calls.next("GetItem", error(f"com.amazonaws.dynamodb.v20120810#{code}"))
    with pytest.raises(expected, match=code):
        get(database)
    assert len(service.calls.of("GetItem")) == 1


def test_an_error_that_nobody_foresaw_is_raised_as_botocore_does(service: Service, database: DynamoDB) -> None:
    service.calls.next("GetItem", error("ValidationException", message="no such thing"))
    with pytest.raises(ClientError, match=r"ValidationException.*GetItem.*no such thing"):
        get(database)
    service.calls.next("GetItem", canned(418, "[]"))
    with pytest.raises(ClientError, match="418"):
        get(database)


def test_without_credentials_the_store_cannot_be_used(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    database = service.database(attempts=1)
    with pytest.raises(StoreError, match="no credentials"):
        get(database)
    database.close()


def test_an_answer_with_the_right_checksum_is_taken(service: Service, database: DynamoDB) -> None:
    body = b'{"Item": {"a": {"S": "b"}}}'
    service.calls.next("GetItem", canned(200, body, {"x-amz-crc32": str(crc32(body))}))
    assert get(database) == {"a": {"S": "b"}}


def test_a_closed_database_opens_again(service: Service, database: DynamoDB) -> None:
    service.calls.always("GetItem", FOUND)
    assert get(database)
    database.close()
    database.close()
    assert get(database)


def test_a_refused_condition_brings_what_was_there(service: Service, database: DynamoDB) -> None:
    refusal = {"__type": "x#ConditionalCheckFailedException", "message": "no", "Item": {"k": {"S": "old"}}}
    service.calls.next("PutItem", canned(400, json.dumps(refusal)))
    with pytest.raises(ConditionFailed) as caught:
        database.call("PutItem", b"{}", "t")
    assert caught.value.item == {"k": {"S": "old"}}
    assert len(service.calls.of("PutItem")) == 1


def test_what_is_there_is_read_only_where_the_refusal_does_not_say_it(service: Service, database: DynamoDB) -> None:
    refusal = error("ConditionalCheckFailedException")
    service.calls.next("PutItem", refusal, refusal)
    service.calls.next("GetItem", FOUND, canned(200, "{}"))
    body = put_head("t", "k") + b"{}}"
    assert database.put_new("t", {"k": {"S": "x"}}, body) == {"a": {"S": "b"}}
    [call] = service.calls.of("GetItem")
    assert call.parameters == {"TableName": "t", "Key": {"k": {"S": "x"}}, "ConsistentRead": True}
    with pytest.raises(TransientError, match="deleted"):
        database.put_new("t", {"k": {"S": "x"}}, body)


def test_a_query_reads_page_by_page_only_as_far_as_asked(service: Service, database: DynamoDB) -> None:
    def page(*keys: str, last: str | None = None) -> Fault:
        told: dict[str, Any] = {"Items": [{"k": {"S": key}} for key in keys]}
        return canned(200, json.dumps({**told, "LastEvaluatedKey": {"k": {"S": last}}} if last else told))

    service.calls.next("Query", page("a", last="a"), page(last="b"), page("c", "d"))
    found = database.query("t", "#k = :k", {":k": {"S": "x"}}, {"#k": "k"}, 1)
    assert next(found) == {"k": {"S": "a"}}
    assert len(service.calls.of("Query")) == 1
    assert [item["k"]["S"] for item in found] == ["c", "d"]
    starts = [call.parameters.get("ExclusiveStartKey") for call in service.calls.of("Query")]
    assert starts == [None, {"k": {"S": "a"}}, {"k": {"S": "b"}}]
    assert all(
        call.parameters["ConsistentRead"] and call.parameters["Limit"] == 1 for call in service.calls.of("Query")
    )


def test_sorted_queries_are_merged_up_to_the_limit(database: DynamoDB) -> None:
    def queries() -> list[Iterator[Any]]:
        return [iter([{"n": n} for n in numbers]) for numbers in ([1, 4, 9], [], [2, 3, 5])]

    for limit in (-1, 0, 1, 4, 99):
        found = database.merged(queries(), lambda item: item["n"], limit)
        assert [item["n"] for item in found] == [1, 2, 3, 4, 5, 9][: max(limit, 0)]


def test_keys_are_read_at_most_100_at_a_time_and_leftovers_again(service: Service, database: DynamoDB) -> None:
    def half(call: Call, send: Send) -> Any:
        keys = call.parameters["RequestItems"]["t"]["Keys"]
        assert call.parameters["RequestItems"]["t"]["ConsistentRead"]
        now, rest = keys[: -(-len(keys) // 2)], keys[-(-len(keys) // 2) :]
        left = {"t": {"Keys": rest, "ConsistentRead": True}} if rest else {}
        return answer(200, json.dumps({"Responses": {"t": now}, "UnprocessedKeys": left}))

    service.calls.always("BatchGetItem", half)
    keys = [{"k": {"N": str(n)}} for n in range(250)]
    assert sorted(database.found("t", keys), key=str) == sorted(keys, key=str)
    sizes = [len(call.parameters["RequestItems"]["t"]["Keys"]) for call in service.calls.of("BatchGetItem")]
    assert max(sizes) == KEYS_AT_ONCE == 100
    assert database.found("t", []) == []


def test_keys_that_are_never_processed_are_transient(service: Service, database: DynamoDB) -> None:
    def none(call: Call, send: Send) -> Any:
        return answer(200, json.dumps({"Responses": {}, "UnprocessedKeys": call.parameters["RequestItems"]}))

    service.calls.always("BatchGetItem", none)
    with pytest.raises(TransientError, match="unprocessed"):
        database.found("t", [{"k": {"N": "1"}}])
    assert len(service.calls.of("BatchGetItem")) == ATTEMPTS


def test_a_page_of_several_partitions_is_enough_for_the_limit_if_they_are_even() -> None:
    for limit in (1, 7, 100):
        for partitions in (1, 4, 16):
            assert limit <= page_of(limit, partitions) * partitions
    assert page_of(10**6, 1) == 1000


@pytest.fixture(scope="module")
def parallel(service: Service) -> Iterator[DynamoDB]:
    database = service.database(parallelism=4)
    yield database
    database.close()


def test_results_come_in_the_order_of_the_items(parallel: DynamoDB) -> None:
    for count in (0, 1, 2, 4, 100):
        assert parallel.each(str, range(count)) == [str(n) for n in range(count)]


def test_as_many_are_under_way_as_the_clients_allow(parallel: DynamoDB) -> None:
    together = threading.Barrier(parallel.parallelism, timeout=30)
    assert len(set(parallel.each(lambda _: (together.wait(), threading.get_ident())[1], range(4)))) == 4


def test_work_within_work_does_not_wait_for_itself(parallel: DynamoDB) -> None:
    inner = parallel.each(lambda n: sum(parallel.each(lambda m: n * m, range(20))), range(20))
    assert inner == [n * 190 for n in range(20)]


@pytest.mark.parametrize("place", [0, 5, 99])
def test_after_an_error_nothing_further_is_begun(parallel: DynamoDB, place: int) -> None:
    begun: list[int] = []
    raised = threading.Event()

    def work(n: int) -> None:
        begun.append(n)
        if n == place:
            raised.set()
            raise KeyError(n)
        if n > place:
            raised.wait(30)

    with pytest.raises(KeyError):
        parallel.each(work, range(1000))
    before = len(begun)
    assert before < 1000
    assert parallel.each(str, range(9)) == [str(n) for n in range(9)]
    assert len(begun) == before


def test_bodies_are_compact_json() -> None:
    assert encode({"a": ["é", 1]}) == '{"a":["é",1]}'.encode()
