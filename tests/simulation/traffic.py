"""What clients send: documents from small pools, so that identities meet again, in every form a request can have."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

import attrs

Document = dict[str, Any]

GOOD: Sequence[tuple[str, Mapping[str, Any]]] = [
    ("sale", {"order": "a", "amount": 1.5, "currency": "EUR"}),
    ("sale", {"currency": "EUR", "order": "a", "amount": 1.5}),
    ("sale", {"order": "b", "amount": 20, "currency": "EUR"}),
    ("sale", {"order": "c", "amount": 0.01, "currency": "USD"}),
    ("parcel", {"weight": 3}),
    ("parcel", {"weight": 4}),
    ("basket", {"items": ["pen"]}),
    ("basket", {"items": ["pen", "ink", "pen"]}),
    ("note", {"text": "new"}),
]
DATA = [
    *GOOD,
    ("sale", {"order": "c", "amount": -1, "currency": "USD"}),
    ("sale", {"order": "d", "amount": 5000, "currency": "USD"}),
    ("parcel", {"weight": "heavy"}),
    ("basket", {"items": []}),
    ("basket", {"items": ["pen", "raise"]}),
    ("note", {"text": ""}),
    ("note", {"body": "old"}),
    ("letter", {"text": "of no type that there is"}),
    ("millrace.probe", {"dropped": 1}),
]
IDS = [None, "1", "2", "3"]
TIMES = [
    None,
    None,
    "2026-11-23T02:00:00Z",
    "2026-11-23T03:59:59.999999+01:00",
    1795399260,
    1795400999999,
    "1999-12-31T23:59:59.5Z",
]
VERSIONS = [*[None] * 12, 1, 2]
SUBJECTS = [*[None] * 7, "x"]
SOURCES = [None, None, None, "shop"]
KEYS = [None, "k1", "k2", "k3"]
FORMS = ["object", "array", "ndjson", "structured", "batched", "binary"]
NO_EVENTS = ["{", "7", '{"some": "thing"}', '{"eventType": 5}', '{"specversion": "1.0"}']


@attrs.frozen
class Request:
    """One request, or one chunk of a file: ``content`` is what the raw log must hold."""

    content: bytes
    content_type: str
    gzipped: bool = False
    key: str | None = None
    headers: Mapping[str, str] = {}
    chunk: bool = False

    @property
    def body(self) -> bytes:
        return gzip.compress(self.content, mtime=0) if self.gzipped else self.content


def plain(
    kind: str,
    data: Mapping[str, Any],
    *,
    id: str | None,
    time: Any,
    version: int | None,
    subject: str | None,
    source: str | None,
    flat: bool,
) -> Document:
    """A plain event, its data nested or beside the envelope."""
    envelope = {
        "eventType": kind,
        "eventId": id,
        "eventTime": time,
        "schemaVersion": version,
        "subject": subject,
        "source": source,
    }
    return {**_present(envelope), **(data if flat else {"data": data})}


def cloud_event(event: Document) -> Document:
    """The same event as the CloudEvents format has it; not one of those if it lacks an id or has a numeric time."""
    envelope = {"eventType", "eventId", "eventTime", "schemaVersion", "subject", "source", "data"}
    version = event.get("schemaVersion")
    attributes = {
        "specversion": "1.0",
        "type": event["eventType"],
        "id": event.get("eventId"),
        "source": event.get("source", "cloud"),
        "time": event.get("eventTime"),
        "subject": event.get("subject"),
        "dataschema": None if version is None else f"https://example.org/schemas/{event['eventType']}/{version}",
    }
    data = event.get("data", {key: value for key, value in event.items() if key not in envelope})
    return {**_present(attributes), "data": data}


def request(
    events: Sequence[Document],
    *,
    form: str,
    gzipped: bool,
    key: str | None,
    junk: Iterable[str] = (),
    spaced: bool = False,
) -> Request:
    """The events in one request of the form (of forms for a single event, the first); ``junk`` stands beside them."""
    separators = (", ", ": ") if spaced else (",", ":")
    match form:
        case "object":
            texts, content_type = [_text(events[0], separators)], "application/json"
        case "structured":
            texts, content_type = [_text(cloud_event(events[0]), separators)], "application/cloudevents+json"
        case "binary":
            attributes = cloud_event(events[0])
            data = attributes.pop("data")
            headers = {f"ce-{name}": str(value) for name, value in attributes.items()}
            return Request(_text(data, separators).encode(), "application/json", gzipped, key, headers)
        case "batched":
            texts = [*(_text(cloud_event(event), separators) for event in events), *(j for j in junk if j != "{")]
            return Request(f"[{','.join(texts)}]".encode(), "application/cloudevents-batch+json", gzipped, key)
        case "array":
            texts = [*(j for j in junk if j != "{"), *(_text(event, separators) for event in events)]
            return Request(f"[{','.join(texts)}]".encode(), "application/json", gzipped, key)
        case _:
            texts = [*(_text(event, separators) for event in events), *junk]
            content_type = "application/x-ndjson"
            return Request(("\n".join(texts) + "\n").encode(), content_type, gzipped, key)
    return Request(texts[0].encode(), content_type, gzipped, key)


def drawn(random: Random) -> Request:
    """A request drawn from the pools."""
    pick = random.choice
    events = []
    for _ in range(random.randint(1, 5)):
        kind, data = pick(GOOD if random.random() < 0.7 else DATA)
        events.append(
            plain(
                kind,
                data,
                id=pick(IDS),
                time=pick(TIMES),
                version=pick(VERSIONS),
                subject=pick(SUBJECTS),
                source=pick(SOURCES),
                flat=pick([True, False]),
            )
        )
    junk = [pick(NO_EVENTS)] if random.random() < 0.2 else []
    form = pick(FORMS)
    made = request(
        events, form=form, gzipped=random.random() < 0.3, key=pick(KEYS), junk=junk, spaced=random.random() < 0.3
    )
    if form == "ndjson" and random.random() < 0.5:
        return attrs.evolve(made, gzipped=False, key=None, chunk=True)
    return made


def _present(values: Mapping[str, Any]) -> Document:
    return {key: value for key, value in values.items() if value is not None}


def _text(value: Mapping[str, Any], separators: tuple[str, str]) -> str:
    return json.dumps(value, separators=separators)
