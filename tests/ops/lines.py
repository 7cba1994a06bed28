"""Log lines as functions, Lambda and its runtime write them."""

import json
from typing import Any

from millrace.entrypoints.ops.logs import Line, line_of

REQUEST = "8f5c1d1e-6d2a-4f0b-9a55-0f2f3c7f1a01"
OTHER = "8f5c1d1e-6d2a-4f0b-9a55-0f2f3c7f1a02"
RECEIPT = "019ab2c0-5c1e-7d3a-8f00-0123456789ab"
AT = 1_795_579_200_000_000


def told(event: str, level: str = "info", **keys: Any) -> str:
    """A line as a function writes it."""
    head = {"function": "transformation", "function_request_id": REQUEST, "cold_start": False}
    return json.dumps({**head, **keys, "event": event, "level": level, "timestamp": "2026-11-25T04:00:00Z"})


PROCESSED = told("receipt.processed", receipt_id=RECEIPT, correlation_id=RECEIPT, curated=2)
DEFERRED = told("receipt.deferred", "warning", correlation_id=RECEIPT, error="TransientError", cause="throttled")
FAILED = told("receipt.failed", "error", correlation_id=RECEIPT, error="KeyError", cause="pipeline.py:12 read")
METRICS = json.dumps({"_aws": {"Timestamp": 1}, "service": "transformation", "Curated": 2})
RAISED = "[ERROR] FunctionError: KeyError at x.py:3 f\nTraceback (most recent call last):\n  File …"
TIMED_OUT = f"2026-11-25T04:00:00.000Z {OTHER} Task timed out after 28.03 seconds\n\n"
EXITED = f"RequestId: {OTHER} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n"
STARTED = f"START RequestId: {REQUEST} Version: 2\n"
REPORTED = (
    f"REPORT RequestId: {REQUEST}\tDuration: 12.30 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\t\n"
    "XRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 53995c3f42cd8ad8\tSampled: true\t\n"
)


def line(text: str, number: int = 0, function: str = "transformation-lambda") -> Line:
    event = {"timestamp": AT // 1000 + number, "eventId": f"e{number}", "message": text}
    return line_of(function, event)
