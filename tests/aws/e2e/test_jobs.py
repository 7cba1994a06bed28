"""Jobs: the state machine's own file, executed over receipts in the raw log."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.orchestrator import StepFunctionsOrchestrator
from millrace.core.jobs import JobSpec, JobStatus, State, Tally

from ..opened import REGION
from .cloud import Cloud
from .test_way import ledger, letters, post, purchase, rows

WRONG = {"currency": "XXX"}


@contextmanager
def jobs(cloud: Cloud) -> Iterator[StepFunctionsOrchestrator]:
    """The orchestrator of the stack."""
    clients = Clients(REGION)
    try:
        yield StepFunctionsOrchestrator(clients, cloud.stack.outputs["StateMachineArn"])
    finally:
        clients.close()


def ended(orchestrator: StepFunctionsOrchestrator, name: str) -> JobStatus:
    """How a job stands once it is over, or after a minute."""
    deadline = time.monotonic() + 60
    while (status := orchestrator.status(name)).state is State.RUNNING and time.monotonic() < deadline:
        time.sleep(0.05)
    return status


def run(cloud: Cloud, spec: JobSpec, name: str) -> JobStatus:
    """Start a job and wait until it is over."""
    with jobs(cloud) as orchestrator:
        orchestrator.start(spec, name)
        return ended(orchestrator, name)


def output(cloud: Cloud, name: str) -> Any:
    arn = cloud.stack.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:")
    return json.loads(cloud.client("stepfunctions").describe_execution(executionArn=f"{arn}:{name}")["output"])


def test_a_job_validates_loads_and_reconciles_every_shard(cloud: Cloud) -> None:
    for number in range(5):
        post(cloud, [purchase(2 * number), purchase(2 * number + 1)])
    post(cloud, [purchase(0), purchase(20, **WRONG)])
    spec = JobSpec(receipts_per_shard=2, allowed_rejections=Decimal("0.5"))
    status = run(cloud, spec, "bulk-1")
    assert status.state is State.SUCCEEDED, status
    summary = output(cloud, "bulk-1")
    assert {name: summary[name] for name in ("events", "curated", "duplicate", "dead_lettered")} == {
        "events": 12, "curated": 10, "duplicate": 1, "dead_lettered": 1,
    }  # fmt: skip
    with cloud.stores() as stores:
        kept = stores.job_files.read("bulk-1", "summary.json")
        assert kept is not None
        assert json.loads(kept)["receipts"] == 6
        assert len(stores.job_files.names("bulk-1", "loaded/")) == 3
    cloud.changes.drain()
    assert rows(cloud, "/views/revenue")[0]["orders"] == 10
    cloud.queue.drain()  # what the queue brings now was processed by the job already
    cloud.changes.drain()
    assert rows(cloud, "/views/revenue")[0]["orders"] == 10
    assert sum(entry[1] for entry in ledger(cloud)) == 10


def test_a_job_above_the_allowed_rejection_rate_fails_before_it_writes(cloud: Cloud) -> None:
    post(cloud, [purchase(0), purchase(1, **WRONG)])
    status = run(cloud, JobSpec(allowed_rejections=Decimal("0.1")), "bulk-2")
    assert (status.state, status.error) == (State.FAILED, "DataQualityError")
    assert "1 of 2 events would be rejected" in status.cause
    assert not ledger(cloud)
    assert not letters(cloud)
    [message] = cloud.empty("DlqUrl")
    assert message["MessageAttributes"]["kind"]["StringValue"] == "job-failure"
    told = json.loads(message["Body"])
    assert told["execution"].endswith(":bulk-2")
    assert told["input"]["failure"]["Error"] == "DataQualityError"


def test_a_job_over_nothing_succeeds(cloud: Cloud) -> None:
    status = run(cloud, JobSpec(), "bulk-3")
    assert status.state is State.SUCCEEDED, status
    assert output(cloud, "bulk-3")["events"] == Tally().events


def test_a_job_that_failed_goes_on_when_it_is_retried(cloud: Cloud) -> None:
    post(cloud, [purchase(0)])
    post(cloud, [purchase(1)])
    with cloud.functions["transformation-lambda"].failing():
        assert run(cloud, JobSpec(receipts_per_shard=1), "bulk-4").state is State.FAILED
    with jobs(cloud) as orchestrator:
        orchestrator.retry("bulk-4")
        status = ended(orchestrator, "bulk-4")
    assert status.state is State.SUCCEEDED, status
    assert sorted(ledger(cloud)) == [(1, 1, 0, 0, 0), (1, 1, 0, 0, 0)]
