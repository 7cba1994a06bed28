"""The disaster drill: everything but the raw log is gone, and comes back with equal hashes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from millrace.core.errors import StoreError
from millrace.entrypoints.ops import drill
from millrace.entrypoints.ops.comparing import Comparing
from millrace.entrypoints.ops.deployment import PACKAGED, PACKAGER, TEMPLATE
from millrace.entrypoints.ops.drill import Drilled, Side, in_this_process
from millrace.entrypoints.ops.stack import ALIAS
from tests.aws.e2e.compare import sample_chunks

from .standing import Stand, snapshot, standing

FOREVER = 10**16


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Stand, Stand, Callable[[], None]]]:
    with standing("production", "drill") as [live, scratch]:
        live.ingest(60, seed=8)
        live.bucket("backup")
        publish(scratch)
        yield live, scratch, snapshot()


@pytest.fixture
def stands(filled: tuple[Stand, Stand, Callable[[], None]]) -> tuple[Stand, Stand]:
    """A live stack with events in it, and an empty one."""
    live, scratch, reset = filled
    reset()
    return live, scratch


def publish(stand: Stand) -> None:
    """A version and the alias of each function, which moto's CloudFormation does not make."""
    for function in stand.stack.functions:
        version = stand.client("lambda").publish_version(FunctionName=function)["Version"]
        stand.client("lambda").create_alias(FunctionName=function, Name=ALIAS, FunctionVersion=version)


def run(live: Stand, scratch: Stand, **others: Any) -> Drilled:
    options: dict[str, Any] = {"load": in_this_process, **others}
    return drill.drill(Side(live.stack, live.platform), Side(scratch.stack, scratch.platform), **options)


def parts(drilled: Drilled) -> dict[str, dict[str, Any]]:
    return {part.name: part.as_row() for part in drilled.parts}


def wrong(drilled: Drilled) -> list[str]:
    return [sentence for report in drilled.reports() for sentence in report.wrong]


# --------------------------------------------------------------------------------------------------------- the drill


def test_a_stack_is_rebuilt_from_the_raw_log_alone_with_equal_hashes(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    drilled = run(live, scratch)
    assert wrong(drilled) == []
    found = parts(drilled)
    assert {name for name, row in found.items() if row["live"] == 0} == set(), "nothing was compared"
    assert all(row["hash live"] == row["hash rebuilt"] for row in found.values())
    assert [step.name for step in drilled.steps] == ["functions", "raw log", "tables", "verification"]
    assert drilled.holds


def test_everything_but_the_raw_bucket_is_gone_and_comes_back_with_equal_hashes(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    before = hashes(live)
    live.empty()
    assert live.platform.reconcile.run().missing, "only the raw log is left"
    rebuilt = run(live, scratch)
    assert rebuilt.holds
    assert rebuilt.copied.copied == len(live.objects(live["RawBucket"], "raw/"))
    assert hashes(scratch) == before


def hashes(stand: Stand) -> dict[str, str]:
    """What a stack holds, compared with itself."""
    end = stand.stack.clock.now()
    return {part.name: part.live.text for part in Comparing(stand.platform, stand.platform, 0, end).run()}


def test_the_command_tells_times_losses_and_hashes(stands: tuple[Stand, Stand]) -> None:
    live, _ = stands
    told = live.told("disaster-drill", "--scratch", "aws:millrace-drill", "--here", "--yes")
    titles = [report["title"] for report in told]
    assert titles[:2] == ["Recovery time", "Recovery point"]
    assert all(row["met"] is not False for row in told[0]["rows"])
    assert told[1]["rows"][0] == {"of": "raw log", "would be lost": 0, "allowed": 0, "unit": "receipts", "met": True}
    assert {row["same"] for row in told[3]["rows"]} == {True}


def test_a_dry_run_leaves_the_scratch_stack_empty(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    told = live.told("disaster-drill", "--scratch", "aws:millrace-drill", "--dry-run")
    assert told["made"] is False
    assert scratch.objects(scratch["RawBucket"]) == []


def test_a_drill_that_was_interrupted_goes_on(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands

    def dies(side: Side, spec: Any, name: str) -> str:
        raise RuntimeError("out of power")

    with pytest.raises(RuntimeError):
        run(live, scratch, load=dies)
    with pytest.raises(StoreError, match="--go-on"):
        drill.require_scratch(live.stack, scratch.stack)
    drill.require_scratch(live.stack, scratch.stack, go_on=True)
    drilled = run(live, scratch)
    assert (drilled.copied.copied, wrong(drilled)) == (0, [])


# ------------------------------------------------------------------------------------------------ deploying it first


def test_the_time_of_the_deployment_is_among_the_steps(stands: tuple[Stand, Stand]) -> None:
    slow = run(*stands, deployed=901.0)
    assert slow.steps[0] == drill.Step(name="stack", seconds=901.0, target=900)
    assert "The step stack took 901 seconds, where 900 are allowed" in wrong(slow)


def test_the_command_deploys_with_sam_and_then_drills(
    stands: tuple[Stand, Stand], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, _ = stands
    for name in (TEMPLATE, PACKAGER, PACKAGED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / TEMPLATE).write_text("")
    (tmp_path / PACKAGER).write_text("import sys; open('packed', 'w').write(' '.join(sys.argv))")
    (tmp_path / PACKAGED).write_text("shop:catalog")
    sam = tmp_path / "sam"
    sam.write_text('#!/bin/sh\necho "$@" >> sam.log\n')
    sam.chmod(0o755)
    monkeypatch.setenv("MILLRACE_SAM", str(sam))
    arguments = ("--scratch", "aws:millrace-drill", "--deploy", "--checkout", str(tmp_path), "--here", "--yes")
    told = live.told("disaster-drill", *arguments)
    assert told[0]["rows"][0]["step"] == "stack"
    assert [line.split()[0] for line in (tmp_path / "sam.log").read_text().splitlines()] == ["deploy"]
    assert "--catalog millrace.core.catalogs.retail:catalog" in (tmp_path / "packed").read_text()
    sam.write_text("#!/bin/sh\nexit 3\n")
    assert "failed with exit code 3" in live.ops("disaster-drill", *arguments, "--go-on", code=1).stderr


# ------------------------------------------------------------------------------------------------ what it must notice


def test_events_that_the_live_stack_lost_are_noticed(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    live.delete("CuratedTable", live.items("CuratedTable")[:1])
    drilled = run(live, scratch)
    assert not parts(drilled)["curated events"]["same"]
    assert any("curated events differ" in sentence for sentence in wrong(drilled))


def test_a_view_that_counts_wrongly_is_noticed(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    rows = [item for item in live.items("ViewsTable") if not item["view"]["S"].startswith(("cursor#", "generations"))]
    live.delete("ViewsTable", rows[:1])
    told = parts(run(live, scratch))
    assert sorted(name for name, row in told.items() if not row["same"])[0].startswith("rows of view")


def test_an_entry_of_the_ledger_that_is_off_is_noticed(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    [entry, *_] = live.items("LedgerTable")
    live.client("dynamodb").put_item(TableName="Ledger", Item={**entry, "filtered": {"N": "77"}})
    assert [name for name, row in parts(run(live, scratch)).items() if not row["same"]] == ["ledger entries"]


def test_receipts_that_the_backup_lacks_would_be_lost(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    live.ops("replicate", "--to", "backup", "--yes")
    live.client("s3").delete_object(Bucket="backup", Key=live.objects("backup")[0])
    drilled = run(live, scratch, source="backup")
    assert "Of raw log, 1 receipts would be lost, where 0 are allowed" in wrong(drilled)


def test_functions_that_cannot_be_invoked_end_the_drill(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    functions = scratch.client("lambda")
    functions.delete_alias(FunctionName="query-lambda-drill", Name=ALIAS)
    try:
        arguments = ("--scratch", "aws:millrace-drill", "--here", "--yes")
        result = live.ops("disaster-drill", *arguments, code=1)
    finally:
        functions.create_alias(FunctionName="query-lambda-drill", Name=ALIAS, FunctionVersion="1")
    assert "query-lambda-drill of millrace-drill cannot be invoked: it is not there as prod" in result.stderr
    assert scratch.objects(scratch["RawBucket"]) == []


def test_a_table_without_points_in_time_is_told(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    off = {"PointInTimeRecoveryEnabled": False}
    live.client("dynamodb").update_continuous_backups(TableName="Views", PointInTimeRecoverySpecification=off)
    assert any(sentence.startswith("Of Views, an unknown number") for sentence in wrong(run(live, scratch)))


def test_a_step_that_takes_too_long_is_told(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands

    class Slow:
        at = live.stack.clock.now()

        def now(self) -> int:
            return self.at

    clock = Slow()
    slow = attrs.evolve(live, stack=attrs.evolve(live.stack, clock=clock))

    def load(side: Side, spec: Any, name: str) -> str:
        clock.at += 601_000_000
        return in_this_process(side, spec, name)

    assert "The step tables took 601 seconds, where 600 are allowed" in wrong(run(slow, scratch, load=load))
    assert drill.Step(name="stack", seconds=900.0, target=900).met
    assert not drill.Step(name="stack", seconds=900.1, target=900).met


# ----------------------------------------------------------------------------------------------------- live and moving


def test_what_arrives_meanwhile_is_left_out(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    until = live.stack.clock.now()
    live.ingest(40, seed=11)
    drilled = run(live, scratch, until=until)
    assert wrong(drilled) == []
    assert parts(drilled)["curated events"]["left out"] > 0


def test_a_receipt_that_still_waits_in_the_live_queue_is_left_out(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    for chunk in sample_chunks(20, seed=12):
        live.platform.ingest.chunk(chunk.body, source="shop", content_type=chunk.content_type, origin="late")
    waiting = len(live.platform.reconcile.run().missing)
    drilled = run(live, scratch)
    assert (waiting > 0, wrong(drilled)) == (True, [])
    assert parts(drilled)["ledger entries"]["left out"] == waiting


# ---------------------------------------------------------------------------------------------------------- wrong usage


def test_only_an_empty_stack_that_is_none_of_production_is_practised_on(stands: tuple[Stand, Stand]) -> None:
    live, scratch = stands
    with pytest.raises(StoreError, match="another stack"):
        drill.require_scratch(live.stack, live.stack)
    with pytest.raises(StoreError, match="a stack of production"):
        drill.require_scratch(scratch.stack, live.stack)
    drill.require_scratch(live.stack, scratch.stack)
    scratch.client("dynamodb").put_item(
        TableName=scratch["LedgerTable"], Item={"shard": {"S": "0"}, "receipt": {"S": "x"}}
    )
    with pytest.raises(StoreError, match="Ledger-drill is not empty"):
        drill.require_scratch(live.stack, scratch.stack)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scratch", "file:here"), "is no stack"),
        (("--scratch", "aws:nonesuch"), "there is no stack nonesuch"),
        (("--scratch", "aws:millrace"), "another stack"),
        (("--scratch", "aws:millrace-production", "--deploy"), "of an environment of its own"),
        (("--scratch", "aws:other", "--deploy"), "aws:millrace-ENVIRONMENT"),
        (("--scratch", "aws:millrace-Drill", "--deploy"), "is no environment"),
    ],
    ids=["file", "unknown", "itself", "production", "other-name", "no-name"],
)
def test_what_cannot_be_gets_one_sentence(stands: tuple[Stand, Stand], arguments: tuple[str, ...], said: str) -> None:
    result = stands[0].ops("disaster-drill", *arguments, code=2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
