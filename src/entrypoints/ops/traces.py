"""Traces of X-Ray: the recent ones of a stack, and the parts of single ones in the order of time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import attrs
import msgspec

from ...core.times import EPOCH, format_time, to_micros
from .findings import Report
from .ids import made_at
from .stack import Stack

LONGEST: Final = 6 * 3600 * 1_000_000
"""Microseconds that one call for summaries or the service graph may span: X-Ray refuses more than six hours."""

AT_ONCE: Final = 5
"""Traces that one BatchGetTraces takes (API reference)."""

RECENT = ("at", "trace", "milliseconds", "state", "status", "request", "correlation_id", "services")
PARTS = ("trace", "offset_ms", "ms", "part", "kind", "state", "status", "request_id")


@attrs.frozen
class Summary:
    """A trace in short. ``seconds`` are the response time; of a trace without a response, its duration."""

    id: str
    at: int
    seconds: float
    state: str
    method: str = ""
    url: str = ""
    status: int | None = None
    correlation: str = ""
    services: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """As a row."""
        return {
            "at": format_time(self.at),
            "trace": self.id,
            "milliseconds": round(self.seconds * 1000),
            "state": self.state,
            "status": self.status,
            "request": f"{self.method} {self.url}".strip(),
            "correlation_id": self.correlation,
            "services": ", ".join(self.services),
        }


@attrs.frozen
class Part:
    """A segment or subsegment. ``start`` and ``end`` are seconds since the epoch; ``end`` is None while it runs."""

    depth: int
    name: str
    kind: str
    start: float
    end: float | None
    state: str
    status: int | None = None
    request: str = ""
    correlation: str = ""


@attrs.frozen
class Trace:
    """A trace and its parts, each after what it is part of, beside it those that began first."""

    id: str
    parts: Sequence[Part]

    @property
    def since(self) -> int:
        """When its first part began, in microseconds."""
        return int(min(part.start for part in self.parts) * 1_000_000)

    @property
    def until(self) -> int:
        """When its last part that has ended did."""
        return int(max(part.end or part.start for part in self.parts) * 1_000_000)

    @property
    def ids(self) -> set[str]:
        """What its log lines can be known by: ids of invocations, correlation ids."""
        return {each for part in self.parts for each in (part.request, part.correlation) if each}

    @property
    def failed(self) -> bool:
        """Whether a part has a fault or an error."""
        return any(part.state in ("fault", "error", "throttled") for part in self.parts)

    def rows(self) -> list[dict[str, Any]]:
        """Its parts as rows."""
        start = min(part.start for part in self.parts)
        return [
            {
                "trace": self.id,
                "at": format_time(int(part.start * 1_000_000)),
                "offset_ms": round((part.start - start) * 1000),
                "ms": None if part.end is None else round((part.end - part.start) * 1000),
                "part": f"{'  ' * part.depth}{part.name}",
                "kind": part.kind,
                "state": part.state,
                "status": part.status,
                "request_id": part.request,
            }
            for part in self.parts
        ]


def summaries(stack: Stack, since: int, until: int, condition: str) -> Iterator[Summary]:
    """Traces that fulfil a filter expression of X-Ray, from one instant to before another."""
    for start, end in pieces(since, until):
        for found in stack.account.pages(
            "xray",
            "get_trace_summaries",
            "TraceSummaries",
            StartTime=EPOCH + timedelta(microseconds=start),
            EndTime=EPOCH + timedelta(microseconds=end),
            FilterExpression=condition,
        ):
            yield _summary(found)


def pieces(since: int, until: int) -> Iterator[tuple[int, int]]:
    """The span in pieces that X-Ray takes."""
    while since < until:
        end = min(since + LONGEST, until)
        yield since, end
        since = end


def of_the_stack(stack: Stack) -> str:
    """The filter expression for traces that pass a function of the stack."""
    return " OR ".join(f'service("{function}")' for function in stack.functions)


def of_correlations(ids: Iterable[str]) -> str:
    """The filter expression for traces with one of these correlation ids."""
    return " OR ".join(f'annotation.correlation_id = "{each}"' for each in ids)


def fetch(stack: Stack, ids: Sequence[str]) -> list[Trace]:
    """The traces that X-Ray has of these, the first to begin first."""
    found = []
    for start in range(0, len(ids), AT_ONCE):
        asked = list(ids[start : start + AT_ONCE])
        for answer in stack.account.pages("xray", "batch_get_traces", "Traces", TraceIds=asked):
            documents = [msgspec.json.decode(segment["Document"]) for segment in answer["Segments"]]
            if documents:
                found.append(Trace(answer["Id"], [*parts_of(documents)]))
    return sorted(found, key=lambda trace: trace.since)


def parts_of(segments: Sequence[Mapping[str, Any]]) -> Iterator[Part]:
    """The parts of the segments of one trace. A segment is part of what its ``parent_id`` names, if that is there."""
    children: dict[str | None, list[Mapping[str, Any]]] = {}
    there: set[str] = set()

    def note(document: Mapping[str, Any], parent: str | None) -> None:
        there.add(document["id"])
        children.setdefault(parent, []).append(document)
        for inner in document.get("subsegments", ()):
            note(inner, document["id"])

    for segment in segments:
        note(segment, segment.get("parent_id"))
    roots = [each for parent, found in children.items() if parent not in there for each in found]

    def walk(documents: Sequence[Mapping[str, Any]], depth: int) -> Iterator[Part]:
        for document in sorted(documents, key=lambda each: (each["start_time"], each["id"])):
            yield _part(document, depth)
            yield from walk(children.get(document["id"], ()), depth + 1)

    yield from walk(roots, 0)


def recent(found: Iterable[Summary], limit: int) -> Report:
    """The traces that are worth a look: with faults and errors, the latest first; then the slowest."""
    every = list(found)
    worst = sorted(every, key=lambda each: (each.state == "ok", -each.at if each.state != "ok" else -each.seconds))
    failed = sum(each.state != "ok" for each in every)
    wrong = [f"{failed} of {len(every)} traces have a fault or an error"] if failed else []
    return Report(title="Traces", columns=RECENT, rows=[each.row() for each in worst[:limit]], wrong=wrong)


def _summary(found: Mapping[str, Any]) -> Summary:
    http = found.get("Http") or {}
    began = found.get("StartTime")
    marks = [
        str(each["AnnotationValue"].get("StringValue", ""))
        for each in (found.get("Annotations") or {}).get("correlation_id", ())
    ]
    services = [str(each["Name"]) for each in found.get("ServiceIds") or () if each.get("Name")]
    return Summary(
        id=found["Id"],
        at=to_micros(began) if began is not None else made_at(found["Id"]) or 0,
        seconds=float(found.get("ResponseTime") or found.get("Duration") or 0),
        state=_state(
            found.get("HasFault"),
            found.get("HasError"),
            found.get("HasThrottle"),
        ),
        method=http.get("HttpMethod") or "",
        url=http.get("HttpURL") or "",
        status=http.get("HttpStatus"),
        correlation=", ".join(dict.fromkeys(marks)),
        services=tuple(dict.fromkeys(services)),
    )


def _part(document: Mapping[str, Any], depth: int) -> Part:
    aws = document.get("aws") or {}
    operation = f" {aws['operation']}" if aws.get("operation") else ""
    return Part(
        depth=depth,
        name=f"{document['name']}{operation}",
        kind=document.get("origin") or document.get("namespace") or "",
        start=document["start_time"],
        end=document.get("end_time"),
        state=_state(document.get("fault"), document.get("error"), document.get("throttle")),
        status=(document.get("http") or {}).get("response", {}).get("status"),
        request=_request(document, aws),
        correlation=str((document.get("annotations") or {}).get("correlation_id", "")),
    )


def _request(document: Mapping[str, Any], aws: Mapping[str, Any]) -> str:
    """The id of the request that the part answers; of the calls it makes, the ids are those of other services."""
    if "api_gateway" in aws:
        return str(aws["api_gateway"].get("request_id", ""))
    return str(aws.get("request_id", "")) if str(document.get("origin", "")).startswith("AWS::Lambda") else ""


def _state(fault: object, error: object, throttled: object) -> str:
    return "fault" if fault else "throttled" if throttled else "error" if error else "ok"
