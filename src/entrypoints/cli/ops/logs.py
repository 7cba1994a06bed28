"""``millrace ops errors`` and ``logs``: what functions logged."""

import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ..exits import OK, warn
from ..options import as_json, as_ndjson
from ..output import cell, print_objects, printable
from .looking import names, quotable, since, until
from .options import on_a_stack
from .output import show

if TYPE_CHECKING:
    from ...ops.logs import Line
    from ...ops.stack import Stack


@click.command
@click.argument("functions", nargs=-1, metavar="[FUNCTION]...")
@until
@since("1h")
@as_json
@on_a_stack
def errors(*, functions: tuple[str, ...], since: int, until: int | None, form: str | None, stack: "Stack") -> int:
    """Show the errors of functions, the same ones together.

    FUNCTION is ingestion, validation, transformation, analytics or query; all where none is named. Each kind of error
    is a row: how often, since when, and the latest invocation and receipt it happened to. Exits with 1 where there are
    any.

    \b
    Examples:
      millrace ops errors transformation --store aws:millrace
      millrace ops errors --since 1d --store aws:millrace
    """
    from ....core.times import format_time
    from ...ops.failures import grouped
    from ...ops.logs import errors as errors_of

    wanted = names(stack, functions)
    end = stack.clock.now() + 1 if until is None else until
    return show([grouped(errors_of(stack, wanted, since, end), f"Errors since {format_time(since)}")], form)


@click.command
@click.argument("functions", nargs=-1, metavar="[FUNCTION]...")
@click.option("--follow", "-f", "following", is_flag=True, help="Show what comes, until interrupted.")
@click.option("--errors", "only_errors", is_flag=True, help="Only what tells of an error.")
@click.option("--platform", is_flag=True, help="Also what Lambda tells of its own doing: START, END, REPORT.")
@click.option("--request-id", callback=quotable, metavar="ID", help="Only one invocation, or request of the API.")
@click.option("--correlation-id", callback=quotable, metavar="ID", help="Only one correlation id.")
@click.option("--receipt", callback=quotable, metavar="ID", help="Only one receipt.")
@until
@since("1h")
@as_ndjson
@as_json
@on_a_stack
def logs(
    *,
    functions: tuple[str, ...],
    following: bool,
    only_errors: bool,
    platform: bool,
    request_id: str | None,
    correlation_id: str | None,
    receipt: str | None,
    since: int,
    until: int | None,
    form: str | None,
    stack: "Stack",
) -> int:
    """Show what functions logged, in the order of time.

    FUNCTION is ingestion, validation, transformation, analytics or query; all where none is named, so that
    --correlation-id shows the whole way of a request.

    \b
    Examples:
      millrace ops logs transformation --errors --since 2h --store aws:millrace
      millrace ops logs --receipt 019ab2c0-5c1e-7d3a-8f00-0123456789ab --store aws:millrace
      millrace ops logs query --follow --store aws:millrace
    """
    from ....core.times import format_time
    from ...ops.logs import chosen, follow

    if following and (until is not None or form == "json"):
        raise click.UsageError("--follow has no end: it goes neither with --until nor with --json; take --ndjson.")
    ids = [each for each in (request_id, correlation_id, receipt) if each is not None]
    wanted = names(stack, functions)

    def fetch(start: int, end: int) -> "Iterable[Line]":
        return chosen(
            stack, wanted, start, end, ids=ids, only_errors=only_errors, platform=platform or bool(request_id)
        )

    if following:
        return _until_interrupted(follow(stack, fetch, since, sleep=time.sleep, note=warn), form)
    end = stack.clock.now() + 1 if until is None else until
    if not _print(fetch(since, end), form):
        warn(f"There are no such lines from {format_time(since)} on")
    return OK


def _until_interrupted(lines: "Iterable[Line]", form: str | None) -> int:
    with suppress(KeyboardInterrupt):  # how following ends
        _print(lines, form, flush=True)
    return OK


def _print(lines: "Iterable[Line]", form: str | None, *, flush: bool = False) -> int:
    count = 0

    def counted() -> "Iterable[Line]":
        nonlocal count
        for line in lines:
            count += 1
            yield line

    if form and not flush:
        print_objects((line.row() for line in counted()), form)
        return count
    for line in counted():
        if form:
            _print_object(line)
        else:
            _print_text(line)
    return count


def _print_object(line: "Line") -> None:
    print_objects([line.row()], "ndjson")
    sys.stdout.flush()  # whoever follows wants to see it now


def _print_text(line: "Line") -> None:
    row = line.row()
    head = [row.pop(name, "") for name in ("at", "function", "level", "event")]
    text = row.pop("text", None)
    facts = [f"{name}={cell(value)}" for name, value in row.items()] if text is None else text.splitlines()
    click.echo(printable("  ".join([part for part in head if part] + [" ".join(facts)])))
