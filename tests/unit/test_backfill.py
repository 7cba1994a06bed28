"""What views alone are made of: scanning lines at once, identities in bounded memory, partial rows; marks of files."""

import multiprocessing
import random
import time
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace import Catalog, Count, First, Last, Max, Sum
from millrace.adapters.memory import MemoryFiles, memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.pipeline.scan import NO_TIME, Scanner
from millrace.core.records import RawObject, Receipt
from millrace.entrypoints.backfill import folding
from millrace.entrypoints.backfill.folding import fold_archive
from millrace.entrypoints.backfill.seen import Seen
from millrace.entrypoints.backfill.sources import Marks
from millrace.entrypoints.backfill.taking import Foreign
from millrace.entrypoints.files import Chunk, Input
from millrace.entrypoints.platform import Platform

HOW = Foreign("file", None)


def declared() -> Catalog:
    catalog = Catalog("scan")

    @catalog.event("visit", unknown="drop")
    @attrs.frozen
    class Visit:
        page: str
        cost: Decimal

    @catalog.event("login", identity="id")
    @attrs.frozen
    class Login:
        user: str

    @catalog.transform(Visit)
    def curate(event: Visit) -> Any:
        if event.page == "/filtered":
            return None
        record = {"page": event.page, "cost": event.cost}
        return [record, {**record, "page": "/part"}] if event.page == "/twice" else record

    @catalog.rule(Visit)
    def cheap(event: Visit) -> bool:
        return event.cost < 100

    catalog.view(
        "visits", over=Visit, every=timedelta(hours=1), by=["page"],
        measures={"n": Count(), "cost": Sum("cost"), "most": Max("cost"), "first": First("cost"), "last": Last("cost")},
    )  # fmt: skip
    catalog.view("logins", over=Login, every=timedelta(days=1), by=[], measures={"n": Count()})
    return catalog


CATALOG = declared()


def visit(event_id: str, page: str = "/", cost: str = "1.5", minute: int = 0) -> bytes:
    return (
        f'{{"eventType":"visit","eventId":"{event_id}","eventTime":"2026-11-23T02:{minute:02}:00Z",'
        f'"data":{{"page":"{page}","cost":{cost}}}}}'
    ).encode()


def login(event_id: str, time: str) -> bytes:
    return f'{{"eventType":"login","eventId":"{event_id}",{time}"data":{{"user":"u"}}}}'.encode()


ODD = [
    b"",
    b"  ",
    b"{}",
    b"nonsense",
    b"[1]",
    visit("a") + visit("b"),
    b'{"eventType":"visit","eventId":"m",',
    b'{"eventType":\n{"x":1},"eventId":"n"}' + visit("c"),
    visit("v", cost="1e2"),
    visit("f", page="/filtered"),
    visit("t", page="/twice"),
    visit("", minute=3),
    visit("u").replace(b'"page"', b'"more":1,"page"'),
    visit("r") + b"\r",
    visit("z").replace(b"2026-11-23T02:00:00Z", b"9999-99-99T00:00:00Z"),
    login("l", '"eventTime":"2026-11-23T02:00:00Z",'),
    login("l", '"eventTime":"2026-11-24T02:00:00Z",'),
    login("k", ""),
    b'{"specversion":"1.0","type":"visit","source":"s","id":"c1","time":"2026-11-23T02:00:00Z",'
    b'"data":{"page":"/","cost":1}}',
]
plain = st.builds(
    visit, st.integers(0, 30).map(str), st.sampled_from(["/", "/a"]), st.sampled_from(["1", "2.50"]), st.integers(0, 59)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(plain | st.sampled_from(ODD), max_size=25), st.sampled_from([b"", b"\n"]), st.integers(1, 3))
def test_a_scan_finds_what_the_pipeline_does(documents: list[bytes], end: bytes, pieces: int) -> None:
    body = b"\n".join(documents) + end
    raw = RawObject(
        Receipt(id="r", received_at=1_795_399_200_000_000, content_type="application/x-ndjson", source="s", chunk=True),
        body,
    )
    pipeline = Pipeline(CATALOG)
    batch = pipeline.run(raw, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("millrace.core.pipeline.scan.PIECE_BYTES", max(1, len(body) // pieces))
        scans = [*Scanner(pipeline).scan(raw)]
    events = [(e.type, e.time, e.source, e.id, e.part, e.fields) for scan in scans for e in scan.events]
    assert events == [(r.type, r.time, r.source, r.id, r.part, r.fields) for r in batch.records]
    assert sum(scan.seen for scan in scans) == batch.events
    assert sum(scan.filtered for scan in scans) == batch.filtered
    reasons = [reason for scan in scans for reason in scan.rejected.elements()]
    assert sorted(reasons) == sorted(letter.reason for letter in batch.letters)
    parts = [part.fields for scan in scans for place in sorted(scan.parts) for part in scan.parts[place]]
    assert parts == [part.fields for place in sorted(batch.parts) for part in batch.parts[place]]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(-3, 12) | st.just(NO_TIME), st.integers(-2, 2)), max_size=12), max_size=20),
    st.integers(1, 9),
)
def test_each_identity_is_new_once_however_little_memory_holds(keys: list[list[tuple[int, int]]], hot: int) -> None:
    known: set[tuple[int, int]] = set()
    seen = Seen(hot)
    try:
        for some in keys:
            expected = []
            for key in some:
                expected.append(key not in known)
                known.add(key)
            assert [*map(bool, seen.fresh([k[0] for k in some], [k[1] for k in some]))] == expected
    finally:
        seen.close()


def chunks(bodies: Sequence[bytes]) -> list[Chunk]:
    return [Chunk(body, "application/x-ndjson", "o", 1) for body in bodies]


@pytest.mark.parametrize("workers", [1, 2])
def test_views_alone_are_those_of_the_whole_way(workers: int) -> None:
    rng = random.Random(1)
    documents = [
        visit(str(rng.randrange(300)), rng.choice(["/", "/a", "/twice", "/filtered"]), f"{rng.randrange(120)}", 0)
        for _ in range(600)
    ] + [login(str(number % 5), '"eventTime":"2026-11-23T02:00:00Z",') for number in range(10)]
    bodies = [b"\n".join(documents[at : at + 50]) for at in range(0, len(documents), 50)]
    platform = Platform.assemble(CATALOG, memory_stores(), SystemClock(), RandomReceiptIds())
    for body in bodies:
        platform.ingest.chunk(body, source="file", content_type="application/x-ndjson", origin="o")
        [*platform.work.drain()]
    folded = fold_archive(CATALOG, chunks(bodies), HOW, workers)
    assert folded.counts["curated"] == platform.stores.curated.count()
    for view in CATALOG.views.values():
        rows = platform.stores.views.rows(view.signature, since=0, until=10**18, after=None, limit=10**6)
        assert [(row.key, row.states) for row in folded.views.rows(view)] == [(row.key, row.states) for row in rows]


def test_a_worker_that_fails_fails_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise SystemExit(3)

    monkeypatch.setattr(Scanner, "piece", broken)
    with pytest.raises((EOFError, OSError)):
        fold_archive(CATALOG, chunks([visit("1")] * 9), HOW, 2)


def test_a_worker_that_does_not_end_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    run = folding._Worker.run

    def lingering(worker: Any, others: Any) -> None:
        run(worker, others)
        time.sleep(600)

    monkeypatch.setattr(folding._Worker, "run", lingering)
    monkeypatch.setattr(folding, "ENDING_SECONDS", 0.2)
    assert fold_archive(CATALOG, chunks([visit("1")] * 9), HOW, 2).counts["curated"] == 1
    assert multiprocessing.active_children() == []


def test_a_mark_holds_for_the_version_it_was_set_for() -> None:
    files, source = MemoryFiles(), Input("a", "a", lines=True, gzip=False, size=3, version="1")
    Marks(files, "x").set(source, 4)
    assert (Marks(files, "x").of(source).chunks, Marks(files, "x").of(source).whole) == (4, False)
    Marks(files, "x").set(source, 5, whole=True)
    assert Marks(files, "x").of(source).whole
    assert not Marks(files, "x").of(source._replace(version="2")).whole
    assert not Marks(files, "y").of(source).whole
    Marks(files, "x").set(source._replace(version=""), 5, whole=True)
    assert not Marks(files, "x").of(source._replace(version="")).whole
