"""Sends purchases to Millrace with the CloudEvents SDK and httpx, in each mode of HTTP.

MILLRACE_URL says where it is, MILLRACE_API_KEY with which key.
"""

# --8<-- [start:client]
import os
from datetime import UTC, datetime
from typing import Any

import httpx
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

URL = os.environ.get("MILLRACE_URL", "http://127.0.0.1:8080")
KEY = os.environ.get("MILLRACE_API_KEY", "")


def purchase(number: int, amount: str) -> CloudEvent:
    """A purchase. What is sent again with the same source, id, type and time counts once."""
    attributes = {
        "type": "purchase",
        "source": "/checkout",
        "id": f"python-{number}",
        "time": datetime(2026, 11, 23, 10, number, tzinfo=UTC),
        "datacontenttype": "application/json",
        "dataschema": "urn:millrace:retail:purchase:2",
    }
    data = {"order_id": f"o-{number}", "customer_id": "c-1", "amount": amount, "currency": "EUR"}
    return CloudEvent(attributes, data)


def send(message: HTTPMessage) -> dict[str, Any]:
    """The answer, whose receipt stands for what is durable now; an error is raised."""
    headers = {**message.headers, "X-Api-Key": KEY}
    return httpx.post(f"{URL}/ingest", headers=headers, content=message.body).raise_for_status().json()


# --8<-- [end:client]


# --8<-- [start:binary]
print(send(to_binary_event(purchase(1, "49.90"))))
# --8<-- [end:binary]

# --8<-- [start:structured]
print(send(to_structured_event(purchase(2, "12.50"))))
# --8<-- [end:structured]

# --8<-- [start:batched]
events = [purchase(3, "7.00"), purchase(4, "20.00")]
body = b"[" + b",".join(JSONFormat().write(event) for event in events) + b"]"
print(send(HTTPMessage({"Content-Type": "application/cloudevents-batch+json"}, body)))
# --8<-- [end:batched]
