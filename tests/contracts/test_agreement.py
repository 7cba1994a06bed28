"""Every persistent adapter answers as the in-memory one does, whatever is asked of both, also across reopening."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from millrace.adapters.memory import MemoryQueue, memory_stores
from millrace.core.errors import PermanentError
from millrace.core.identity import record_key
from millrace.core.ports import Stores
from millrace.core.records import Changes, Curated, LedgerEntry, Marker, Message, RowKey, ViewRow

from .builders import HOUR, NOON, bare, curated, dead_letter, origin_of, raw_object, receipt_id, typed
from .conftest import ADAPTERS, Adapter
from .strategies import fields, values

few = st.integers(0, 2)
receipts = st.integers(0, 4).map(lambda n: receipt_id(NOON + n * HOUR // 2))
limits = st.integers(0, 6)
instants = st.sampled_from([NOON - 1, NOON, NOON + 1, NOON + HOUR])
names = st.sampled_from(["a", "b", "é", "\U0001f600", "a\n"])
bodies = st.sampled_from([b"", b"{}", b"\n\xff"])
records = st.builds(
    curated, names, type=st.sampled_from(["t", "u"]), time=instants, source=names, part=few, receipt=receipts,
    index=few, subject=st.none() | names, fields=fields, raw=bodies,
)  # fmt: skip
markers = st.builds(Marker, names, names, names, instants, receipts, few)
letters = st.builds(
    dead_letter, st.sampled_from(["a" * 32, "b" * 32, "c" * 32]), reason=st.sampled_from(["invalid", "rule"]),
    occurrences=st.lists(st.tuples(receipts, few), min_size=1, max_size=4).map(tuple),
)  # fmt: skip
keys = st.builds(RowKey, instants, st.sampled_from(["[]", '["a"]', '["\U0001f600"]', '["\uffff"]']))


class Agreement(RuleBasedStateMachine):
    """Two stores side by side: ``self.model`` in memory and ``self.stores`` of the adapter in question."""

    adapter: Adapter

    @initialize()
    def start(self) -> None:
        self.surroundings = ExitStack()
        folder = self.surroundings.enter_context(tempfile.TemporaryDirectory())
        self.opener = self.surroundings.enter_context(self.adapter.place(Path(folder)))
        self.model = memory_stores()
        self.seen = [0, 0]
        self.deliveries: list[tuple[Message, Message]] = []
        self.open()

    def open(self) -> None:
        self.opened = ExitStack()
        self.stores: Stores = self.opened.enter_context(self.opener())

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.close()
            self.surroundings.close()

    @rule()
    def reopen(self) -> None:
        self.opened.close()
        self.open()
        assert isinstance(self.model.queue, MemoryQueue)
        self.model.queue.expire()

    @rule(at=instants, number=few, body=bodies)
    def append(self, at: int, number: int, body: bytes) -> None:
        raw = raw_object(at, number, body)
        assert outcome(self.stores.raw.append, raw) == outcome(self.model.raw.append, raw)

    @rule(receipt=receipts)
    def read(self, receipt: str) -> None:
        assert outcome(self.stores.raw.read, receipt) == outcome(self.model.raw.read, receipt)

    @rule(since=instants, until=instants, after=st.none() | receipts, limit=limits)
    def list_raw(self, **asked: Any) -> None:
        assert list(self.stores.raw.list(**asked)) == list(self.model.raw.list(**asked))

    @rule(batch=st.lists(records, max_size=6))
    def insert(self, batch: list[Curated]) -> None:
        assert list(self.stores.curated.insert(batch)) == list(self.model.curated.insert(batch))

    @rule(batch=st.lists(records, max_size=6))
    def insert_again(self, batch: list[Curated]) -> None:
        self.insert(batch)
        self.insert(batch)

    @rule(batch=st.lists(markers, max_size=4))
    def mark(self, batch: list[Marker]) -> None:
        assert list(self.stores.curated.mark(batch)) == list(self.model.curated.mark(batch))

    @rule(since=instants, until=instants, after=st.none() | records.map(record_key), limit=limits)
    def query(self, **asked: Any) -> None:
        assert contents(self.stores.curated.query("t", **asked)) == contents(self.model.curated.query("t", **asked))

    @rule(limit=limits, goes_on=st.booleans())
    def changes(self, limit: int, goes_on: bool) -> None:
        pages: list[Changes] = [
            store.feed.changes(origin_of(store), after, limit)
            for store, after in zip((self.stores, self.model), self.seen, strict=True)
        ]
        assert contents(pages[0].records) == contents(pages[1].records)
        if pages[0].records:
            self.seen = [page.positions[-1] for page in pages] if goes_on else [0, 0]

    @rule(view=names, asked=st.lists(keys, max_size=4))
    def load(self, view: str, asked: list[RowKey]) -> None:
        assert whole(self.stores.views.load(view, asked)) == whole(self.model.views.load(view, asked))

    @rule(
        view=names,
        asked=st.lists(keys, max_size=4),
        states=st.lists(values, max_size=2),
        stale=st.sampled_from([0, 0, 1]),
    )
    def commit(self, view: str, asked: list[RowKey], states: list[Any], stale: int) -> None:
        held = self.model.views.load(view, asked)
        rows = [
            ViewRow(key, tuple(states), {"o": 1}, max((held[key].version if key in held else 0) - stale, 0))
            for key in asked
        ]
        assert list(self.stores.views.commit(view, rows)) == list(self.model.views.commit(view, rows))

    @rule(view=names, since=instants, until=instants, after=st.none() | keys, limit=limits)
    def rows(self, view: str, **asked: Any) -> None:
        ours, theirs = self.stores.views.rows(view, **asked), self.model.views.rows(view, **asked)
        assert [(r.key, typed(r.states), r.version) for r in ours] == [
            (r.key, typed(r.states), r.version) for r in theirs
        ]

    @rule(view=names, origin=names, position=st.integers(0, 9))
    def advance(self, view: str, origin: str, position: int) -> None:
        for store in (self.stores, self.model):
            store.views.advance(view, origin, position)
        assert self.stores.views.cursor(view, origin) == self.model.views.cursor(view, origin)

    @rule(receipt=receipts, events=few, reasons=st.dictionaries(names, few))
    def record(self, receipt: str, events: int, reasons: dict[str, int]) -> None:
        for store in (self.stores, self.model):
            store.ledger.record(LedgerEntry(receipt=receipt, events=events, dead_letters=reasons))
        assert self.stores.ledger.entries([receipt]) == self.model.ledger.entries([receipt])

    @rule(after=st.none() | receipts, limit=limits)
    def list_ledger(self, **asked: Any) -> None:
        assert list(self.stores.ledger.list(**asked)) == list(self.model.ledger.list(**asked))

    @precondition(lambda self: self.adapter.once)
    @rule(receipt=receipts)
    def send(self, receipt: str) -> None:
        for store in (self.stores, self.model):
            store.queue.send(receipt)

    @rule(limit=limits)
    def receive(self, limit: int) -> None:
        ours, theirs = self.stores.queue.receive(limit), self.model.queue.receive(limit)
        assert [(m.receipt, m.attempt) for m in ours] == [(m.receipt, m.attempt) for m in theirs]
        self.deliveries += zip(ours, theirs, strict=True)

    @precondition(lambda self: self.deliveries)
    @rule(which=st.integers(0, 99), done=st.booleans())
    def settle(self, which: int, done: bool) -> None:
        ours, theirs = self.deliveries[which % len(self.deliveries)]
        for store, message in ((self.stores, ours), (self.model, theirs)):
            (store.queue.acknowledge if done else store.queue.release)([message])

    @rule(batch=st.lists(letters, max_size=3))
    def add_letters(self, batch: list[Any]) -> None:
        for store in (self.stores, self.model):
            store.dead_letters.add(batch)

    @rule(after=st.none() | st.sampled_from(["a" * 32, "b"]), limit=limits)
    def browse(self, **asked: Any) -> None:
        assert list(self.stores.dead_letters.browse(**asked)) == list(self.model.dead_letters.browse(**asked))

    @invariant()
    def totals_agree(self) -> None:
        if hasattr(self, "stores"):
            assert self.stores.curated.count() == self.model.curated.count()
            assert self.stores.dead_letters.occurrences() == self.model.dead_letters.occurrences()


def outcome(call: Any, *arguments: Any) -> Any:
    """What a call returns, or the type of the error it raises."""
    try:
        return call(*arguments)
    except PermanentError as error:
        return type(error)


def contents(found: Any) -> list[Any]:
    return [(bare(record), typed(record.fields)) for record in found]


def whole(rows: Any) -> dict[RowKey, Any]:
    return {key: (typed(row.states), row.positions, row.version) for key, row in rows.items()}


@pytest.mark.parametrize("adapter", [a for a in ADAPTERS if a.persistent], ids=lambda adapter: adapter.name)
def test_an_adapter_answers_as_the_memory_does(adapter: Adapter) -> None:
    class OnThisAdapter(Agreement):
        pass

    OnThisAdapter.adapter = adapter
    # A call of a mocked service takes a hundred times as long.
    examples = 8 if adapter.name == "moto" else 60
    limits = settings(max_examples=examples, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(OnThisAdapter, settings=limits)
    assert OnThisAdapter.adapter is adapter
