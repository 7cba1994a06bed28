"""Errors of functions, the same ones together: how often, since when, and where to look for one of them."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import attrs

from ...core.times import format_time
from .findings import Report
from .logs import Line

COLUMNS = ("count", "function", "error", "message", "first", "last", "request_id", "correlation_id")

_PYTHON = re.compile(r"\[(?:ERROR|CRITICAL)\]\s+(?P<error>[\w.]+)(?:: (?P<message>[^\n\r]*))?")
_TIMED_OUT = re.compile(r"Task timed out after [0-9.]+ seconds")
_EXITED = re.compile(r"Runtime exited[^\n\r]*")
# What differs between two errors of the same kind: ids, instants, sizes. A line of the source stays: it is the place.
_VARYING: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\b[0-9a-f]{16,}\b"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?"
    r"|(?<!\.py:)(?<![\w.])[0-9]+(?:\.[0-9]+)?"
)


@attrs.frozen
class Failure:
    """What a line tells of an error. ``form`` says who tells: the function, or Lambda's runtime after it."""

    error: str
    message: str
    form: str

    @property
    def kind(self) -> tuple[str, str]:
        """What it has in common with others."""
        return self.error, _VARYING.sub("…", self.message)


@attrs.define
class _Group:
    """Errors of one kind. An error that leaves a function is told twice: by the function, and by the runtime."""

    function: str
    first: int
    last: int
    failure: Failure
    told: Counter[str] = attrs.field(factory=Counter)
    request: str | None = None
    correlation: str | None = None

    def add(self, line: Line, failure: Failure) -> None:
        self.told[failure.form] += 1
        self.last, self.failure = line.at, failure
        self.request = line.request or self.request
        self.correlation = line.correlation or self.correlation

    @property
    def count(self) -> int:
        return max(self.told.values())


def failure_of(line: Line) -> Failure:
    """What went wrong, as a line that tells of an error has it."""
    if line.fields:
        error = str(line.fields.get("error", line.fields.get("event", "")))
        return Failure(error, str(line.fields.get("cause", line.fields.get("event", ""))), "function")
    if found := _PYTHON.search(line.text):
        return Failure(found["error"], (found["message"] or "").strip(), "runtime")
    if found := _TIMED_OUT.search(line.text):
        return Failure("Timeout", found[0], "runtime")
    if found := _EXITED.search(line.text):
        return Failure("Exit", found[0], "runtime")
    return Failure("", line.text.strip().splitlines()[0], "runtime")


def grouped(lines: Iterable[Line], title: str) -> Report:
    """Errors of the same kind as one row, the most frequent first; any is wrong."""
    groups: dict[tuple[str, tuple[str, str]], _Group] = {}
    for line in lines:
        failure = failure_of(line)
        group = groups.setdefault((line.function, failure.kind), _Group(line.function, line.at, line.at, failure))
        group.add(line, failure)
    found = sorted(groups.values(), key=lambda group: -group.count)
    return Report(title=title, columns=COLUMNS, rows=[_row(group) for group in found], wrong=_wrong(found))


def _wrong(found: list[_Group]) -> list[str]:
    counts: Counter[str] = Counter()
    for group in found:
        counts[group.function] += group.count
    return [f"{function} told of {count} error{'s' * (count > 1)}" for function, count in sorted(counts.items())]


def _row(group: _Group) -> dict[str, Any]:
    return {
        "count": group.count,
        "function": group.function,
        "error": group.failure.error,
        "message": group.failure.message,
        "first": format_time(group.first),
        "last": format_time(group.last),
        "request_id": group.request or "",
        "correlation_id": group.correlation or "",
    }
