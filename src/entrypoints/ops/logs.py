"""Lines that functions logged: fetched from CloudWatch Logs, read, followed, and told apart by ids."""

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from ...core.errors import TransientError
from ...core.times import format_time
from .stack import Stack

UNKNOWN: Final = "unknown"
OVERLAP: Final = 60_000_000
"""How long a line may take until it can be found, in microseconds: following looks that far back each time."""

PAUSE: Final = 2.0
"""Seconds between two looks when following."""

LONGEST_PATTERN: Final = 1024
"""Characters that a filter pattern may have (API reference, FilterLogEvents)."""

# JSON and text cannot be in one pattern ("Filter pattern syntax", CloudWatch Logs user guide).
ERRORS: Final = (
    '{ ($.level = "error") || ($.level = "critical") }',
    '?"[ERROR]" ?"[CRITICAL]" ?"Task timed out" ?"Runtime exited"',
)
"""Patterns of lines that tell of an error: those of the functions, and those of Lambda's runtime."""

_RUNTIME_FAILED = re.compile(r"\[(?:ERROR|CRITICAL)\]|Task timed out|Runtime exited")
_REQUEST = re.compile(r"RequestId: ([0-9a-f-]{36})|^\S+ ([0-9a-f-]{36}) (?:Task timed out|Error)")
_TRACE = re.compile(r"XRAY TraceId: (\S+)")
_PLATFORM = re.compile(r"(START|END|REPORT|INIT_START|INIT_REPORT|EXTENSION|TELEMETRY|XRAY)\b")


@attrs.frozen
class Line:
    """One line. ``fields`` are those of a line that a function wrote; ``text`` is as it was logged."""

    function: str
    at: int
    id: str
    text: str
    fields: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def is_metrics(self) -> bool:
        """Whether it is for CloudWatch to count rather than to be read."""
        return "_aws" in self.fields

    @property
    def is_platform(self) -> bool:
        """Whether Lambda tells of its own doing: START, END, REPORT."""
        return not self.fields and _PLATFORM.match(self.text) is not None

    @property
    def is_error(self) -> bool:
        """Whether it tells of an error."""
        if self.fields:
            return self.fields.get("level") in ("error", "critical")
        return _RUNTIME_FAILED.search(self.text) is not None

    @property
    def level(self) -> str:
        """As it was logged; Lambda's lines have none but for errors."""
        return str(self.fields.get("level", "error" if self.is_error else ""))

    @property
    def request(self) -> str | None:
        """The id of the invocation."""
        if self.fields:
            return _id(self.fields.get("function_request_id"))
        found = _REQUEST.search(self.text)
        return (found[1] or found[2]) if found else None

    @property
    def correlation(self) -> str | None:
        """The correlation id, which for what came in is the receipt's."""
        return _id(self.fields.get("correlation_id")) or _id(self.fields.get("receipt_id"))

    @property
    def trace(self) -> str | None:
        """The id of the trace, which only Lambda's report of an invocation has."""
        found = None if self.fields else _TRACE.search(self.text)
        return found[1] if found else None

    def mentions(self, ids: Iterable[str]) -> bool:
        """Whether one of the ids is in it."""
        return any(each in self.text for each in ids)

    def row(self) -> dict[str, Any]:
        """As a row: a function's own line by its keys, any other as its text."""
        head: dict[str, Any] = {"at": format_time(self.at), "function": self.function, "level": self.level}
        if not self.fields:
            return {**head, "text": self.text.rstrip()}
        more = {name: value for name, value in self.fields.items() if name not in _SAID}
        return {**head, "event": self.fields.get("event", ""), **more}


_SAID: Final = frozenset({"timestamp", "level", "function", "event"})


def lines(
    stack: Stack, functions: Sequence[str], since: int, until: int, patterns: Sequence[str] = ("",)
) -> Iterator[Line]:
    """Lines of the functions from one instant to before another, in order; those for metrics are left out.

    ``functions`` are names; each line comes once, whichever of the patterns it fits.
    """
    streams = [_lines(stack, function, since, until, pattern) for function in functions for pattern in patterns]
    last, seen = 0, set[str]()
    for line in heapq.merge(*streams, key=lambda line: line.at):
        if line.at != last:
            last, seen = line.at, set()
        if line.id not in seen and not line.is_metrics:
            seen.add(line.id)
            yield line


def errors(stack: Stack, functions: Sequence[str], since: int, until: int) -> Iterator[Line]:
    """Lines that tell of errors."""
    return (line for line in lines(stack, functions, since, until, ERRORS) if line.is_error)


def mentioning(stack: Stack, functions: Sequence[str], ids: Sequence[str], since: int, until: int) -> Iterator[Line]:
    """Lines that have one of the ids in them."""
    return (line for line in lines(stack, functions, since, until, patterns_of(ids)) if line.mentions(ids))


def chosen(
    stack: Stack,
    functions: Sequence[str],
    since: int,
    until: int,
    *,
    ids: Sequence[str] = (),
    only_errors: bool = False,
    platform: bool = False,
) -> Iterator[Line]:
    """Lines that have all of the ids in them; only those of errors; without or with what Lambda tells itself."""
    # CloudWatch narrows by one of the two; what is left to tell apart is told apart here.
    patterns = patterns_of(ids[:1]) if ids else ERRORS if only_errors else ("",)
    for line in lines(stack, functions, since, until, patterns):
        wanted = (platform or not line.is_platform) and (line.is_error or not only_errors)
        if wanted and all(line.mentions([each]) for each in ids):
            yield line


def patterns_of(ids: Sequence[str]) -> list[str]:
    """Filter patterns for lines that have any of the ids in them. Ids have no quotes in them."""
    patterns: list[str] = []
    for each in ids:
        term = f'?"{each}"'
        if patterns and len(patterns[-1]) + len(term) < LONGEST_PATTERN:
            patterns[-1] += f" {term}"
        else:
            patterns.append(term)
    # An optional term that stands alone is one that has to be there.
    return [pattern.removeprefix("?") if pattern.count("?") == 1 else pattern for pattern in patterns]


def follow(
    stack: Stack,
    fetch: Callable[[int, int], Iterable[Line]],
    since: int,
    *,
    sleep: Callable[[float], None],
    note: Callable[[str], None],
) -> Iterator[Line]:
    """Lines as they come, each once, for ever. ``fetch`` has those of a span; what fails for the moment is noted."""
    seen: dict[str, int] = {}
    start = since
    while True:
        now = stack.clock.now()
        try:
            for line in fetch(start, now):
                if line.id not in seen:
                    seen[line.id] = line.at
                    yield line
        except TransientError as error:
            note(str(error))
        else:
            start = max(since, now - OVERLAP)
            seen = {each: at for each, at in seen.items() if at >= start}
        sleep(PAUSE)


def _lines(stack: Stack, function: str, since: int, until: int, pattern: str) -> Iterator[Line]:
    asked: dict[str, Any] = {
        "logGroupName": stack.log_group(function),
        "startTime": since // 1000,
        "endTime": (until - 1) // 1000,
    }
    if pattern:
        asked["filterPattern"] = pattern
    for event in stack.account.pages("logs", "filter_log_events", "events", **asked):
        yield line_of(function, event)


def line_of(function: str, event: Mapping[str, Any]) -> Line:
    """A line of an answer of CloudWatch Logs."""
    text = str(event["message"])
    return Line(function, int(event["timestamp"]) * 1000, str(event["eventId"]), text, _fields(text))


def _fields(text: str) -> dict[str, Any]:
    if not text.startswith("{"):
        return {}
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:  # a text that begins with a brace
        return {}
    return found if isinstance(found, dict) else {}


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and value not in ("", UNKNOWN) else None
