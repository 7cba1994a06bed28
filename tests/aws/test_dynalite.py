"""On dynalite, over real connections: what moto lets pass, and workers that race in threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.aws.dynamodb import DynamoDB
from millrace.adapters.aws.items import key_of
from millrace.adapters.aws.values import LARGEST_ITEM, from_wire, item_json, size, to_wire
from millrace.core.errors import Unstorable
from millrace.core.identity import EARLIEST, LATEST, record_key
from millrace.core.records import Curated, LedgerEntry

from ..contracts.builders import NOON, bare, curated, marker, receipt_id, row, typed
from .calls import Call, Calls, Fault, Send, lost, throttled, timed_out, unavailable
from .dynalite import clients_of, dynalite, why_not
from .tables import Service, Tables, create_tables
from .test_values import nested, values

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")
OTHER = receipt_id(NOON + 1000)
WORKERS = 6


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    calls = Calls()
    with dynalite() as url, clients_of(url, calls, attempts=4, parallelism=4) as clients:
        yield Service(clients, calls)


@pytest.fixture(scope="module")
def database(service: Service) -> Iterator[DynamoDB]:
    database = service.database()
    yield database
    database.close()


@pytest.fixture
def tables(service: Service) -> Iterator[Tables]:
    yield service.fresh()
    service.calls.always("PutItem", None)


@pytest.fixture(scope="module")
def ledger_table(service: Service) -> str:
    """A table that items of any form may be put into."""
    return create_tables(service.clients.get("dynamodb"), "-values").ledger


def everything(tables: Tables, database: DynamoDB) -> list[Curated]:
    store = tables.curated_store(database)
    return list(store.query("purchase", since=EARLIEST, until=LATEST + 1, after=None, limit=10**6))


def race(*acts: Callable[[], Any]) -> list[Any]:
    """What the acts return that begin at the same moment in threads of their own."""
    start = threading.Barrier(len(acts), timeout=30)

    def run(act: Callable[[], Any]) -> Any:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def exact(value: Any) -> Any:
    """The value with the notation of its numbers, whatever order DynamoDB returns the members of objects in."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list) else repr(value)


def put_and_get(database: DynamoDB, table: str, attributes: dict[str, Any]) -> Any:
    key = {"shard": {"S": "00"}, "receipt": {"S": "r"}}
    text = item_json({**key, **attributes})
    database.call("PutItem", b'{"TableName":"' + table.encode() + b'","Item":' + text + b"}", table)
    return database.item(table, key)


@settings(max_examples=150, deadline=None)
@given(st.lists(values, max_size=4))
def test_every_value_comes_back_with_its_types_and_digits(
    database: DynamoDB, ledger_table: str, values: list[Any]
) -> None:
    wire, note = to_wire(values)
    item = put_and_get(database, ledger_table, {"value": wire})
    assert exact(from_wire(item["value"], note)) == exact(values)


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString", "hasOwnProperty", "length", "0", "S", "N"])
def test_members_may_have_any_name(database: DynamoDB, ledger_table: str, name: str) -> None:
    for value in ({name: Decimal("1.50")}, {name: None}, {name: {name: [0, {name: ""}]}}):
        wire, note = to_wire(value)
        item = put_and_get(database, ledger_table, {"value": wire})
        assert exact(from_wire(item["value"], note)) == exact(value)


@pytest.mark.parametrize("depth", [30, 31, 32, 33, 64])
def test_values_nested_as_deep_as_events_may_be_are_kept(database: DynamoDB, ledger_table: str, depth: int) -> None:
    value = nested(depth, [Decimal("1.50"), ""])
    wire, note = to_wire(value)
    assert repr(from_wire(put_and_get(database, ledger_table, {"value": wire})["value"], note)) == repr(value)


def test_the_largest_item_that_is_let_through_is_taken(database: DynamoDB, ledger_table: str) -> None:
    parts = {
        "map": to_wire({f"k{n}é": [n, Decimal(f"1.{n}5"), "", None, True] for n in range(500)})[0],
        "b": {"B": "AAAA"},
        "text": {"S": ""},
    }
    key = {"shard": {"S": "00"}, "receipt": {"S": "r"}}
    parts["text"] = {"S": "x" * (LARGEST_ITEM - size({**parts, **key}))}
    assert size({**parts, **key}) == LARGEST_ITEM
    assert put_and_get(database, ledger_table, parts)["text"] == parts["text"]


@pytest.mark.parametrize("fields", [{"a": 10**38 + 1}, {"a": Decimal("0." + "1" * 39)}, {"a": Decimal("1E+126")}])
def test_what_dynamodb_refuses_is_refused_before_it_is_sent(
    service: Service, database: DynamoDB, tables: Tables, fields: dict[str, Any]
) -> None:
    with pytest.raises(Unstorable):
        tables.curated_store(database).insert([curated(fields=fields)])
    assert service.calls.made == []
    with pytest.raises(Exception, match="ValidationException"):
        put_and_get(database, tables.ledger, {"a": {"N": format(Decimal(fields["a"]), "f")}})


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(EARLIEST, LATEST), min_size=1, max_size=10), st.integers(1, 11))
def test_sort_keys_keep_all_digits_and_their_order(
    service: Service, database: DynamoDB, times: set[int], limit: int
) -> None:
    tables = service.fresh()
    store = tables.curated_store(database, purchase=3)
    records = [curated(f"e-{n % 3}", time=time) for n, time in enumerate(times)]
    assert store.insert(records) == [None] * len(records)
    found, after = list[Curated](), None
    while page := store.query("purchase", since=EARLIEST, until=LATEST + 1, after=after, limit=limit):
        found += page
        after = record_key(found[-1])
    assert found == sorted(map(bare, records), key=record_key)


def test_the_key_dynalite_returns_is_the_one_sent(database: DynamoDB, tables: Tables, service: Service) -> None:
    record = curated("a", time=-1)
    tables.curated_store(database).insert([record])
    item = database.ask("Scan", {"TableName": tables.curated}, tables.curated)["Items"][0]
    assert key_of(item) == record_key(record)


def test_of_workers_that_insert_the_same_records_each_record_has_one_first(database: DynamoDB, tables: Tables) -> None:
    def insert(worker: int) -> Any:
        records = [curated(f"e-{n}", receipt=receipt_id(number=worker)) for n in range(30)]
        return tables.curated_store(database).insert(records)

    answers = race(*(lambda worker=worker: insert(worker) for worker in range(WORKERS)))
    kept = {record.id: record.receipt for record in everything(tables, database)}
    for n in range(30):
        winners = [receipt_id(number=worker) for worker in range(WORKERS) if answers[worker][n] is None]
        assert winners == [kept[f"e-{n}"]]
        losers = [answers[worker][n] for worker in range(WORKERS) if answers[worker][n] is not None]
        assert {lineage.receipt for lineage in losers} == set(winners)


def test_of_workers_that_mark_the_same_identities_all_see_the_same_first(database: DynamoDB, tables: Tables) -> None:
    def mark(worker: int) -> Any:
        return tables.curated_store(database).mark([marker(f"e-{n}", index=worker) for n in range(20)])

    answers = race(*(lambda worker=worker: mark(worker) for worker in range(WORKERS)))
    assert all(answer == answers[0] for answer in answers)


def test_workers_that_race_for_a_row_each_count_once(database: DynamoDB, tables: Tables) -> None:
    views = tables.view_store(database)

    def count(worker: int) -> None:
        for step in range(5):
            while True:
                held = views.load("v", [row().key]).get(row().key, row(states=(0,), positions={}))
                raised = msgspec.structs.replace(
                    held, states=(held.states[0] + 1,), positions={**held.positions, str(worker): step + 1}
                )
                if not views.commit("v", [raised]):
                    break

    race(*(lambda worker=worker: count(worker) for worker in range(WORKERS)))
    final = views.load("v", [row().key])[row().key]
    assert (final.states, final.version) == ((5 * WORKERS,), 5 * WORKERS)
    assert final.positions == {str(worker): 5 for worker in range(WORKERS)}


def test_workers_that_advance_a_cursor_leave_it_at_the_greatest(database: DynamoDB, tables: Tables) -> None:
    views = tables.view_store(database)
    race(*(lambda position=n: views.advance("v", "o", position) for n in (5, 900, 30, 899)))
    assert views.cursor("v", "o") == 900


def test_the_first_record_is_read_where_the_refusal_does_not_bring_it(
    service: Service, database: DynamoDB, tables: Tables
) -> None:
    store = tables.curated_store(database)
    store.insert([curated("a")])
    service.calls.clear()
    [lineage] = store.insert([curated("a", receipt=OTHER)])
    assert lineage is not None
    assert lineage.receipt == receipt_id()
    assert service.calls.counts() == {"PutItem": 1, "GetItem": 1}


def at_first(fault: Fault) -> Fault:
    """The fault for the first try of each request, as its body tells it from others."""
    seen: set[bytes] = set()

    def once(call: Call, send: Send) -> AWSResponse:
        if call.content in seen:
            return send()
        seen.add(call.content)
        return fault(call, send)

    return once


@pytest.mark.parametrize("fault", [throttled, unavailable, lost, timed_out])
def test_faults_on_the_first_try_of_every_write_change_no_answer(
    service: Service, tables: Tables, fault: Fault
) -> None:
    database = service.database()
    store, ledger = tables.curated_store(database), tables.ledger_store(database)
    service.calls.always("PutItem", at_first(fault))
    batch = [curated(f"e-{n}", index=n) for n in range(20)]
    entry = LedgerEntry(receipt=receipt_id(), events=20, curated=20)
    for _ in range(2):
        assert store.insert(batch) == [None] * 20
        ledger.record(entry)
    assert service.calls.counts()["PutItem"] == 63
    assert everything(tables, database) == sorted(map(bare, batch), key=record_key)
    assert ledger.entries([receipt_id()]) == {receipt_id(): entry}
    assert store.count() == 20
    database.close()


def test_a_view_row_may_grow_up_to_the_size_of_an_item(database: DynamoDB, tables: Tables) -> None:
    views = tables.view_store(database)
    states = (["é" * 500] * 400,)
    assert views.commit("v", [row(states=states)]) == []
    assert typed(views.load("v", [row().key])[row().key].states) == typed(states)
