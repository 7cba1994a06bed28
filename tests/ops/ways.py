"""A request of the API on its way: its segments in X-Ray, and the log lines of the functions that had to do with it."""

import json
from typing import Any

from millrace.adapters.system import SystemClock

from .measuring import log
from .standing import Stand
from .tracing import put_segments

INGESTED, TRANSFORMED, OTHER = (f"8f5c1d1e-6d2a-4f0b-9a55-0f2f3c7f1a0{n}" for n in (1, 2, 3))
API_REQUEST = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def seconds_ago(seconds: float) -> float:
    return SystemClock().now() / 1_000_000 - seconds


def trace_id(at: float, number: int) -> str:
    return f"1-{int(at):08x}-{number:024x}"


def receipt(at: float, number: int = 1) -> str:
    text = f"{int(at * 1000):012x}7000" + f"8{number:015x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def told(event: str, request: str, level: str = "info", **keys: Any) -> str:
    return json.dumps({"function": "x", "function_request_id": request, **keys, "event": event, "level": level})


def reported(request: str, trace: str) -> str:
    return f"REPORT RequestId: {request}\tDuration: 12.30 ms\t\nXRAY TraceId: {trace}\tSegmentId: 5\tSampled: true\t\n"


class Way:
    """A request of the API that was traced, and its receipt, which was processed in a batch with another one."""

    def __init__(self, cloud: Stand, *, traced: bool = True, fault: bool = False, ago: float = 120) -> None:
        self.at = at = seconds_ago(ago)
        self.receipt, self.other = receipt(at), receipt(at, 2)
        self.ingest, self.transform = trace_id(at, 1), trace_id(at, 2)
        ids = {"correlation_id": self.receipt, "receipt_id": self.receipt}
        log(
            cloud,
            "ingestion",
            f"START RequestId: {INGESTED} Version: 2\n",
            told("request.accepted", INGESTED, api_request_id=API_REQUEST, **ids),
            reported(INGESTED, self.ingest) if traced else f"END RequestId: {INGESTED}\n",
            seconds_ago=ago,
        )
        log(
            cloud,
            "transformation",
            told("receipt.processed", TRANSFORMED, correlation_id=self.other, receipt_id=self.other),
            told("receipt.failed", TRANSFORMED, "error", correlation_id=self.receipt, error="KeyError")
            if fault
            else told("receipt.processed", TRANSFORMED, **ids),
            reported(TRANSFORMED, self.transform) if traced else f"END RequestId: {TRANSFORMED}\n",
            told("receipt.processed", OTHER, correlation_id=self.other, receipt_id=self.other),
            seconds_ago=ago - 1,
        )
        if traced:
            put_segments(cloud, *self.segments(fault=fault))

    def segments(self, *, fault: bool) -> list[dict[str, Any]]:
        """As API Gateway, Lambda and the functions send them."""
        at = self.at
        gateway = {
            "id": "a" * 16,
            "trace_id": self.ingest,
            "name": "ServerlessDataAPI/prod",
            "start_time": at,
            "end_time": at + 0.1,
            "origin": "AWS::ApiGateway::Stage",
            "http": {"request": {"method": "POST", "url": "https://x/prod/ingest"}, "response": {"status": 202}},
            "aws": {"api_gateway": {"request_id": API_REQUEST, "stage": "prod"}},
            "subsegments": [
                {"id": "b" * 16, "name": "Lambda", "start_time": at + 0.01, "end_time": at + 0.09, "namespace": "aws"}
            ],
        }
        service = {
            "id": "c" * 16,
            "trace_id": self.ingest,
            "parent_id": "b" * 16,
            "name": "ingestion-lambda",
            "start_time": at + 0.02,
            "end_time": at + 0.08,
            "origin": "AWS::Lambda",
            "aws": {"request_id": INGESTED},
        }
        function = {
            "id": "d" * 16,
            "trace_id": self.ingest,
            "parent_id": "c" * 16,
            "name": "ingestion-lambda",
            "start_time": at + 0.03,
            "end_time": at + 0.07,
            "origin": "AWS::Lambda::Function",
            "subsegments": [
                {
                    "id": "e" * 16,
                    "name": "## ingestion",
                    "start_time": at + 0.03,
                    "end_time": at + 0.07,
                    "annotations": {"correlation_id": self.receipt},
                    "subsegments": [
                        {
                            "id": "f" * 16,
                            "name": "S3",
                            "start_time": at + 0.04,
                            "end_time": at + 0.06,
                            "namespace": "aws",
                            "aws": {"operation": "PutObject", "request_id": "S3S3"},
                        }
                    ],
                }
            ],
        }
        transformation = {
            "id": "1" * 16,
            "trace_id": self.transform,
            "name": "transformation-lambda",
            "start_time": at + 1,
            "end_time": at + 1.2,
            "origin": "AWS::Lambda",
            "aws": {"request_id": TRANSFORMED},
            "fault": fault,
            "annotations": {"correlation_id": self.receipt},
        }
        return [service, gateway, function, transformation]
