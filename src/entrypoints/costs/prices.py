"""What AWS charges: public list prices of one region, with their date. Look them up before you rely on them."""

from types import MappingProxyType
from typing import Final

REGION: Final = "us-east-1"
AS_OF: Final = "2025-07-01"
SOURCE: Final = "the pricing pages of the services, on demand, first tier, without the free tier, taxes and discounts"

MILLION: Final = 1_000_000

DOLLARS: Final = MappingProxyType(
    {
        # API Gateway, REST APIs: the first 333 million calls of a month.
        "api-call": 3.50 / MILLION,
        # Lambda on arm64: requests, and each GB-second of the first 7.5 billion.
        "invocation": 0.20 / MILLION,
        "gigabyte-second": 0.0000133334,
        # SQS, standard queues; each 64 KiB of a message count as a request.
        "sqs-request": 0.40 / MILLION,
        # S3 Standard: PUT, and a GB for a month.
        "s3-put": 5.00 / MILLION,
        "s3-gigabyte-month": 0.023,
        # DynamoDB on demand, since 2024-11-01: a write of 1 KB, a strongly consistent read of 4 KB.
        "dynamodb-write": 0.625 / MILLION,
        "dynamodb-read": 0.125 / MILLION,
        "dynamodb-gigabyte-month": 0.25,
        "point-in-time-gigabyte-month": 0.20,
        # CloudWatch: a GB of logs, a metric of one's own, a metric that an alarm watches, a composite alarm.
        "log-gigabyte": 0.50,
        "metric-month": 0.30,
        "alarm-metric-month": 0.10,
        "composite-alarm-month": 0.50,
        "dashboard-month": 3.00,
        # X-Ray: a recorded trace.
        "trace": 5.00 / MILLION,
    }
)
"""Dollars by what is charged for."""
