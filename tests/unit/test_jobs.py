"""Jobs in one process: the plan, the gate, loading, the proof, and going on after a failure."""

from decimal import Decimal
from typing import Any

import attrs
import pytest

from millrace import Catalog
from millrace.adapters.memory import MemoryOrchestrator, memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.errors import JobConflict, JobMismatch, PermanentError, TransientError, UnknownJob
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.jobs import JobSpec, Progress, Shard, State
from millrace.core.ports import Stores
from millrace.entrypoints.platform import Platform

START = 1_795_399_200_000_000
STRICT = JobSpec(receipts_per_shard=2, allowed_rejections=Decimal("0.25"))


class Clock:
    """Every look is a second later."""

    def __init__(self) -> None:
        self.seconds = 0

    def now(self) -> int:
        self.seconds += 1
        return START + self.seconds * 1_000_000


def platform() -> Platform:
    catalog = Catalog("jobs")

    @catalog.event("visit")
    @attrs.frozen
    class Visit:
        page: str

    return Platform.assemble(catalog, memory_stores(), Clock(), RandomReceiptIds())


def filled(good: int, bad: int = 0) -> Platform:
    """Receipts of one event each, in the raw log and nowhere else."""
    it = platform()
    for number in range(good + bad):
        page = "1" if number < bad else f'"{number}"'
        body = f'{{"eventType":"visit","eventId":"{number}","data":{{"page":{page}}}}}'
        it.ingest.chunk(body.encode(), source="s", content_type="application/json", origin="o")
    it.stores.queue.acknowledge(it.stores.queue.receive(10**6))
    return it


def receipts(stores: Stores) -> list[str]:
    return [*stores.raw.list(since=EARLIEST, until=LATEST, after=None, limit=10**6)]


def test_the_shards_of_a_plan_hold_every_receipt_once() -> None:
    it = filled(7)
    plan = it.jobs.plan("j", JobSpec(receipts_per_shard=3))
    assert (plan.shards, plan.receipts) == (3, 7)
    ids = receipts(it.stores)
    assert it.jobs.shards("j") == [
        Shard(shard=0, after=None, last=ids[2], receipts=3),
        Shard(shard=1, after=ids[2], last=ids[5], receipts=3),
        Shard(shard=2, after=ids[5], last=ids[6], receipts=1),
    ]


def test_a_plan_is_made_once() -> None:
    it = filled(3)
    first = it.jobs.plan("j", STRICT)
    it.ingest.chunk(b"{}", source="s", content_type="application/json", origin="o")
    assert it.jobs.plan("j", STRICT) == first


def test_a_job_loads_what_was_never_processed_and_proves_it() -> None:
    it = filled(9, bad=1)
    orchestrator = MemoryOrchestrator(it.jobs, it.clock)
    job = orchestrator.start(STRICT)
    assert orchestrator.status(job).state == State.SUCCEEDED
    summary = it.jobs.summary(job)
    assert summary is not None
    assert (summary.receipts, summary.events, summary.curated, summary.dead_letters) == (10, 10, 9, {"invalid": 1})
    assert it.reconcile.run().holds
    assert [event.step for event in orchestrator.history(job)] == ["plan", "validate", "gate", "load", "reconcile"]


def test_above_the_allowed_rejections_nothing_is_written() -> None:
    it = filled(2, bad=1)
    orchestrator = MemoryOrchestrator(it.jobs, it.clock)
    job = orchestrator.start(STRICT)
    status = orchestrator.status(job)
    assert (status.state, status.error) == (State.FAILED, "DataQualityError")
    assert "1 of 3 events would be rejected (invalid 1)" in status.cause
    assert it.stores.curated.count() == 0
    assert it.stores.ledger.list(after=None, limit=9) == []
    assert it.stores.dead_letters.browse(after=None, limit=9) == []


def test_exactly_the_allowed_share_may_be_rejected() -> None:
    it = filled(3, bad=1)
    orchestrator = MemoryOrchestrator(it.jobs, it.clock)
    assert orchestrator.status(orchestrator.start(STRICT)).state == State.SUCCEEDED


def test_a_job_over_nothing_succeeds_and_says_so() -> None:
    it = platform()
    orchestrator = MemoryOrchestrator(it.jobs, it.clock)
    job = orchestrator.start(STRICT)
    assert orchestrator.status(job).state == State.SUCCEEDED
    assert orchestrator.history(job)[0].detail == "0 receipts in 0 shards"


def test_a_retry_goes_on_with_the_shards_that_were_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    it = filled(6)
    calls: list[str] = []
    process = type(it.process).receipt

    def failing(self: Any, receipt: str, *args: Any, **keywords: Any) -> Any:
        calls.append(receipt)
        if len(calls) == 4:
            raise TransientError("throttled")
        return process(self, receipt, *args, **keywords)

    monkeypatch.setattr(type(it.process), "receipt", failing)
    orchestrator = MemoryOrchestrator(it.jobs, it.clock)
    job = orchestrator.start(STRICT)
    assert orchestrator.status(job).state == State.FAILED
    orchestrator.retry(job)
    assert orchestrator.status(job).state == State.SUCCEEDED
    ids = receipts(it.stores)
    assert calls == [*ids[:4], *ids[2:]], "the first shard was loaded once, the second begun twice"


def test_a_shard_that_was_not_loaded_is_a_mismatch() -> None:
    it = filled(3)
    it.jobs.plan("j", STRICT)
    it.jobs.load("j", it.jobs.shards("j")[0])
    with pytest.raises(JobMismatch, match="1 of 2 shards were not loaded"):
        it.jobs.reconcile("j")


def test_a_name_stands_for_one_job() -> None:
    it = filled(1)
    orchestrator = MemoryOrchestrator(it.jobs, it.clock)
    assert orchestrator.start(STRICT, "nightly") == orchestrator.start(STRICT, "nightly") == "nightly"
    with pytest.raises(JobConflict, match="nightly"):
        orchestrator.start(JobSpec(), "nightly")
    with pytest.raises(PermanentError, match="no name of a job"):
        orchestrator.start(STRICT, "a b")
    assert [status.job for status in orchestrator.list(limit=9)] == ["nightly"]
    assert list(orchestrator.list(limit=9, state=State.FAILED)) == []


def test_a_job_that_nobody_started_is_unknown() -> None:
    it = platform()
    orchestrator = MemoryOrchestrator(it.jobs, it.clock)
    for ask in (orchestrator.status, orchestrator.history, orchestrator.stop, orchestrator.retry):
        with pytest.raises(UnknownJob):
            ask("none")


@pytest.mark.parametrize(
    "wrong", [{"since": 5, "until": 5}, {"receipts_per_shard": 0}, {"allowed_rejections": Decimal("1.1")}]
)
def test_a_job_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"since|receipts_per_shard|allowed_rejections"):
        JobSpec(**wrong)


def test_a_job_for_types_takes_the_receipts_that_hold_one_as_a_whole() -> None:
    it = filled(3)
    body = b'{"eventType":"other","eventId":"x"}\n{"eventType":"visit","eventId":"y","data":{"page":"/"}}\nnonsense'
    for content in (body, b'{"eventType":"other","eventId":"z"}'):
        it.ingest.chunk(content, source="s", content_type="application/x-ndjson", origin="o")
    orchestrator = MemoryOrchestrator(it.jobs, it.clock)
    job = orchestrator.start(JobSpec(types=("other",), receipts_per_shard=2, allowed_rejections=Decimal(1)))
    assert orchestrator.status(job).state == State.SUCCEEDED
    summary = it.jobs.summary(job)
    assert summary is not None
    assert (summary.receipts, summary.events, summary.curated) == (2, 4, 1)


def test_progress_is_read_from_the_files_of_a_job() -> None:
    it = filled(5)
    assert it.jobs.progress("j") == Progress()
    seen = []
    for done in it.jobs.run("j", JobSpec(receipts_per_shard=2)):
        progress = it.jobs.progress("j")
        seen.append((done.step, done.shards, progress.validated, progress.loaded))
    assert seen == [
        ("plan", 0, 0, 0), ("validate", 1, 1, 0), ("validate", 2, 2, 0), ("validate", 3, 3, 0), ("gate", 0, 3, 0),
        ("load", 1, 3, 1), ("load", 2, 3, 2), ("load", 3, 3, 3), ("reconcile", 0, 3, 3),
    ]  # fmt: skip
