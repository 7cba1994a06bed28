"""Events as AWS sends them to functions: API Gateway, SQS, DynamoDB Streams, S3, EventBridge, Step Functions."""

import base64
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from millrace.adapters.aws.items import encoded
from millrace.adapters.aws.messages import encode_receipt
from millrace.core.records import Curated, RawObject

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:processing-queue"
STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/CuratedEvents/stream/2026-11-23T02:00:00.000"
SHARD = "shardId-00000001795399200000-0a1b2c3d"
API_REQUEST = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


@attrs.frozen
class Context:
    """What of a Lambda context the functions look at."""

    aws_request_id: str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    function_name: str = "a-function"


def api_event(
    method: str = "POST",
    path: str = "/ingest",
    body: bytes | str | None = b"{}",
    *,
    headers: dict[str, str] | None = None,
    query: dict[str, Sequence[str]] | None = None,
    identity: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A REST proxy event (payload 1.0); bytes come as base64, as binary media types make them."""
    sent = {"Content-Type": "application/json", "Host": "abc123.execute-api.eu-west-1.amazonaws.com"} | (headers or {})
    asked = {name: [*texts] for name, texts in (query or {}).items()}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [text] for name, text in sent.items()},
        "queryStringParameters": {name: texts[-1] for name, texts in asked.items()} or None,
        "multiValueQueryStringParameters": asked or None,
        "pathParameters": {"proxy": path.strip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourceId": "123456",
            "apiId": "abc123",
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "requestId": API_REQUEST,
            "extendedRequestId": "c6af9ac6-7b61-11e6-9a41=",
            "accountId": "123456789012",
            "stage": "prod",
            "protocol": "HTTP/1.1",
            "path": f"/prod{path}",
            "requestTimeEpoch": 1795399200000,
            "identity": {"sourceIp": "192.0.2.1", "userArn": None, "apiKeyId": None, "apiKey": "s3cr3t-key"}
            | (identity or {}),
        },
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


def sqs_record(receipt: str, raw: RawObject | None = None, *, attempt: int = 1, body: str | None = None) -> Any:
    """One message as the event source mapping hands it over."""
    attribute = {"DataType": "String", "StringValue": receipt}
    return {
        "messageId": f"m-{receipt}",
        "receiptHandle": f"handle-{receipt}",
        "body": encode_receipt(receipt, raw, {"correlationId": attribute}) if body is None else body,
        "attributes": {
            "ApproximateReceiveCount": str(attempt),
            "SentTimestamp": "1795399200000",
            "SenderId": "AROAEXAMPLE:ingestion-lambda",
            "ApproximateFirstReceiveTimestamp": "1795399200005",
        },
        "messageAttributes": {
            "correlationId": {
                "stringValue": receipt,
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
        },
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "awsRegion": "eu-west-1",
    }


def sqs_event(*records: Any) -> dict[str, Any]:
    return {"Records": [*records]}


def stream_record(record: Curated, position: int, name: str = "INSERT") -> dict[str, Any]:
    """The change that a curated event's item makes in the stream."""
    (_, number), item = encoded(record, 1)
    keys = {"eventType": {"S": record.type}, "eventTime": {"N": number}}
    image = {"NewImage": msgspec.json.decode(item)} if name != "REMOVE" else {}
    return {
        "eventID": f"id-{position}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795399201,
            "Keys": keys,
            **image,
            "SequenceNumber": f"{position:021}",
            "SizeBytes": 300,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": STREAM,
    }


def stream_event(*records: dict[str, Any], shard: str | None = SHARD) -> dict[str, Any]:
    """A batch of a mapping with a tumbling window; without records it is the window's last invocation."""
    return {
        "Records": [*records],
        "window": {"start": "2026-11-23T02:00:00Z", "end": "2026-11-23T02:15:00Z"},
        "state": {},
        **({} if shard is None else {"shardId": shard}),
        "eventSourceARN": STREAM,
        "isFinalInvokeForWindow": not records,
        "isWindowTerminatedEarly": False,
    }


def scheduled_event() -> dict[str, Any]:
    """What an EventBridge rule with a schedule and no input of its own sends."""
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-11-23T03:00:00Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:events:eu-west-1:123456789012:rule/reconcile"],
        "detail": {},
    }


def s3_event() -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "eu-west-1",
                "eventTime": "2026-11-23T02:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "secret-bucket"}, "object": {"key": "secret-key", "size": 1024}},
            }
        ]
    }


def sns_event() -> dict[str, Any]:
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": {"Message": "secret"}}]}


def http_api_event() -> dict[str, Any]:
    """What an HTTP API (payload 2.0) sends, which is no REST event."""
    return {
        "version": "2.0",
        "routeKey": "POST /ingest",
        "rawPath": "/ingest",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/ingest"}, "requestId": "x"},
        "body": '{"secret": 1}',
        "isBase64Encoded": False,
    }
