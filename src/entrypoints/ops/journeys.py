"""``journey``: all that is known of one id - a trace, an invocation, a request, a receipt - in traces and log lines."""

from collections.abc import Sequence
from typing import Final

import attrs

from ...core.times import format_time
from .findings import Report
from .ids import is_quotable, is_receipt, is_trace, made_at
from .logs import Line, mentioning
from .stack import Stack
from .traces import PARTS, Trace, fetch, of_correlations, summaries

MINUTE: Final = 60_000_000
DAY: Final = 86_400_000_000
IDS_A_FILTER: Final = 20
"""Of the 2000 characters that a filter expression may have, each takes some seventy."""

LINES = ("at", "function", "level", "what", "request_id")


@attrs.frozen
class Journey:
    """What was found of an id within a span, in microseconds."""

    id: str
    since: int
    until: int
    traces: Sequence[Trace]
    lines: Sequence[Line]


def span_of(id: str, since: int, until: int) -> tuple[int, int]:
    """Where to look for an id: for a day from when it was made, where it tells that; else from ``since`` on."""
    made = made_at(id)
    return (since, until) if made is None else (made - MINUTE, min(made + DAY, until))


def journey(stack: Stack, id: str, since: int, until: int) -> Journey:
    """The traces and log lines that belong to an id, found from one to the other.

    A trace names its invocations and what they were about; log lines name that too, and Lambda's report of an
    invocation names its trace.
    """
    since, until = span_of(id, since, until)
    traces = fetch(stack, [id]) if is_trace(id) else []
    if traces:
        since, until = min(each.since for each in traces) - MINUTE, max(each.until for each in traces) + MINUTE
    start = sorted({each for trace in traces for each in trace.ids}) or [id]
    about, lines = _lines(stack, start, since, until)
    known = {trace.id for trace in traces}
    further = dict.fromkeys(line.trace for line in lines if line.trace)
    marked = [each for each in sorted(about) if is_quotable(each)]
    for place in range(0, 0 if traces else len(marked), IDS_A_FILTER):
        condition = of_correlations(marked[place : place + IDS_A_FILTER])
        further |= dict.fromkeys(each.id for each in summaries(stack, since, until, condition))
    traces += fetch(stack, [each for each in further if each and each not in known])
    return Journey(id, since, until, sorted(traces, key=lambda trace: trace.since), lines)


def reports(found: Journey) -> list[Report]:
    """The parts of the traces, and the log lines; wrong is a fault, an error, and that there is nothing."""
    parts = Report(
        title="Traces",
        columns=PARTS,
        rows=[row for trace in found.traces for row in trace.rows()],
        wrong=[f"The trace {trace.id} has a fault or an error" for trace in found.traces if trace.failed],
    )
    failed = [line for line in found.lines if line.is_error]
    wrong = [f"{len(failed)} of its log lines tell{'s' * (len(failed) == 1)} of an error"] if failed else []
    if not found.traces and not found.lines:
        span = f"between {format_time(found.since)} and {format_time(found.until)}"
        wrong = [f"Nothing is known of {found.id} {span}; --since looks further back"]
    rows = [_row(line) for line in found.lines]
    return [parts, Report(title="Log lines", columns=LINES, rows=rows, wrong=wrong)]


def _lines(stack: Stack, start: Sequence[str], since: int, until: int) -> tuple[set[str], list[Line]]:
    """What an invocation or a request was about, and the lines of all who had to do with that.

    Who processed one receipt processed others in the same batch: their lines are not part of the journey.
    """
    first = [*mentioning(stack, stack.functions, start, since, until)]
    about = {line.correlation for line in first if line.correlation} | {each for each in start if is_receipt(each)}
    second = first + ([*mentioning(stack, stack.functions, sorted(about), since, until)] if about else [])
    requests = sorted({line.request for line in second if line.request})
    third = second + ([*mentioning(stack, stack.functions, requests, since, until)] if requests else [])
    ours = {
        (line.function, line.id): line
        for line in third
        if line.mentions(start) or line.mentions(about) or line.correlation is None
    }
    return about, sorted(ours.values(), key=lambda line: line.at)


def _row(line: Line) -> dict[str, object]:
    row = line.row()
    head = {name: row.pop(name) for name in ("at", "function", "level")}
    request = row.pop("function_request_id", line.request or "")
    event = row.pop("event", None)
    facts = " ".join(f"{name}={value}" for name, value in row.items() if name not in ("text", "cold_start"))
    return {**head, "what": str(row.get("text") or f"{event} {facts}".strip()), "request_id": request}
