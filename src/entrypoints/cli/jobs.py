"""``millrace jobs``: processing many receipts again, in shards, behind a quality gate."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from .exits import FAILED, OK, warn
from .options import Command, Site, Span, as_json, in_a_span, on_a_site
from .output import print_facts, print_json, print_table

if TYPE_CHECKING:
    from ...core.jobs import JobSpec, JobStatus, Progress, Tally
    from ..platform import Platform

LONGEST_PAUSE = 5.0
Tell = Callable[[int, int, str], None]
"""Is told how many shards of how many are done, and with which step."""


@click.group()
def jobs() -> None:
    """Process the receipts of the raw log again, or look after such jobs.

    A job is planned (shards of receipts), validated as a whole, let through by a gate (or not, and then nothing is
    written), loaded, and reconciled. What was done stays done when it fails or is stopped; a retry goes on from there.
    Processing again changes nothing that is right already.

    \b
    Examples:
      millrace jobs start --since 7d --allowed-rejections 0.01
      millrace jobs list
    """


def share(_: click.Context, __: click.Parameter, value: str | None) -> Decimal | None:
    """A share from 0 to 1, exactly as it was written."""
    if value is None:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal(-1)
    if not 0 <= number <= 1:
        raise click.BadParameter(f"{value!r} is no share: give a number from 0 to 1.")
    return number


def for_a_job(command: Command) -> Command:
    """--type, --shard-size, --allowed-rejections and --name."""
    for option in (
        click.option("--name", metavar="NAME", help="The job's name.  [default: one is made up]"),
        click.option(
            "--allowed-rejections",
            callback=share,
            metavar="SHARE",
            help="Share of events, 0 to 1, that may be rejected before the job fails.  [default: 0.05]",
        ),
        click.option(
            "--shard-size", type=click.IntRange(1, 100_000), metavar="N", help="Receipts in a shard.  [default: 500]"
        ),
        click.option(
            "--type", "types", multiple=True, metavar="TYPE", help="Only receipts with an event of this type."
        ),
    ):
        command = option(command)
    return command


def spec_of(span: Span, types: tuple[str, ...], shard_size: int | None, allowed: Decimal | None) -> "JobSpec":
    """What a job is asked to do; what was not said is as by default."""
    from ...core.jobs import JobSpec

    given: dict[str, Any] = {"receipts_per_shard": shard_size, "allowed_rejections": allowed}
    said = {name: value for name, value in given.items() if value is not None}
    return JobSpec(since=span.since, until=span.until, types=tuple(sorted({*types})), **said)


@jobs.command()
@in_a_span
@for_a_job
@click.option("--no-wait", is_flag=True, help="On a stack: do not wait until the job is over.")
@as_json
@on_a_site
def start(
    *,
    types: tuple[str, ...],
    shard_size: int | None,
    allowed_rejections: Decimal | None,
    name: str | None,
    no_wait: bool,
    form: str | None,
    span: Span,
    site: Site,
) -> int:
    """Start a job, and wait until it is over.

    --since and --until choose receipts by when they were received. Exits with 1 where the job fails.

    \b
    Examples:
      millrace jobs start --since 7d --allowed-rejections 0.01
      millrace jobs start --type purchase --name purchases-again
    """
    spec = spec_of(span, types, shard_size, allowed_rejections)
    with site.open(write=True) as platform:
        with shards_bar(site) as tell, _told(platform, tell):
            job = platform.orchestrator.start(spec, name)
            status = platform.orchestrator.status(job) if no_wait else waited(platform, job, tell)
        return _end(platform, status, form)


@jobs.command()
@click.argument("job")
@click.option("--no-wait", is_flag=True, help="On a stack: do not wait until the job is over.")
@as_json
@on_a_site
def retry(*, job: str, no_wait: bool, form: str | None, site: Site) -> int:
    """Go on with a job that failed or was stopped, with what is left of it.

    \b
    Example:
      millrace jobs retry nightly
    """
    with site.open(write=True) as platform:
        with shards_bar(site) as tell, _told(platform, tell):
            platform.orchestrator.retry(job)
            status = platform.orchestrator.status(job) if no_wait else waited(platform, job, tell)
        return _end(platform, status, form)


@jobs.command()
@click.argument("job")
@on_a_site
def stop(*, job: str, site: Site) -> None:
    """Stop a job after the shard that it is at. What was done stays done.

    \b
    Example:
      millrace jobs stop nightly
    """
    with site.open() as platform:
        platform.orchestrator.stop(job)


@jobs.command("list")
@click.option("--state", type=click.Choice(["running", "succeeded", "failed", "stopped"]), help="Only those.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="At most so many.")
@as_json
@on_a_site
def list_jobs(*, state: str | None, limit: int, form: str | None, site: Site) -> None:
    """The jobs, the latest first.

    \b
    Examples:
      millrace jobs list
      millrace jobs list --state failed --json
    """
    from ...core.jobs import State

    with site.open() as platform:
        found = platform.orchestrator.list(limit=limit, state=None if state is None else State(state))
    if form:
        print_json([_shown(status) for status in found])
    elif found:
        columns = ("job", "state", "started_at", "stopped_at", "error")
        print_table(columns, [{name: _shown(status)[name] for name in columns} for status in found])
    else:
        warn("There is no such job" if state else "There is no job yet")


@jobs.command()
@click.argument("job")
@as_json
@on_a_site
def show(*, job: str, form: str | None, site: Site) -> None:
    """How a job stands: how far it has come, what happened to it, what it came to. Also while it runs.

    \b
    Example:
      millrace jobs show nightly
    """
    with site.open() as platform:
        status = platform.orchestrator.status(job)
        report = _report(platform, status)
        events = [_event(event) for event in platform.orchestrator.history(job)]
    if form:
        print_json({**report, "events": events})
        return
    _print(report)
    if events:
        click.echo()
        print_table(("at", "kind", "step", "detail"), events)


def waited(platform: "Platform", job: str, tell: Tell) -> "JobStatus":
    """How a job stands once it is over, telling of its progress meanwhile."""
    from ...core.jobs import State

    pause = 0.2
    while (status := platform.orchestrator.status(job)).state is State.RUNNING:
        progress = platform.jobs.progress(job)
        if progress.shards:
            done = progress.validated + progress.loaded
            tell(done, 2 * progress.shards, "loading" if progress.loaded else "validating")
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    return status


@contextmanager
def shards_bar(site: Site) -> Iterator[Tell]:
    """A bar over the shards of a job, on standard error if that is a terminal and no log lines go there."""
    if site.log.verbose or not sys.stderr.isatty():
        yield lambda _, __, ___: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("planning", total=None)
        yield lambda done, of, step: progress.update(task, completed=done, total=of, description=step)


@contextmanager
def _told(platform: "Platform", tell: Tell) -> Iterator[None]:
    """Have a job that runs in this process tell of its shards."""
    from ...adapters.local.orchestrator import LocalOrchestrator
    from ...core.jobs import Step
    from ...core.services.jobs import Done

    def told(_: str, done: Done) -> None:
        if done.of:
            before = done.of if done.step is Step.LOAD else 0
            tell(before + done.shards, 2 * done.of, "loading" if before else "validating")

    if isinstance(platform.orchestrator, LocalOrchestrator):
        platform.orchestrator.told = told
    yield


def run_job(platform: "Platform", site: Site, spec: "JobSpec", name: str | None) -> "JobStatus":
    """Start a job and wait until it is over, with a bar."""
    with shards_bar(site) as tell, _told(platform, tell):
        return waited(platform, platform.orchestrator.start(spec, name), tell)


def _end(platform: "Platform", status: "JobStatus", form: str | None) -> int:
    report = _report(platform, status)
    if form:
        print_json(report)
    else:
        _print(report)
    return told_end(status)


def told_end(status: "JobStatus") -> int:
    """The exit code for a job that ended so; where it failed, why is told."""
    from ...core.jobs import State

    if status.state in (State.FAILED, State.STOPPED):
        words = ": ".join(filter(None, (status.error, status.cause))).rstrip(".")
        warn(f"Job {status.job} {'failed' if status.state is State.FAILED else 'was stopped'}: {words}")
        return FAILED
    return OK


def _report(platform: "Platform", status: "JobStatus") -> dict[str, Any]:
    progress: Progress = platform.jobs.progress(status.job)
    summary: Tally | None = platform.jobs.summary(status.job)
    known = {name: getattr(progress, name) for name in ("shards", "validated", "loaded")}
    if summary is None:
        return {**_shown(status), "receipts": progress.receipts, **known}
    return {**_shown(status), **known, **counts(summary)}


def counts(tally: "Tally") -> dict[str, Any]:
    """The counts of a tally, as every summary has them."""
    from ...core.jobs import COUNTS

    return {**{name: getattr(tally, name) for name in COUNTS}, "dead_letters": dict(tally.dead_letters)}


def _shown(status: "JobStatus") -> dict[str, Any]:
    from ...core.times import format_time

    return {
        "job": status.job,
        "state": status.state.value,
        "started_at": format_time(status.started_at),
        "stopped_at": None if status.stopped_at is None else format_time(status.stopped_at),
        "error": status.error,
        "cause": status.cause,
    }


def _event(event: Any) -> dict[str, Any]:
    from ...core.times import format_time

    return {"at": format_time(event.at), "kind": event.kind, "step": event.step, "detail": event.detail}


def _print(report: dict[str, Any]) -> None:
    facts = {name.replace("_", " "): value for name, value in report.items() if value not in (None, "")}
    reasons = facts.pop("dead letters", {})
    if not report["shards"] and report["receipts"] == 0:
        facts["receipts"] = "0: there was nothing to do"
    print_facts({**facts, **{f"  {reason}": count for reason, count in reasons.items()}})
