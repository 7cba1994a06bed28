"""The contract of ``Orchestrator``: the same job in memory, in a folder, and in the state machine."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import attrs
import pytest
from moto.stepfunctions.models import stepfunctions_backends

from millrace import Catalog
from millrace.adapters.local import open_local
from millrace.adapters.local.orchestrator import LocalOrchestrator
from millrace.adapters.memory import MemoryOrchestrator, memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.errors import JobConflict, PermanentError, UnknownJob
from millrace.core.jobs import JobSpec, State
from millrace.core.ports import Orchestrator, Stores
from millrace.entrypoints.platform import Platform

from ..aws.opened import REGION, mocked_account

SPEC = JobSpec(receipts_per_shard=2)


@attrs.frozen
class Place:
    """An orchestrator over one good receipt, and a way to end a job well, where that is not done by itself."""

    jobs: Orchestrator
    succeed: Callable[[str], None] = lambda job: None


def _platform(stores: Stores) -> Platform:
    catalog = Catalog("jobs")

    @catalog.event("visit")
    @attrs.frozen
    class Visit:
        page: str

    platform = Platform.assemble(catalog, stores, SystemClock(), RandomReceiptIds())
    body = b'{"eventType":"visit","eventId":"1","data":{"page":"/"}}'
    platform.ingest.chunk(body, source="s", content_type="application/json", origin="o")
    return platform


@contextmanager
def in_memory(_: Path) -> Iterator[Place]:
    platform = _platform(memory_stores())
    yield Place(MemoryOrchestrator(platform.jobs, platform.clock))


@contextmanager
def in_a_folder(path: Path) -> Iterator[Place]:
    with open_local(path / "store", write=True) as store:
        platform = _platform(store.stores)
        project = platform.work.project
        yield Place(LocalOrchestrator(store.path, platform.jobs, platform.clock, write=True, project=project))


@contextmanager
def on_moto(_: Path) -> Iterator[Place]:
    with mocked_account() as account:

        def succeed(job: str) -> None:
            [machine] = stepfunctions_backends["123456789012"][REGION].state_machines
            for execution in machine.executions:
                if execution.name.partition(".")[0] == job:
                    execution.status = "SUCCEEDED"

        yield Place(account.orchestrator(), succeed)


@pytest.fixture(params=[in_memory, in_a_folder, on_moto], ids=["memory", "local", "moto"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    opened: AbstractContextManager[Place] = request.param(tmp_path)
    with opened as found:
        yield found


def test_a_job_that_was_started_is_known_by_its_name(place: Place) -> None:
    assert place.jobs.start(SPEC, "nightly") == "nightly"
    place.succeed("nightly")
    status = place.jobs.status("nightly")
    assert (status.job, status.state, status.error) == ("nightly", State.SUCCEEDED, "")
    assert status.started_at > 0


def test_a_job_without_a_name_is_given_one_of_its_own(place: Place) -> None:
    names = [place.jobs.start(SPEC), place.jobs.start(SPEC)]
    assert len({*names}) == 2
    assert {status.job for status in place.jobs.list(limit=9)} == {*names}


def test_the_same_job_is_started_once(place: Place) -> None:
    place.jobs.start(SPEC, "nightly")
    before = place.jobs.history("nightly")
    assert place.jobs.start(SPEC, "nightly") == "nightly"
    assert place.jobs.history("nightly") == before
    assert len(place.jobs.list(limit=9)) == 1


def test_a_name_stands_for_one_spec(place: Place) -> None:
    place.jobs.start(SPEC, "nightly")
    with pytest.raises(JobConflict, match="nightly"):
        place.jobs.start(JobSpec(receipts_per_shard=3), "nightly")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", "ä", "n" * 81])
def test_what_is_no_name_is_refused(place: Place, name: str) -> None:
    with pytest.raises(PermanentError, match="no name of a job"):
        place.jobs.start(SPEC, name)


@pytest.mark.parametrize("name", ["none", "..", "a/b", "../nightly", ""])
def test_a_job_that_nobody_started_is_unknown(place: Place, name: str) -> None:
    place.jobs.start(SPEC, "nightly")
    for ask in (place.jobs.status, place.jobs.history, place.jobs.stop, place.jobs.retry):
        with pytest.raises(UnknownJob):
            ask(name)


def test_one_that_succeeded_is_neither_stopped_nor_retried(place: Place) -> None:
    place.jobs.start(SPEC, "nightly")
    place.succeed("nightly")
    before = place.jobs.status("nightly"), place.jobs.history("nightly")
    place.jobs.stop("nightly")
    place.jobs.retry("nightly")
    assert (place.jobs.status("nightly"), place.jobs.history("nightly")) == before


def test_the_latest_jobs_are_listed_first(place: Place) -> None:
    for name in ("a", "b", "c"):
        place.jobs.start(SPEC, name)
        place.succeed(name)
    assert [status.job for status in place.jobs.list(limit=2)] == ["c", "b"]
    assert [status.job for status in place.jobs.list(limit=9, state=State.SUCCEEDED)] == ["c", "b", "a"]
    assert list(place.jobs.list(limit=9, state=State.FAILED)) == []
    assert list(place.jobs.list(limit=0)) == []
