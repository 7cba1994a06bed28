"""``millrace dead-letters redrive``: dead letters processed again."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from ..redriving import VERDICTS, Tally, steps
from .bars import counting
from .exits import FAILED, OK, warn
from .letters import choosing, chosen, complaint
from .options import Site, as_json, as_ndjson, on_a_site
from .output import print_facts, print_json, print_objects, print_table

if TYPE_CHECKING:
    from ...core.redriving import Choice, Step
    from ..platform import Platform

SHOWN_TO_PEOPLE = 5


@click.command
@choosing
@click.option("--limit", type=click.IntRange(min=1), help="At most so many dead letters, in order of their ids.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many a second.")
@click.option(
    "--attempts",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Leave alone what has failed so often in the same way, the first time counted.",
)
@click.option("--force", is_flag=True, help="Redrive however often it has failed.")
@click.option("--adopt", is_flag=True, help="Also what was accepted under another catalog.")
@click.option("--dry-run", is_flag=True, help="Tell what would become of them, and write nothing.")
@as_json
@as_ndjson
@on_a_site
def redrive(
    *,
    choice: "Choice",
    limit: int | None,
    rate: float | None,
    attempts: int,
    force: bool,
    adopt: bool,
    dry_run: bool,
    form: str | None,
    site: Site,
) -> int:
    """Process dead letters again, under the catalog as it is now.

    What passes now stops being a dead letter, as soon as what became of it is durable. What fails in the same way (the
    fingerprint is the same) stays and counts one attempt more, in the words of today. What fails in another way says so
    from then on, and its attempts begin at 1 again; for another reason it becomes another dead letter. Receipts that
    the queue gave up after too many deliveries are processed, too, unless letters are chosen by reason, type or
    fingerprint. Redriving again, or while events arrive, changes nothing else; after a crash it finishes what was
    begun.

    Exits with 1 where something that was tried is a dead letter still, and with 0 after a dry run. --json prints totals
    and a sample of each kind, --ndjson every dead letter with what became of it.

    \b
    Examples:
      millrace dead-letters redrive --reason rule --dry-run
      millrace dead-letters redrive --type purchase --rate 100
      millrace dead-letters redrive --fingerprint 8c1f0e6ad2b9 --force --json
    """
    started = time.monotonic()
    tally = Tally(dry=dry_run)
    with site.open(write=not dry_run) as platform:
        options = {
            "limit": limit,
            "attempts": None if force else attempts,
            "adopt": adopt,
            "dry": dry_run,
        }
        rows = _rows(platform, choice, options, rate, tally, site)
        if form == "ndjson":
            print_objects(rows, form)
        else:
            for _ in rows:
                pass
    report = {**tally.report(), "seconds": round(time.monotonic() - started, 3)}
    if form == "json":
        print_json(report)
    elif form is None:
        _print(report)
    if not (report["letters"] or report["returned"]):
        warn("There are no such dead letters")
    if report["skipped"]:
        warn(f"{report['skipped']:,} failed {attempts} times or more and were left alone; --force redrives them")
    return FAILED if tally.failed and not dry_run else OK


def _rows(
    platform: "Platform",
    choice: "Choice",
    options: dict[str, Any],
    rate: float | None,
    tally: Tally,
    site: Site,
) -> Iterator[Mapping[str, Any]]:
    from ...core.services.redrive import BATCH

    size = BATCH if rate is None else max(1, min(BATCH, int(rate)))
    taken = steps(platform, choice, size=size, **options)
    with counting("redriving", lambda: _many(platform, choice, options["limit"]), site.log) as advance:
        for step in taken if rate is None else _paced(taken, rate):
            rows = [*tally.add(step)]
            advance(len(rows))
            site.log.debug("letters.redriven", letters=len(rows), receipts=step.receipts, dry_run=options["dry"])
            yield from rows


def _many(platform: "Platform", choice: "Choice", limit: int | None) -> int:
    many = sum(1 for _ in chosen(platform, choice))
    return many if limit is None else min(many, limit)


def _paced(
    steps: Iterable["Step"],
    rate: float,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator["Step"]:
    """The steps, none begun before the ones in front of it have had their time."""
    due = monotonic()
    for step in steps:
        tried = len(step.returned) + sum(1 for each in step.letters if each.verdict != "skipped")
        due = max(due, monotonic() - 1) + tried / rate
        yield step
        if (rest := due - monotonic()) > 0:
            sleep(rest)


def _print(report: dict[str, Any]) -> None:
    names = {"letters": "dead letters", **VERDICTS, "returned": "given up by the queue", "receipts": "receipts"}
    facts = {words: f"{report[name]:,}".rjust(12) for name, words in names.items() if report[name] or name in VERDICTS}
    print_facts(facts)
    if report["causes"]:
        click.echo()
        print_table(list(report["causes"][0]), report["causes"])
    rows = [
        {
            "id": row["id"][:12],
            "verdict": verdict,
            "reason": (row["now"] or row)["reason"],
            "why": row["why"] or complaint((row["now"] or row)["violations"]),
        }
        for verdict in ("same", "other", "held")
        for row in report["samples"].get(verdict, [])[:SHOWN_TO_PEOPLE]
    ]
    if rows:
        click.echo()
        print_table(list(rows[0]), rows)
