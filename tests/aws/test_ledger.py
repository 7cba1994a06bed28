"""``DynamoLedger``: entries spread over 16 partitions read as one list in order."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.aws.ledger import SHARDS, DynamoLedger
from millrace.core.errors import TransientError
from millrace.core.records import LedgerEntry

from .calls import Fault, in_turn
from .tables import Service, Tables, mocked_tables
from .test_curated import FAULTS

ATTEMPTS = 3
receipts = st.uuids(version=4).map(str)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with mocked_tables(attempts=ATTEMPTS) as service:
        yield service


@pytest.fixture
def tables(service: Service) -> Iterator[Tables]:
    yield service.fresh()
    service.calls.always("*", None)


@pytest.fixture
def ledger(service: Service, tables: Tables) -> Iterator[DynamoLedger]:
    database = service.database()
    yield tables.ledger_store(database)
    database.close()


def entry(number: int, events: int = 3) -> LedgerEntry:
    """An entry whose partition is that of the number's last hex digit."""
    counts = {"curated": 1, "duplicate": 0, "dead_lettered": 2, "dead_letters": {"rule": 1, "invalid": 1}}
    return LedgerEntry(receipt=str(UUID(int=number)), events=events, **counts)  # type: ignore[arg-type]


def test_an_entry_is_one_write_and_no_read(service: Service, ledger: DynamoLedger, tables: Tables) -> None:
    ledger.record(entry(0xAB))
    [call] = service.calls.made
    assert (call.operation, call.parameters["TableName"]) == ("PutItem", tables.ledger)
    assert call.parameters["Item"]["shard"] == {"S": "0b"}
    assert call.parameters["Item"]["deadLetters"] == {"M": {"rule": {"N": "1"}, "invalid": {"N": "1"}}}


def test_entries_are_spread_over_every_partition(service: Service, ledger: DynamoLedger) -> None:
    for number in range(16):
        ledger.record(entry(number))
    assert {call.parameters["Item"]["shard"]["S"] for call in service.calls.made} == set(SHARDS)


def test_entries_are_read_a_hundred_at_a_time(service: Service, ledger: DynamoLedger, tables: Tables) -> None:
    for number in range(0, 120, 2):
        ledger.record(entry(number))
    service.calls.clear()
    asked = [entry(number).receipt for number in range(230)]
    assert ledger.entries(asked * 2) == {entry(n).receipt: entry(n) for n in range(0, 120, 2)}
    sizes = [len(call.parameters["RequestItems"][tables.ledger]["Keys"]) for call in service.calls.made]
    assert sorted(sizes) == [30, 100, 100]


@settings(max_examples=10, deadline=None)
@given(st.sets(receipts, max_size=25), st.integers(1, 26), st.none() | receipts)
def test_the_partitions_are_listed_as_one_in_order(
    service: Service, wanted: set[str], limit: int, after: str | None
) -> None:
    tables, database = service.fresh(), service.database()
    ledger = tables.ledger_store(database)
    for receipt in wanted:
        ledger.record(LedgerEntry(receipt=receipt, events=0))
    found, last = list[str](), after
    while page := ledger.list(after=last, limit=limit):
        assert len(page) <= limit
        found += [entry.receipt for entry in page]
        last = found[-1]
    assert found == sorted(receipt for receipt in wanted if receipt > (after or ""))
    database.close()


def test_no_limit_means_no_entries_and_no_request(service: Service, ledger: DynamoLedger) -> None:
    assert list(ledger.list(after=None, limit=0)) == []
    assert service.calls.made == []


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_pass_change_nothing(service: Service, ledger: DynamoLedger, fault: Fault) -> None:
    service.calls.always("*", in_turn(fault, fault, None))
    ledger.record(entry(1, events=5))
    ledger.record(entry(1))
    assert ledger.entries([entry(1).receipt]) == {entry(1).receipt: entry(1)}
    assert list(ledger.list(after=None, limit=9)) == [entry(1)]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_last_are_transient(service: Service, ledger: DynamoLedger, fault: Fault) -> None:
    service.calls.always("*", fault)
    for act in (
        lambda: ledger.record(entry(1)),
        lambda: ledger.entries([entry(1).receipt]),
        lambda: ledger.list(after=None, limit=1),
    ):
        with pytest.raises(TransientError):
            act()
