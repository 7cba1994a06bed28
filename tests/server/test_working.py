"""The loop that works: what fails together is done again apart, and each receipt is told of once."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import attrs
import pytest

from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.catalogs.retail import catalog
from millrace.core.errors import TransientError
from millrace.entrypoints.logs import Log
from millrace.entrypoints.platform import Platform
from millrace.entrypoints.server import working as room
from millrace.entrypoints.server.inbox import Inbox
from millrace.entrypoints.server.meter import Meter
from millrace.entrypoints.server.working import Working

from .process import purchase


def worked(
    together: Callable[[], AbstractContextManager[None]], count: int, monkeypatch: pytest.MonkeyPatch, **stores: Any
) -> tuple[Platform, list[str], list[str], Meter]:
    """A platform once so many receipts were processed: which there were, which were told of, and what was counted."""
    monkeypatch.setattr(room, "IDLE_SECONDS", 0.0)
    platform = Platform.assemble(catalog, attrs.evolve(memory_stores(), **stores), SystemClock(), RandomReceiptIds())
    platform = attrs.evolve(platform, together=together)
    done: list[str] = []
    inbox, meter = Inbox(done.extend), Meter(SystemClock())
    receipts: list[str] = []
    calls = 0

    def attend(_: float) -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:  # once what an earlier run has left was looked for
            for number in range(count):
                raw = platform.ingest.prepare(json.dumps(purchase(str(number))).encode(), source="s").raw
                platform.stores.raw.append(raw)
                inbox.send(raw.receipt.id, raw)
                receipts.append(raw.receipt.id)
        return calls < 200 and (not receipts or len(done) < count)

    Working(platform, inbox, meter, Log(verbose=False)).run(attend)
    return platform, receipts, done, meter


def test_a_commit_that_fails_is_made_up_for_and_nothing_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [2]

    @contextmanager
    def together() -> Iterator[None]:
        yield
        if failures[0] > 0:
            failures[0] -= 1
            raise TransientError("the disk is full")

    platform, receipts, done, meter = worked(together, 30, monkeypatch)
    assert sorted(done) == sorted(receipts)
    assert platform.stores.curated.count() == 30
    counted = meter.read()
    assert counted is not None
    assert (counted.outcomes["curated"], counted.types) == (30, {"purchase": 30})
    [row] = platform.stores.views.rows(catalog.views["revenue"].signature, since=0, until=2**60, after=None, limit=9)
    assert row.states[0] == 30


def test_a_receipt_that_goes_on_failing_keeps_no_other_from_being_processed(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = memory_stores().ledger
    record = ledger.record
    unlucky: list[str] = []

    def fails_for_the_first(entry: Any) -> None:
        if not unlucky:
            unlucky.append(entry.receipt)
        if entry.receipt == unlucky[0]:
            raise TransientError("it does not answer")
        record(entry)

    monkeypatch.setattr(ledger, "record", fails_for_the_first)

    @contextmanager
    def together() -> Iterator[None]:
        yield

    platform, receipts, done, _ = worked(together, 25, monkeypatch, ledger=ledger)
    assert sorted([*done, unlucky[0]]) == sorted(receipts)
    assert len(platform.stores.ledger.list(after=None, limit=99)) == 24
