"""The disaster drill: a stack brought back from the raw log alone, in another one, with the time that each step took.

What is lost in the drill is everything but the raw log. The steps are those of the real recovery: a stack, its
functions, the raw log from where it lies, every receipt processed, the views. Then both stacks are compared, so that
the drill proves what it measures.
"""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...core.errors import PermanentError, StoreError, TransientError
from ...core.identity import EARLIEST
from ...core.jobs import JobSpec, State
from ...core.ports import Clock
from ..platform import Platform
from .backups import RPO_SECONDS, Sleep, continuous, stamp
from .comparing import Comparing, Part
from .comparing import report_of as comparison
from .deployment import PRODUCTION, Deployment, Run, carried_out
from .findings import Report
from .replication import Copied, Told, bounds, replicate
from .stack import ALIAS, Stack

RTO_SECONDS: Final = {"stack": 900, "functions": 120, "tables": 600}
"""How long each may take to be back."""
PATIENCE_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 5.0
FOLD: Final = 5000


class DrillFailed(PermanentError):
    """A step came to nothing, so that those behind it were not begun."""


@attrs.frozen
class Side:
    """A stack, and the platform on it."""

    stack: Stack
    platform: Platform


@attrs.frozen(kw_only=True)
class Step:
    """What was done, and in how many seconds; with a target the step has to keep to it."""

    name: str
    seconds: float
    target: int | None = None
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it was quick enough; None where nothing is asked of it."""
        return None if self.target is None else self.seconds <= self.target


@attrs.frozen(kw_only=True)
class Loss:
    """What would be lost, against what may be: receipts, or seconds of a table."""

    name: str
    lost: int | None
    allowed: int
    unit: str

    @property
    def met(self) -> bool:
        """Whether it is no more than allowed; what is not known is more."""
        return self.lost is not None and self.lost <= self.allowed


@attrs.frozen(kw_only=True)
class Drilled:
    """What a drill came to."""

    steps: Sequence[Step]
    losses: Sequence[Loss]
    copied: Copied
    parts: Sequence[Part]
    holds: bool

    def reports(self) -> list[Report]:
        """As tables."""
        return [_times(self.steps), _losses(self.losses), self.copied.report(), comparison(self.parts), _proof(self)]


Load = Callable[[Side, JobSpec, str], str]
"""Processes the receipts of a job's span, under its name, and says in words what that came to."""


def require_scratch(live: Stack, scratch: Stack, *, go_on: bool = False) -> None:
    """Raise ``StoreError`` where a stack is none to practise on: the live one, one of production, or one in use.

    ``go_on``: it may hold something, left by a drill that was interrupted.
    """
    if scratch.outputs["RawBucket"] == live.outputs["RawBucket"]:
        raise StoreError(f"The drill needs another stack than {live.name}")
    if scratch.environment == PRODUCTION:
        raise StoreError(f"{scratch.name} is a stack of production; deploy one with another Environment for the drill")
    if go_on:
        return
    bucket = scratch.outputs["RawBucket"]
    if scratch.ask("s3", "list_objects_v2", Bucket=bucket, Prefix="raw/", MaxKeys=1).get("Contents"):
        raise StoreError(f"{scratch.name} is in use: its raw log is not empty; --go-on goes on with an earlier drill")
    for table in scratch.tables:
        if scratch.ask("dynamodb", "scan", TableName=table, Limit=1).get("Items"):
            raise StoreError(f"{scratch.name} is in use: {table} is not empty; --go-on goes on with an earlier drill")


def drill(
    live: Side,
    scratch: Side,
    *,
    load: Load,
    source: str | None = None,
    since: int | None = None,
    until: int | None = None,
    deployed: float | None = None,
    sleep: Sleep = time.sleep,
    told: Told = lambda _: None,
) -> Drilled:
    """Bring the receipts of [since, until) back in the scratch stack, and compare it with the live one.

    ``source``: the bucket to take the raw log from, by default the live one; ``until``: by default now; ``deployed``:
    the seconds that deploying the scratch stack took, if it was. Again it changes nothing: a drill that was
    interrupted goes on. Raises ``DrillFailed``.
    """
    clock, began = live.stack.clock, live.stack.clock.now()
    end = began if until is None else until
    start = EARLIEST if since is None else since
    steps = [] if deployed is None else [Step(name="stack", seconds=deployed, target=RTO_SECONDS["stack"])]
    losses = [_table_loss(live.stack, table, began) for table in live.stack.tables]

    def timed(name: str, work: Callable[[], str]) -> None:
        at = clock.now()
        detail = work()
        seconds = (clock.now() - at) / 1_000_000
        steps.append(Step(name=name, seconds=seconds, target=RTO_SECONDS.get(name), detail=detail))

    timed("functions", lambda: _ready(scratch.stack, sleep))
    first, last = bounds(since, end)
    bucket, copies = live.stack.outputs["RawBucket"], list[Copied]()

    def copy() -> str:
        origin = source or bucket
        copies.append(replicate(live.stack, origin, scratch.stack.outputs["RawBucket"], copy=True,
                                since=first, until=last, told=told))  # fmt: skip
        return f"{copies[0].copied:,} objects of {origin}"

    timed("raw log", copy)
    copied = copies[0]
    if source is not None:  # what it lacks of the live log would be lost
        lacking = replicate(live.stack, bucket, source, copy=False, since=first, until=last)
        lost = lacking.missing + len(lacking.different)
    else:
        lost = copied.missing
    losses.insert(0, Loss(name="raw log", lost=lost + len(copied.different), allowed=0, unit="receipts"))
    spec = JobSpec(since=start, until=end, allowed_rejections=Decimal(1))
    timed("tables", lambda: _tables(scratch, spec, f"drill-{stamp(began)}", load))
    parts: list[Part] = []
    account = scratch.platform.reconcile.run(since=start, until=end + 1000)

    def verify() -> str:
        parts.extend(Comparing(live.platform, scratch.platform, start, end).run())
        return f"{account.receipts:,} receipts, {account.events:,} events"

    timed("verification", verify)
    return Drilled(steps=steps, losses=losses, copied=copied, parts=parts, holds=account.holds)


def deploy(plan: Deployment, run: Run, packed: Callable[[], str], catalog: str, clock: Clock) -> float:
    """Build the package and deploy the scratch stack with it, all traffic at once; the seconds that took.

    ``packed`` tells the catalog of the package that was built. Raises ``StoreError`` where the stack to deploy is one
    of production, ``StepFailed``.
    """
    if plan.goal.environment == PRODUCTION:
        raise StoreError("A drill deploys no stack of production")
    began = clock.now()
    carried_out(run, "Building the package", plan.packing(catalog))
    # A scratch stack may not take its share of the account's concurrency from the live one.
    parameters = {"DeploymentType": "AllAtOnce", "ReservedConcurrency": "false", "ApiLogsRole": "existing"}
    carried_out(run, "Deploying", plan.deploying(packed(), parameters, execute=True))
    return (clock.now() - began) / 1_000_000


def by_job(sleep: Sleep = time.sleep) -> Load:
    """Processing by the stack's own state machine and functions."""

    def load(side: Side, spec: JobSpec, name: str) -> str:
        runner, waited = side.platform.orchestrator, 0.0
        job = runner.start(spec, name)
        while (status := runner.status(job)).state is State.RUNNING:
            if waited >= PATIENCE_SECONDS:
                raise TransientError(f"Job {job} of {side.stack.name} still runs after {waited / 60:.0f} minutes")
            sleep(PAUSE_SECONDS)
            waited += PAUSE_SECONDS
        if status.state is not State.SUCCEEDED:
            raise DrillFailed(f"Job {job} of {side.stack.name} {status.state}: {status.error} {status.cause}".strip())
        return f"job {job}"

    return load


def in_this_process(side: Side, spec: JobSpec, name: str) -> str:
    """Processing here: the same steps, without the stack's functions."""
    steps = [done for done in side.platform.jobs.run(name, spec) if done.whole]
    return f"{steps[-1].detail}, in this process"


# ------------------------------------------------------------------------------------------------------------- parts


def _tables(scratch: Side, spec: JobSpec, name: str, load: Load) -> str:
    detail = load(scratch, spec, name)
    # The functions fold the same changes; each row knows which it has seen.
    while scratch.platform.project.step(FOLD):
        pass
    return detail


def _ready(stack: Stack, sleep: Sleep) -> str:
    """Wait until every function can be invoked by its alias."""
    waited = 0.0
    for function in stack.functions:
        # One that nobody has called for weeks is inactive until somebody does.
        while (state := _state(stack, function)) not in ("Active", "Inactive"):
            if waited >= PATIENCE_SECONDS or state != "Pending":
                raise DrillFailed(f"{function} of {stack.name} cannot be invoked: it is {state}")
            sleep(PAUSE_SECONDS)
            waited += PAUSE_SECONDS
    return f"{len(stack.functions)} functions"


def _state(stack: Stack, function: str) -> str:
    try:
        told = stack.ask("lambda", "get_function_configuration", FunctionName=function, Qualifier=ALIAS)
    except Refused as refused:
        if refused.code != "ResourceNotFoundException":
            raise
        return f"not there as {ALIAS}"
    return str(told.get("State", "Active"))


def _table_loss(stack: Stack, table: str, now: int) -> Loss:
    state = continuous(stack, table)
    lost = None if not state.on or state.latest is None else max(now - state.latest, 0) // 1_000_000
    return Loss(name=table, lost=lost, allowed=RPO_SECONDS, unit="seconds")


def _times(steps: Sequence[Step]) -> Report:
    rows = [
        {
            "step": step.name,
            "seconds": round(step.seconds, 1),
            "target": step.target,
            "met": step.met,
            "detail": step.detail,
        }
        for step in steps
    ]
    wrong = [
        f"The step {step.name} took {step.seconds:.0f} seconds, where {step.target} are allowed"
        for step in steps
        if step.met is False
    ]
    return Report("Recovery time", ("step", "seconds", "target", "met", "detail"), rows, wrong)


def _losses(losses: Sequence[Loss]) -> Report:
    rows: list[dict[str, Any]] = [
        {"of": loss.name, "would be lost": loss.lost, "allowed": loss.allowed, "unit": loss.unit, "met": loss.met}
        for loss in losses
    ]
    wrong = [_loss_told(loss) for loss in losses if not loss.met]
    return Report("Recovery point", ("of", "would be lost", "allowed", "unit", "met"), rows, wrong)


def _loss_told(loss: Loss) -> str:
    lost = "an unknown number of" if loss.lost is None else f"{loss.lost:,}"
    return f"Of {loss.name}, {lost} {loss.unit} would be lost, where {loss.allowed} are allowed"


def _proof(drilled: Drilled) -> Report:
    wrong = [] if drilled.holds else ["The rebuilt stack does not reconcile: millrace reconcile --store tells what"]
    return Report("Reconciliation of the rebuilt stack", ("holds",), [{"holds": drilled.holds}], wrong)
