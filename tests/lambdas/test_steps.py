import json
from typing import Any

import pytest

from millrace.core.errors import DataQualityError, JobMismatch, TransientError
from millrace.core.jobs import Shard
from millrace.entrypoints.lambdas import analytics, transformation, validation

from .arriving import Context
from .site import START, Site
from .test_ingestion import PURCHASE, Down

BROKEN = PURCHASE.replace(b"12.50", b"-1")


def task(handler: Any, **payload: Any) -> Any:
    """A task of the state machine: JSON in, JSON out."""
    return json.loads(json.dumps(handler(json.loads(json.dumps(payload)), Context())))


def fill(site: Site, good: int, bad: int = 0) -> None:
    for number in range(good + bad):
        body = (PURCHASE if number < good else BROKEN).replace(b"p-1", f"p-{number}".encode())
        site.platform.ingest.chunk(body, source="s", content_type="application/json", origin="o")


def run(site: Site, spec: dict[str, Any]) -> Any:
    """The steps in the order of the state machine, each with what the one before it gave."""
    planned = task(validation.handler, step="plan", job="j", spec=spec)
    shards = json.loads(site.stores.job_files.read("j", "manifest.json") or b"")
    for shard in shards:
        assert task(validation.handler, step="validate", job=planned["job"], shard=shard) == {}
    task(validation.handler, step="gate", job=planned["job"], spec=planned["spec"])
    for shard in shards:
        assert task(transformation.handler, step="load", job=planned["job"], shard=shard) == {}
    return task(analytics.handler, step="reconcile", job=planned["job"])


def test_a_job_goes_through_its_steps_to_the_summary(site: Site) -> None:
    fill(site, good=9, bad=1)
    summary = run(site, {"receipts_per_shard": 3, "allowed_rejections": 0.25})
    assert (summary["job"], summary["receipts"], summary["events"]) == ("j", 10, 10)
    assert (summary["curated"], summary["dead_letters"]) == (9, {"invalid": 1})
    assert site.stores.curated.count() == 9


def test_the_plan_says_where_the_shards_lie(site: Site) -> None:
    fill(site, good=3)
    planned = task(validation.handler, step="plan", job="nightly-7", spec={"receipts_per_shard": 2})
    assert planned["manifest"] == {"bucket": "analysis", "key": "jobs/nightly-7/manifest.json"}
    assert (planned["job"], planned["shards"], planned["receipts"]) == ("nightly-7", 2, 3)
    again = task(validation.handler, step="plan", job="nightly-7", spec=planned["spec"])
    assert again == planned


def test_a_job_without_a_spec_is_one_over_everything(site: Site) -> None:
    fill(site, good=1)
    assert task(validation.handler, step="plan", job="all", spec={})["receipts"] == 1
    assert task(validation.handler, step="plan", job="whole")["receipts"] == 1


def test_the_gate_fails_with_the_class_that_the_state_machine_catches(site: Site) -> None:
    fill(site, good=1, bad=1)
    with pytest.raises(DataQualityError, match="1 of 2 events would be rejected"):
        run(site, {"receipts_per_shard": 3})
    assert site.stores.curated.count() == 0
    line = next(line for line in site.output().logs if line["event"] == "invocation.failed")
    assert line["error"] == "DataQualityError"


def test_a_passing_failure_has_the_class_that_the_state_machine_retries(site: Site) -> None:
    fill(site, good=1)
    site.use(raw=Down(TransientError("slow")))
    with pytest.raises(TransientError) as caught:
        task(validation.handler, step="plan", job="j", spec={})
    assert type(caught.value) is TransientError


@pytest.mark.parametrize("job", ["scheduled", "never-planned"])
def test_a_job_that_was_never_planned_does_not_pass_as_reconciled(site: Site, job: str) -> None:
    with pytest.raises(JobMismatch, match="was not planned"):
        task(analytics.handler, step="reconcile", job=job)


def test_loading_counts_outcomes_and_leaves_a_line(site: Site) -> None:
    fill(site, good=2, bad=1)
    run(site, {"allowed_rejections": "0.5"})
    output = site.output()
    assert output.metric("Curated") == [2]
    assert output.metric("DeadLettered", reason="invalid") == [1]
    done = [line for line in output.logs if line["event"] == "step.done"]
    assert [line["step"] for line in done] == ["plan", "validate", "gate", "load", "reconcile"]
    assert {line["job"] for line in done} == {"j"}
    assert done[3]["shard"] == 0
    assert "secret" not in output.text


SHARD = {"shard": 0, "after": None, "last": "01a0b0c0-0000-7000-8000-000000000000", "receipts": 1}
WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (validation.handler, {"step": "load", "job": "j", "shard": SHARD}, "takes the steps plan, validate, gate; load"),
    (transformation.handler, {"step": "plan", "job": "j"}, "takes the steps load; plan"),
    (analytics.handler, {"step": "gate", "job": "j"}, "takes the steps reconcile; gate"),
    (validation.handler, {"step": "dance", "job": "j"}, "a job step that is none"),
    (validation.handler, {"step": "plan"}, "missing required field `job`"),
    (validation.handler, {"step": "validate", "job": "j"}, "The step validate came without a shard"),
    (validation.handler, {"step": "plan", "job": "j", "spec": {"since": START, "until": START}}, "since is not before"),
    (validation.handler, {"step": "plan", "job": "j", "spec": {"secret": 1}}, "a job step that is none"),
    (transformation.handler, {"step": "load", "job": "j", "shard": {"shard": "x"}}, "a job step that is none"),
]


@pytest.mark.parametrize(("handler", "event", "words"), WRONG)
def test_a_step_that_is_none_of_the_functions_is_an_error(site: Site, handler: Any, event: Any, words: str) -> None:
    with pytest.raises(Exception, match=words) as caught:
        handler(event, Context())
    assert type(caught.value).__name__ == "UnexpectedEvent"


def test_the_shards_of_the_manifest_are_what_the_steps_take(site: Site) -> None:
    fill(site, good=1)
    task(validation.handler, step="plan", job="j", spec={})
    assert [Shard(**shard) for shard in json.loads(site.stores.job_files.read("j", "manifest.json") or b"")]
