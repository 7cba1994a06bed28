"""The official SDKs of CloudEvents as clients, in every mode of HTTP: what is curated is what was sent."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import conversion as older
from cloudevents.v1.http import CloudEvent as OlderEvent

from .javascript import javascript
from .servers import Server

TEXTS = ["plain", "é€ 日本 😀", "100 % of it", 'a "quoted" \\ backslash', "%C3%A9", "/a/b?c=d&e=f#g", "tab\tand\nline"]
HEADER = ["plain", "/a/b?c=d&e=f#g", "é in Latin-1"]
"""What may stand in a header as it is: the SDK for JavaScript encodes nothing."""


def sent(texts: Sequence[str], *, in_headers: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """CloudEvents whose texts are in their attributes and data; none is like another, in this test or the next."""
    return [
        {
            "specversion": "1.0",
            "type": "order",
            "id": f"{uuid4()}",
            "source": "/till/7",
            "time": f"2026-11-23T09:{number:02}:00.123Z",
            "subject": texts[number % len(texts)] if in_headers is None else in_headers[number % len(in_headers)],
            "dataschema": "urn:millrace:shop:order:2",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "data": {
                "order": f"o-{number}",
                "lines": [{"sku": "a", "price": 0.1, "count": 3}, {"sku": "é", "price": "12.50"}],
                "note": text,
            },
        }
        for number, text in enumerate(texts)
    ]


def assert_curated(server: Server, events: Sequence[dict[str, Any]]) -> None:
    rows = server.curated("order", *(event["id"] for event in events))
    for event, row in zip(events, rows, strict=True):
        assert row["eventType"] == event["type"]
        assert (row["source"], row["subject"]) == (event["source"], event["subject"])
        assert datetime.fromisoformat(row["eventTime"]) == datetime.fromisoformat(event["time"])
        assert (row["order"], row["note"]) == (event["data"]["order"], event["data"]["note"])
        assert [(line["sku"], Decimal(line["price"]), line["count"]) for line in row["lines"]] == [
            ("a", Decimal("0.1"), 3),
            ("é", Decimal("12.5"), 1),
        ]
        assert row["total"] == "12.8"
        assert (row["schemaVersion"], row["channel"]) == (2, "web")


# --------------------------------------------------------------------------------------------------- the SDK for Python


def _event(event: dict[str, Any]) -> CloudEvent:
    attributes = {name: value for name, value in event.items() if name != "data"}
    attributes["time"] = datetime.fromisoformat(event["time"]).astimezone(UTC)
    return CloudEvent({**attributes, "datacontenttype": "application/json"}, event["data"])


def _each(encode: Callable[[dict[str, Any]], HTTPMessage]) -> Callable[[list[dict[str, Any]]], list[HTTPMessage]]:
    return lambda events: [encode(event) for event in events]


def _batched(events: list[dict[str, Any]]) -> list[HTTPMessage]:
    body = b"[" + b",".join(JSONFormat().write(_event(event)) for event in events) + b"]"
    return [HTTPMessage({"content-type": "application/cloudevents-batch+json"}, body)]


def _older(encode: Any) -> Callable[[dict[str, Any]], HTTPMessage]:
    def message(event: dict[str, Any]) -> HTTPMessage:
        attributes = {name: value for name, value in event.items() if name != "data"}
        return HTTPMessage(*encode(OlderEvent(attributes, event["data"])))

    return message


PYTHON = {
    "binary": _each(lambda event: to_binary_event(_event(event))),
    "structured": _each(lambda event: to_structured_event(_event(event))),
    "batched": _batched,
    "structured, by the older interface": _each(_older(older.to_structured)),
}


@pytest.mark.parametrize("mode", PYTHON)
def test_what_the_sdk_for_python_sends_is_curated_as_it_was(server: Server, mode: str) -> None:
    events = sent(TEXTS)
    for message in PYTHON[mode](events):
        answer = httpx.post(f"{server.url}/ingest", headers=message.headers, content=message.body)
        assert (answer.status_code, answer.json()["rejected"]) == (202, [])
    assert_curated(server, events)


def test_what_the_older_interface_sends_in_binary_mode_is_curated_as_it_was(server: Server) -> None:
    events = sent(TEXTS, in_headers=["plain", "/a/b?c=d&e=f#g"])  # it encodes nothing
    for message in _each(_older(older.to_binary))(events):
        assert httpx.post(f"{server.url}/ingest", headers=message.headers, content=message.body).status_code == 202
    assert_curated(server, events)


def test_what_the_sdk_sends_twice_counts_once(server: Server) -> None:
    [event] = sent(["twice"])
    for message in (to_binary_event(_event(event)), to_structured_event(_event(event))):
        assert httpx.post(f"{server.url}/ingest", headers=message.headers, content=message.body).status_code == 202
    assert_curated(server, [event])
    rows = httpx.get(f"{server.url}/events/order", params={"limit": 1000}).json()
    assert [row["eventId"] for row in rows].count(event["id"]) == 1


# ----------------------------------------------------------------------------------------------- the SDK for JavaScript


@pytest.mark.parametrize(
    ("mode", "transport"),
    [
        ("binary", "emitter"),
        ("binary", "fetch"),
        ("structured", "emitter"),
        ("structured", "fetch"),
        ("batched", "fetch"),
    ],
)
def test_what_the_sdk_for_javascript_sends_is_curated_as_it_was(
    server: Server, mode: str, transport: str, tmp_path: Path
) -> None:
    events = sent(TEXTS, in_headers=HEADER if mode == "binary" else None)
    with javascript(tmp_path) as node:
        program = shutil.copy(Path(__file__).with_name("client.mjs"), tmp_path)
        done = subprocess.run(
            [node, program, transport, mode, f"{server.url}/ingest"],
            input=json.dumps(events), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert_curated(server, events)
