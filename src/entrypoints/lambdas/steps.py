"""Steps of jobs as tasks of the state machine: what comes with one, and what goes back."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ...core.jobs import JobSpec, Shard, Step, Tally
from ...core.services.jobs import MANIFEST
from .arrivals import UnexpectedEvent
from .function import Invocation


class StepEvent(msgspec.Struct, frozen=True):
    """What the state machine sends; instants of ``spec`` in microseconds."""

    step: Step
    job: str
    spec: JobSpec = JobSpec()
    shard: Shard | None = None


Run = Callable[[StepEvent, Invocation], Any]


def take_step(event: Mapping[str, Any], invocation: Invocation, function: str, steps: Mapping[Step, Run]) -> Any:
    """Run the step that an event names, of those a function knows; one log line. Raises ``UnexpectedEvent``."""
    try:
        asked = msgspec.convert(event, StepEvent)
    except msgspec.ValidationError as error:  # says which member, and quotes none
        raise UnexpectedEvent(f"{function} was given a job step that is none: {error}.") from None
    if asked.step not in steps:
        raise UnexpectedEvent(f"{function} takes the steps {', '.join(steps)}; {asked.step} came.")
    invocation.annotations["job"] = asked.job
    found = steps[asked.step](asked, invocation)
    shard = {} if asked.shard is None else {"shard": asked.shard.shard, "receipts": asked.shard.receipts}
    invocation.log.info(
        "step.done", step=asked.step.value, job=asked.job, milliseconds=invocation.milliseconds(), **shard
    )
    return found


def plan(asked: StepEvent, invocation: Invocation) -> dict[str, Any]:
    """Plan the job; the answer says where the state machine finds the shards."""
    planned = invocation.services.jobs.plan(asked.job, asked.spec)
    key = f"jobs/{asked.job}/{MANIFEST}"
    return {
        "job": asked.job,
        "spec": msgspec.to_builtins(planned.spec),
        "shards": planned.shards,
        "receipts": planned.receipts,
        "manifest": {"bucket": invocation.settings.analysis_bucket, "key": key},
    }


def validate(asked: StepEvent, invocation: Invocation) -> dict[str, Any]:
    """Validate a shard. The tally lies in the job's files: of thousands of shards, the machine need not carry it."""
    invocation.services.jobs.validate(asked.job, _shard(asked))
    return {}


def gate(asked: StepEvent, invocation: Invocation) -> dict[str, Any]:
    """Let the job pass, or raise ``DataQualityError``."""
    return _told(invocation.services.jobs.gate(asked.job))


def load(asked: StepEvent, invocation: Invocation) -> dict[str, Any]:
    """Process a shard."""
    invocation.metrics.outcomes(invocation.services.jobs.load(asked.job, _shard(asked)))
    return {}


def reconcile(asked: StepEvent, invocation: Invocation) -> dict[str, Any]:
    """The job's summary, or ``JobMismatch``."""
    return {"job": asked.job, **_told(invocation.services.jobs.reconcile(asked.job))}


def _shard(asked: StepEvent) -> Shard:
    if asked.shard is None:
        raise UnexpectedEvent(f"The step {asked.step} came without a shard.")
    return asked.shard


def _told(tally: Tally) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(tally)
    return told
