"""Parts of the disaster drill by themselves: deploying, the job of a stack, comparing spans."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import attrs
import pytest

from millrace.adapters.memory import MemoryOrchestrator, memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalogs import retail
from millrace.core.errors import StoreError, TransientError
from millrace.core.jobs import JobSpec, JobStatus, State
from millrace.entrypoints.ops import drill
from millrace.entrypoints.ops.comparing import Comparing
from millrace.entrypoints.ops.deployment import Deployment, goal_of
from millrace.entrypoints.ops.drill import DrillFailed, Side
from millrace.entrypoints.ops.stack import Stack
from millrace.entrypoints.platform import Platform
from tests.aws.e2e.compare import _Clock, sample_chunks
from tests.contracts.builders import HOUR, NOON

FOREVER = 10**16


# ------------------------------------------------------------------------------------------------ deploying it first


class Ticking:
    """A clock that runs on by what each command of a deployment takes."""

    def __init__(self) -> None:
        self.at, self.commands = NOON, list[Sequence[str]]()

    def now(self) -> int:
        return self.at

    def run(self, command: Sequence[str]) -> int:
        self.commands.append(command)
        self.at += 100_000_000
        return 0


def test_the_scratch_stack_is_built_and_deployed_against_the_clock() -> None:
    ticking = Ticking()
    plan = Deployment(goal=goal_of("drill"), sam="sam", python="python")
    seconds = drill.deploy(plan, ticking.run, lambda: "shop:catalog", "shop.py", ticking)
    assert seconds == 200
    package, deployed = ticking.commands
    assert (package[1], deployed[1]) == ("deploy/package.py", "deploy")
    assert deployed[deployed.index("--stack-name") + 1] == "millrace-drill"
    assert {'Environment="drill"', 'Catalog="shop:catalog"', 'ReservedConcurrency="false"'} <= {*deployed}


def test_a_drill_never_deploys_to_production() -> None:
    plan, ticking = Deployment(goal=goal_of("production"), sam="sam"), Ticking()
    with pytest.raises(StoreError, match="no stack of production"):
        drill.deploy(plan, ticking.run, lambda: "shop:catalog", "shop.py", ticking)
    assert ticking.commands == []


# ---------------------------------------------------------------------------------------- through the state machine


def machine() -> Side:
    """A platform in memory whose orchestrator stands for a stack's state machine."""
    clock = _Clock()
    platform = Platform.assemble(retail.catalog, memory_stores(), clock, RandomReceiptIds())
    [chunk] = sample_chunks(20)
    platform.ingest.chunk(chunk.body, source="shop", content_type=chunk.content_type, origin="x")
    runner = MemoryOrchestrator(platform.jobs, clock)
    return Side(Stack("drill", Any, {}, clock), attrs.evolve(platform, runner=runner))  # type: ignore[arg-type]


def test_a_job_of_the_scratch_stack_processes_every_receipt() -> None:
    side = machine()
    load = drill.by_job(lambda _: None)
    assert load(side, JobSpec(allowed_rejections=Decimal(1)), "drill-1") == "job drill-1"
    assert side.platform.reconcile.run().holds
    assert load(side, JobSpec(allowed_rejections=Decimal(1)), "drill-1") == "job drill-1", "again it is joined"


def test_a_job_that_fails_ends_the_drill_with_its_cause() -> None:
    with pytest.raises(DrillFailed, match=r"drill-1 of drill failed: DataQualityError .* would be rejected"):
        drill.by_job(lambda _: None)(machine(), JobSpec(allowed_rejections=Decimal(0)), "drill-1")


def test_a_job_that_never_ends_is_given_up_after_an_hour() -> None:
    side, slept = machine(), list[float]()
    status = JobStatus(job="drill-1", state=State.RUNNING, started_at=0)
    with patch.object(MemoryOrchestrator, "status", lambda *_: status), pytest.raises(TransientError, match="60 min"):
        drill.by_job(slept.append)(side, JobSpec(allowed_rejections=Decimal(1)), "drill-1")
    assert sum(slept) == drill.PATIENCE_SECONDS


# ------------------------------------------------------------------------------------------------------------- spans


@pytest.mark.parametrize("cut", [0, 1, 3, 5])
def test_any_span_of_receipts_compares_equal(cut: int) -> None:
    """In memory: a platform against one that got only the receipts of a span."""
    clock = _Clock()
    whole, part = (Platform.assemble(retail.catalog, memory_stores(), clock, RandomReceiptIds()) for _ in range(2))
    for chunk in sample_chunks(120, at_once=20):
        clock.at += HOUR
        whole.ingest.chunk(chunk.body, source="shop", content_type=chunk.content_type, origin="x")
        for _ in whole.work.drain():
            pass
    since = NOON + cut * HOUR + HOUR // 2
    for receipt in whole.stores.raw.list(since=since, until=FOREVER, after=None, limit=100):
        part.stores.raw.append(whole.stores.raw.read(receipt))
        part.process.receipt(receipt)
    part.work.project()
    found = Comparing(whole, part, since, FOREVER).run()
    assert [each.name for each in found if not each.same] == []
    assert found[0].live.count > 0
    assert (found[0].left_out > 0) == (cut > 0)
