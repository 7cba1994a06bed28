"""X-Ray on moto with what moto leaves out: filter expressions, summaries in full, and a service graph.

As the API reference and "Use filter expressions" (X-Ray developer guide) have it, for the two forms that are used:
``service("name")`` and ``annotation.key = "value"``, joined by OR.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.xray.models import SegmentCollection, xray_backends
from moto.xray.responses import XRayResponse

from tests.aws.opened import REGION

from .completing import ACCOUNT
from .standing import Stand

_TERM = re.compile(r'service\("(?P<service>[^"]+)"\)|annotation\.(?P<key>\w+) = "(?P<value>[^"]+)"')


@contextmanager
def filtering() -> Iterator[list[str]]:
    """Summaries by filter expressions, for as long as the block lasts; the expressions that were asked for."""
    asked: list[str] = []

    def summary(collection: SegmentCollection, start_time: Any, end_time: Any, expression: str) -> dict[str, Any]:
        asked.append(expression)
        found = []
        for identity, trace in collection._traces.items():
            segments = [json.loads(each.raw) for each in trace["segments"]]
            if start_time <= trace["start_date"] < end_time and _fits(expression, segments):
                found.append(_summary(identity, segments))
        return {"TraceSummaries": found, "TracesProcessedCount": len(found)}

    with patch.object(SegmentCollection, "summary", summary):
        yield asked


@contextmanager
def mapped(services: Sequence[Mapping[str, Any]]) -> Iterator[list[tuple[float, float]]]:
    """This service graph for every span, for as long as the block lasts; the spans that were asked for."""
    asked: list[tuple[float, float]] = []

    def answer(response: XRayResponse) -> str:
        asked.append((response._get_param("StartTime"), response._get_param("EndTime")))
        return json.dumps({"Services": [*services]})

    with patch.object(XRayResponse, "service_graph", answer):
        yield asked


def put_segments(cloud: Stand, *segments: Mapping[str, Any]) -> None:
    """Segments that were sent to X-Ray."""
    documents = [json.dumps(segment) for segment in segments]
    answer = cloud.client("xray").put_trace_segments(TraceSegmentDocuments=documents)
    assert answer["UnprocessedTraceSegments"] == []


def forget_traces() -> None:
    """Nothing was ever traced."""
    xray_backends[ACCOUNT][REGION]._segment_collection = SegmentCollection()


def _fits(expression: str, segments: Sequence[Mapping[str, Any]]) -> bool:
    terms = expression.split(" OR ")
    found = [_TERM.fullmatch(term) for term in terms]
    assert all(found), f"not understood: {expression}"
    names = {segment["name"] for segment in segments}
    marks = set(_marks(segments))
    return any(each and (each["service"] in names or (each["key"], each["value"]) in marks) for each in found)


def _marks(parts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for part in parts:
        yield from part.get("annotations", {}).items()
        yield from _marks(part.get("subsegments", ()))


def _summary(identity: str, segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    start, end = min(each["start_time"] for each in segments), max(each["end_time"] for each in segments)
    annotations: dict[str, list[Any]] = {}
    for key, value in _marks(segments):
        annotations.setdefault(key, []).append({"AnnotationValue": {"StringValue": value}, "ServiceIds": []})
    http = segments[0].get("http", {})
    return {
        "Id": identity,
        "StartTime": start,
        "Duration": end - start,
        "ResponseTime": end - start,
        "HasFault": any(each.get("fault") for each in segments),
        "HasError": any(each.get("error") for each in segments),
        "HasThrottle": any(each.get("throttle") for each in segments),
        "Http": {
            "HttpURL": http.get("request", {}).get("url"),
            "HttpMethod": http.get("request", {}).get("method"),
            "HttpStatus": http.get("response", {}).get("status"),
        }
        if http
        else {},
        "Annotations": annotations,
        "ServiceIds": [{"Name": each["name"], "Type": each.get("origin")} for each in segments],
    }
