"""``millrace reconcile``: the proof that nothing is lost."""

from typing import TYPE_CHECKING, Any

import click

from .exits import FAILED, OK, warn
from .options import Site, Span, as_json, in_a_span, on_a_site
from .output import print_facts, print_json

if TYPE_CHECKING:
    from ...core.services.reconcile import Account
    from ..platform import Platform

_NAMED = 20
_GAPS = {
    "missing": "receipts without a ledger entry",
    "unbalanced": "receipts whose ledger entry does not add up",
    "unknown": "ledger entries whose receipt the raw log does not have",
    "gone": "receipts of curated events that the raw log does not have",
}


@click.command
@in_a_span
@click.option("--repair", is_flag=True, help="Process receipts with a gap again, then account once more.")
@as_json
@on_a_site
def reconcile(*, repair: bool, form: str | None, span: Span, site: Site) -> int:
    """Account for every event of every receipt.

    For each receipt of the raw log: events = curated + duplicate + filtered + dead-lettered; over all time, also that
    curated store and archive hold as many events as were curated. Exits with 1 on a gap. --since and --until choose
    receipts by when they were received. --repair also processes what was accepted under another catalog. Opening a
    store already finishes what a crash has left; that is told as mended.

    \b
    Examples:
      millrace reconcile
      millrace reconcile --since 24h --repair --json
    """
    from ...core.services.boundary import Boundaries

    with site.open(write=repair) as platform:
        account = _account(platform, span)
        resent = 0
        if repair and not account.holds:
            resent = platform.reconcile.run(since=span.since, until=span.until, repair=True).resent
            for _ in platform.work.drain(adopt=True):
                pass
            account = _account(platform, span)
        boundary = Boundaries(platform.stores.views).read()
    report = _report(account, mended=platform.mended, resent=resent)
    if form:
        print_json(report)
    else:
        _print(report)
    if boundary is not None and account.kept is not None and account.kept < account.curated:
        warn(_told_of_the_archive(account.curated - account.kept, boundary.before))
    if not account.holds and platform.busy:
        warn("Another process is writing to the store; what it has in hand counts as missing")
    return OK if account.holds else FAILED


def _account(platform: "Platform", span: Span) -> "Account":
    from ...core.identity import EARLIEST, LATEST

    if span == (EARLIEST, LATEST + 1):
        return platform.reconcile.run(types=platform.catalog.types)
    return platform.reconcile.run(since=span.since, until=span.until)


def _report(account: "Account", *, mended: int, resent: int) -> dict[str, Any]:
    names = ("receipts", "events", "curated", "duplicate", "filtered", "dead_lettered", "stored", "archived", *_GAPS)
    return {
        "holds": account.holds,
        **{name: getattr(account, name) for name in names},
        "mended": mended,
        "resent": resent,
    }


def _told_of_the_archive(missing: int, before: int) -> str:
    from ...core.times import format_time

    return (
        f"Events before {format_time(before)} are archived, and {missing:,} events are neither in the store nor in the "
        "archive. Bring the files of the archive back; if they are gone, backfill a new store from the raw log of this "
        "one"
    )


def _print(report: dict[str, Any]) -> None:
    names = ("receipts", "events", "curated", "duplicate", "filtered", "dead_lettered", "archived", "mended", "resent")
    print_facts({name.replace("_", " "): f"{report[name]:,}".rjust(12) for name in names if report[name] is not None})
    for name, words in _GAPS.items():
        if found := report[name]:
            click.echo(f"{len(found):,} {words}: {', '.join(found[:_NAMED])}{', …' if len(found) > _NAMED else ''}")
    if report["stored"] is not None and report["stored"] + report["archived"] != report["curated"]:
        beside = f" and the archive {report['archived']:,} more" if report["archived"] else ""
        click.echo(
            f"The curated store holds {report['stored']:,} events{beside}, where the ledger has {report['curated']:,}."
        )
    click.echo("Every event is accounted for." if report["holds"] else "There is a gap.")
