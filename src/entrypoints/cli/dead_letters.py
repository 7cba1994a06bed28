"""``millrace dead-letters``: what could not be processed, and why."""

from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ..letters import Causes, as_origin, letter_row, violations
from ..origins import origins
from . import export, redrive
from .exits import Fault, warn
from .letters import choosing, chosen, complaint, with_origins
from .options import Site, as_json, as_ndjson, on_a_site
from .output import print_facts, print_json, print_objects, print_table, printable

if TYPE_CHECKING:
    from ...core.records import DeadLetter
    from ...core.redriving import Choice
    from ..platform import Platform

SHOWN_TO_PEOPLE = 100
SHOWN_OF_A_DOCUMENT = 64 * 1024


@click.group("dead-letters")
def dead_letters() -> None:
    """Look at what could not be processed, and process it again once the cause is mended.

    \b
    Examples:
      millrace dead-letters summary
      millrace dead-letters list --reason invalid --ndjson
      millrace dead-letters show 3f9c
      millrace dead-letters redrive --type purchase --dry-run
    """


@dead_letters.command("list")
@choosing
@click.option("--limit", type=click.IntRange(min=0), help="At most so many; 0: all.  [default: 100 in a table]")
@as_json
@as_ndjson
@on_a_site
def list_(
    *,
    choice: "Choice",
    limit: int | None,
    form: str | None,
    site: Site,
) -> None:
    """List dead letters, in order of their ids.

    \b
    Example:
      millrace dead-letters list --type purchase --ndjson
    """
    with site.open() as platform:
        letters = chosen(platform, choice)
        cut = limit is None and form is None
        if cut:
            limit = SHOWN_TO_PEOPLE
        shown = (letter_row(*pair) for pair in with_origins(platform, islice(letters, limit or None)))
        if form is not None:
            print_objects(shown, form)
        elif rows := [_brief(row) for row in shown]:
            print_table(list(rows[0]), rows)
            if cut and next(letters, None) is not None:
                warn(f"These are the first {limit}; --limit 0 shows all")
        else:
            warn("There are no such dead letters")


@dead_letters.command
@click.argument("id")
@as_json
@on_a_site
def show(*, id: str, form: str | None, site: Site) -> None:
    """Show one dead letter: what is wrong with it, where it came from, and the event itself.

    ID may be the beginning of an id, if no other begins so.

    \b
    Example:
      millrace dead-letters show 3f9c
    """
    with site.open() as platform:
        letter = _find(platform, id)
        found = origins(platform, letter.occurrences)
    occurrences = [
        {"receipt": receipt, "index": index, **as_origin(found.get((receipt, index)))}
        for receipt, index in letter.occurrences
    ]
    first = found.get((letter.receipt, letter.index))
    document = None if first is None else first.document.decode("utf-8", "backslashreplace")
    if form:
        print_json({**letter_row(letter, first), "occurrences": occurrences, "document": document})
        return
    print_facts(_facts(letter))
    click.echo()
    print_table(["pointer", "code", "message"], violations(letter))
    click.echo()
    if first is None:
        warn("The raw log does not have the event any more")
    else:
        click.echo(_pretty(first.document))
        click.echo()
    print_table(["receipt", "index", "origin", "line"], occurrences)
    if letter.seen > len(occurrences):
        click.echo(f"and {letter.seen - len(occurrences):,} more")


@dead_letters.command
@as_json
@on_a_site
def summary(*, form: str | None, site: Site) -> None:
    """Group dead letters by their cause (fingerprint), the most frequent first.

    \b
    Example:
      millrace dead-letters summary --store file:./data
    """
    with site.open() as platform:
        rows = _summary(platform)
    if form:
        print_objects(rows, form)
    elif rows:
        flat = [{**row, "example": f"{row['example']['pointer']} {row['example']['message']}".strip()} for row in rows]
        names = ("letters", "occurrences")
        total = {"fingerprint": "total", **{name: sum(row[name] for row in rows) for name in names}}
        print_table(list(rows[0]), flat, total=total if len(rows) > 1 else None)
    else:
        warn("There are no dead letters")


def _facts(letter: "DeadLetter") -> dict[str, Any]:
    row = letter_row(letter, None)
    names = ("id", "reason", "stage", "fingerprint", "eventType", "eventId", "eventTime", "source", "seen", "attempts")
    return {name: row[name] for name in names if row[name] is not None}


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    where = row["origin"] if row["line"] is None else f"{row['origin']}:{row['line']}"
    return {
        "id": row["id"][:12],
        "reason": row["reason"],
        "type": row["eventType"],
        "where": where,
        "seen": row["seen"],
        "violation": complaint(row["violations"]),
    }


def _summary(platform: "Platform") -> list[dict[str, Any]]:
    from ...core.redriving import Choice

    causes = Causes()
    for letter in chosen(platform, Choice()):
        causes.add(letter)
    return causes.rows()


def _find(platform: "Platform", prefix: str) -> "DeadLetter":
    letters = platform.stores.dead_letters
    if (letter := letters.get(prefix)) is not None:
        return letter
    # Ids that begin with the prefix come right behind it.
    found = [letter for letter in letters.browse(after=prefix, limit=2) if letter.id.startswith(prefix)]
    if not found:
        raise Fault(f"There is no dead letter whose id is, or begins with, {prefix!r}.")
    if len(found) > 1:
        raise Fault(f"Several dead letters begin with {prefix!r}, {found[0].id} and {found[1].id} among them.")
    return found[0]


def _pretty(document: bytes) -> str:
    import msgspec

    try:
        text = msgspec.json.format(document, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = document.decode("utf-8", "backslashreplace")
    cut = f"\n… ({len(text):,} characters in all)" if len(text) > SHOWN_OF_A_DOCUMENT else ""
    return "\n".join(printable(line) for line in text[:SHOWN_OF_A_DOCUMENT].split("\n")) + cut


for _command in (redrive.redrive, export.export, export.purge):
    dead_letters.add_command(_command)
