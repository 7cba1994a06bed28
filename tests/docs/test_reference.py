"""What the reference says in tables of its own is what the program says."""

import re
from pathlib import Path
from typing import Any

import pytest

from millrace.core.decoding.bodies import MAX_EVENT
from millrace.core.decoding.strict_json import MAX_DEPTH
from millrace.core.records import Reason
from millrace.core.services.ingest import MAX_BODY, MAX_CONTENT, MAX_EVENTS
from millrace.entrypoints.http.parameters import MOST
from millrace.entrypoints.lambdas.settings import Settings
from millrace.entrypoints.server import connections, front, handover, requests, serving
from tests.docs.commands import every_command, require_known
from tests.docs.pages import DOCS, ROOT, pages

UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "levels": 1, "characters": 1}
LIMITS = {
    "body of a request": MAX_BODY,
    "body once decompressed": MAX_CONTENT,
    "events in a request": MAX_EVENTS,
    "one event": MAX_EVENT,
    "nesting of JSON": MAX_DEPTH,
    "digits of a number": 38,
    "`Idempotency-Key`": 255,
    "rows in a page": MOST,
    "requests at once": front.MOST_AT_ONCE,
    "bytes of bodies at once": front.MOST_BYTES_AT_ONCE,
    "receipts waiting to be processed": handover.MOST_RECEIPTS,
    "bytes waiting to be processed": handover.MOST_BYTES,
    "headers of a request": connections.MOST_HEAD_BYTES,
    "seconds for headers": connections.HEAD_SECONDS,
    "seconds without a byte of a body": requests.PIECE_SECONDS,
    "seconds for a body in all": requests.BODY_SECONDS,
    "seconds for answers once it is told to end": serving.GRACE_SECONDS,
    "characters of an API key, at least": 8,
}


def rows(page: str) -> list[list[str]]:
    """The cells of every table of a page, without heads."""
    lines = [line for line in (DOCS / page).read_text("utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    heads = {at - 1 for at, row in enumerate(cells) if row[0].startswith("---")}
    return [row for at, row in enumerate(cells) if at not in heads and at - 1 not in heads]


def test_the_limits_are_those_that_hold() -> None:
    found: dict[str, Any] = {}
    for name, value, *beyond in rows("reference/limits.md"):
        if beyond:
            number, _, unit = value.partition(" ")
            found[name] = int(number.replace(",", "")) * UNITS[unit]
    assert found == LIMITS


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    assert [row[0] for row in rows("reference/dead-letters.md")] == [f"`{reason}`" for reason in Reason]


def test_every_environment_variable_is_told() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    read = {name for name in re.findall(r"\bMILLRACE_[A-Z_]+\b", source) if not name.endswith("_")}
    read |= {f"MILLRACE_{field.name.upper()}" for field in Settings.__attrs_attrs__}
    assert {row[0].strip("`") for row in rows("reference/configuration.md")} == read


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_commands_in_sentences_have_the_options_they_are_shown_with(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    named = {*re.findall(r"`((?:millrace|make) [^`…A-Z]+)`", prose)} - {*every_command()}
    require_known(*(f"{line} VALUE" if line.split()[-1].startswith("--") else line for line in named))


def test_every_test_that_the_laws_name_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "explanation" / "laws.md").read_text("utf-8"))
    assert len(named) > 11
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), name
