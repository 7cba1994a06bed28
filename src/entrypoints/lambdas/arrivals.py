"""What came: the events of AWS told apart, so that a wrong one is named and never taken for an empty one."""

import re
from collections.abc import Mapping
from typing import Any, Final

from ...core.errors import PermanentError

API: Final = "an API Gateway REST event"
SQS: Final = "an SQS event"
STREAM: Final = "a DynamoDB stream event"
SCHEDULE: Final = "a scheduled event"
STEP: Final = "a job step"

_SOURCES: Final = {
    "aws:dynamodb": STREAM,
    "aws:kinesis": "a Kinesis event",
    "aws:s3": "an S3 event",
    "aws:sns": "an SNS event",
    "aws:sqs": SQS,
}
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")


class UnexpectedEvent(PermanentError):
    """A function was invoked with what it does not take, or with a part of it only. Tells nothing of its contents."""


def kind_of(event: object) -> str:
    """What an event is, in words."""
    if not isinstance(event, Mapping):
        return f"a {type(event).__name__}"
    if "Records" in event:
        return _kind_of_records(event)
    if isinstance(event.get("step"), str):
        return STEP
    if "rawPath" in event or event.get("version") == "2.0":
        return "an API Gateway HTTP event (payload 2.0) or a function URL's"
    if "httpMethod" in event:
        context = event.get("requestContext")
        return "a load balancer's event" if isinstance(context, Mapping) and "elb" in context else API
    if "awslogs" in event:
        return "a CloudWatch Logs event"
    if "detail-type" in event:
        scheduled = event.get("source") in ("aws.events", "aws.scheduler")
        return SCHEDULE if scheduled and event["detail-type"] == "Scheduled Event" else "an EventBridge event"
    keys = ", ".join(key for key in [*event][:8] if isinstance(key, str) and _KEY.fullmatch(key))
    return f"an unknown event (keys: {keys or 'none that are names'})"


def require(event: object, function: str, *expected: str) -> str:
    """What an event is, of those expected. Raises ``UnexpectedEvent`` for any other."""
    kind = kind_of(event)
    if kind not in expected:
        raise UnexpectedEvent(f"{function} takes {' or '.join(expected)}; {kind} came.")
    return kind


def part(event: Mapping[str, Any], kind: str, name: str, type_: type | tuple[type, ...]) -> Any:
    """A member that every event of a kind has. Raises ``UnexpectedEvent`` where it is missing or something else."""
    if name not in event:
        raise UnexpectedEvent(f"{kind[0].upper()}{kind[1:]} came without {name}: it is not whole.")
    if not isinstance(event[name], type_):
        raise UnexpectedEvent(f"{kind[0].upper()}{kind[1:]} came whose {name} is a {type(event[name]).__name__}.")
    return event[name]


def _kind_of_records(event: Mapping[str, Any]) -> str:
    records = event["Records"]
    if not isinstance(records, list):
        return "an event whose Records is no list"
    if not records:
        # The last invocation of a stream's window brings none.
        stream = ":dynamodb:" in str(event.get("eventSourceARN"))
        return STREAM if stream else "an empty list of records"
    kinds = {_SOURCES.get(_source(record), "a list of unknown records") for record in records}
    return " mixed with ".join(sorted(kinds))


def _source(record: object) -> str:
    if not isinstance(record, Mapping):
        return ""
    return str(record.get("eventSource") or record.get("EventSource"))
