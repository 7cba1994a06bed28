"""``millrace dead-letters export`` and ``purge``: dead letters written to a file, and taken out of the store."""

import base64
import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click
import msgspec

from ..letters import letter_row
from ..origins import Origin
from ..rows import shown
from .bars import counting
from .exits import FAILED, OK, Fault, warn
from .letters import choosing, chosen, every, with_origins
from .options import Site, as_json, on_a_site
from .output import print_facts, print_json, print_objects

if TYPE_CHECKING:
    from ...core.redriving import Choice
    from ..platform import Platform

TOGETHER = 5000
"""Letters that are purged at once."""


@click.command
@choosing
@click.option("--out", default="-", show_default=True, metavar="FILE", help="Where to; .gz compresses, - is stdout.")
@on_a_site
def export(*, choice: "Choice", out: str, site: Site) -> int:
    """Write dead letters as NDJSON, each with every occurrence and the event as it was received.

    A file appears when it is complete, in place of one of that name.

    \b
    Examples:
      millrace dead-letters export --reason malformed > malformed.ndjson
      millrace dead-letters export --type purchase --out purchases.ndjson.gz
    """
    with site.open() as platform:
        if out == "-":
            print_objects(_rows(platform, choice), "ndjson")
            return OK
        with _part_of(Path(out)) as part:
            written = _write(part, platform, choice, site)
            _publish(part, Path(out))
    warn(f"{out} holds {written.letters:,} dead letters with {written.occurrences:,} occurrences")
    return OK


@click.command
@choosing
@click.option("--out", required=True, metavar="FILE", help="Where they are exported first; must not exist.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@on_a_site
def purge(*, choice: "Choice", out: str, yes: bool, form: str | None, site: Site) -> int:
    """Export dead letters to a file, then take what is in the file out of the store.

    The raw log keeps the events, and processing their receipts again makes dead letters of them again. Exits with 1
    where the answer was not yes. Receipts that the queue gave up were never processed, and are not purged.

    \b
    Examples:
      millrace dead-letters purge --reason malformed --out malformed.ndjson.gz
      millrace dead-letters purge --fingerprint 8c1f0e6ad2b9 --out noise.ndjson --yes
    """
    target = Path(out)
    if out == "-":
        raise Fault("What is purged is exported to a file first; give --out FILE.")
    if target.exists():
        raise Fault(f"{out} exists, and may be the only copy of what was purged before; give another file.")
    with site.open(write=True) as platform, _part_of(target) as part:
        written = _write(part, platform, choice, site)
        if not written.letters:
            warn("There are no such dead letters")
            return OK
        if not (yes or _agreed(written)):
            warn("Nothing was purged")
            return FAILED
        _publish(part, target)
        _purge(target, platform, written, site)
    report = {"out": out, "letters": written.letters, "occurrences": written.occurrences}
    if form:
        print_json(report)
    else:
        print_facts(report)
    return OK


class Written(NamedTuple):
    """What a file holds."""

    letters: int
    occurrences: int


class _Line(msgspec.Struct):
    """What purging needs of a line."""

    class Place(msgspec.Struct):
        receipt: str
        index: int

    id: str
    occurrences: list[Place]


def _agreed(written: Written) -> bool:
    try:
        return click.confirm(f"Purge {written.letters:,} dead letters from the store?", err=True)
    except click.Abort:  # nobody is there to answer
        click.echo(err=True)
        return False


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """Where a file is written until it is complete; removed if it never is."""
    part = target.with_name(f".part-{os.getpid()}-{target.name}")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _write(part: Path, platform: "Platform", choice: "Choice", site: Site) -> Written:
    """Write the letters durably, one a line."""
    letters = occurrences = 0
    with part.open("wb") as plain:
        # No file name and no time: the same letters make the same bytes.
        out = gzip.GzipFile("", "wb", fileobj=plain, mtime=0) if part.suffix == ".gz" else plain
        with counting("exporting", lambda: sum(1 for _ in chosen(platform, choice)), site.log) as advance:
            for row in _rows(platform, choice):
                out.write(msgspec.json.encode(shown(row)) + b"\n")
                letters, occurrences = letters + 1, occurrences + row["seen"]
                advance(1)
        if out is not plain:
            out.close()
        plain.flush()
        os.fsync(plain.fileno())
    return Written(letters, occurrences)


def _publish(part: Path, target: Path) -> None:
    """Give the complete file its name, durably."""
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _purge(exported: Path, platform: "Platform", written: Written, site: Site) -> None:
    """Take out of the store what the file holds, as read back from it."""
    decode = msgspec.json.Decoder(_Line).decode
    with _read(exported) as lines, counting("purging", lambda: written.letters, site.log) as advance:
        while batch := [decode(line) for line in islice(lines, TOGETHER)]:
            platform.stores.dead_letters.settle(
                {line.id: [(each.receipt, each.index) for each in line.occurrences] for line in batch}
            )
            advance(len(batch))


def _read(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _rows(platform: "Platform", choice: "Choice") -> Iterator[dict[str, Any]]:
    for letter, origin in with_origins(platform, chosen(platform, choice)):
        yield {**letter_row(letter, origin), "occurrences": every(letter.occurrences), **_document(origin)}


def _document(origin: Origin | None) -> dict[str, Any]:
    """The event as it was received: as text where it is text; null where the raw log does not have it any more."""
    if origin is None:
        return {"document": None}
    try:
        return {"document": origin.document.decode()}
    except UnicodeDecodeError:
        return {"document": None, "documentBase64": base64.b64encode(origin.document).decode()}
