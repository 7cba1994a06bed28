"""``Exchange``: requests of every form that a catalog allows, with what the API answers to each.

The requests are made from the catalog, and the answers by asking the API itself, over stores in memory.
"""

import gzip
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import attrs
import msgspec

from ...adapters.memory import memory_stores
from ...core.catalog import Catalog
from ...core.catalog.declarations import EventType
from ...core.catalog.examples import data_examples
from ...core.catalog.jsonschema import schema_urn
from ...core.decoding.events import PLAIN_KEYS
from ...core.services.ingest import MAX_EVENTS
from ...core.times import format_time
from ..platform import Platform
from .application import Application
from .documents import document_of
from .messages import JSON, Request, Response
from .pages import LINES

NOW: Final = 1_795_399_200_000_000
"""2026-11-23T02:00:00Z in microseconds: when the examples are sent."""
TIME: Final = format_time(NOW - 60_000_000)
SOURCE: Final = "/shop/checkout"

encode = msgspec.json.Encoder(decimal_format="number").encode
"""JSON with Decimals as numbers."""


@attrs.frozen(kw_only=True)
class Exchange:
    """A request and its answer. ``path`` is that of the route, ``segment`` what its braces stand for; ``shown`` is the
    body as a description shows it: a JSON value, or the text of one that is no JSON. ``response`` is None where
    only the sender of a signed request knows what it gets.
    """

    name: str
    summary: str
    method: str = "POST"
    path: str = "/ingest"
    segment: str | None = None
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    shown: Any = None
    response: Response | None = None

    @cached_property
    def request(self) -> Request:
        """The request as it is sent."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path if self.segment is None else f"{self.path.partition('{')[0]}{quote(self.segment, safe='')}"
        body = b"" if self.method == "GET" else self.shown.encode() if self.is_text else encode(self.shown)
        if headers.get("content-encoding") == "gzip" and not self.name.startswith("damaged"):
            body = gzip.compress(body, mtime=0)
        query = {name: [value] for name, value in self.query.items()}
        return Request(method=self.method, path=path, query=query, headers=headers, body=body, caller=SOURCE)

    @property
    def content_type(self) -> str:
        """The media type of the body."""
        return self.headers.get("Content-Type", JSON)

    @property
    def is_text(self) -> bool:
        """Whether the body is shown as text."""
        return not self.content_type.endswith("json") or self.content_type == LINES


def exchanges(catalog: Catalog) -> list[Exchange]:
    """Requests of every form, each with the answer of a platform that has seen those before it, and errors last."""
    platform = Platform.assemble(catalog, memory_stores(), _Clock(), _Ids())
    application = Application(platform)
    found = []
    for exchange in [*_posted(catalog), *_documents(catalog), *_asked(catalog), *_wrong(catalog)]:
        source = catalog.sources.get(exchange.segment or "")
        if exchange.method == "GET":
            list(platform.work.drain())
        if exchange.path == "/ingest/{source}" and source is not None and source.signature is not None:
            found.append(exchange)
        else:
            found.append(attrs.evolve(exchange, response=application.respond(exchange.request)))
    return found


def _posted(catalog: Catalog) -> Iterator[Exchange]:
    """Each form of events, accepted and validated."""
    one, other = _two(catalog)
    first, second = _plain(one, "e-1"), _plain(other, "e-2")
    cloud = _cloud(catalog, one, "e-3")
    lines = _lines(_plain(one, "e-4"), _plain(other, "e-5"))
    partly = _lines(first, {"message": "neither eventType nor specversion"})
    clash = _data(one).keys() & {*PLAIN_KEYS, "data"}
    short = {"eventType": one.name, **({"data": _data(one)} if clash else _data(one))}
    binary = {f"ce-{name}": value for name, value in _cloud(catalog, other, "e-6").items() if isinstance(value, str)}
    del binary["ce-datacontenttype"]
    batch = [_cloud(catalog, one, "e-7"), _cloud(catalog, other, "e-8")]
    forms: list[tuple[str, str, Any, Mapping[str, str]]] = [
        ("event", "One event", first, {}),
        (
            "short",
            "The least: a type and its data; a request sent again counts once",
            short,
            {"Idempotency-Key": "o-1"},
        ),
        ("array", "An array of events", [first, second], {}),
        ("gzip", "One event, compressed on its way", first, {"Content-Encoding": "gzip"}),
        ("empty", "An array without events", [], {}),
        ("binary", "CloudEvents binary mode: attributes in headers, the data as body", _data(other), binary),
        ("lines", "NDJSON: one event a line", lines, {"Content-Type": LINES}),
        ("partlyRejected", "A line is no event: the others are accepted", partly, {"Content-Type": LINES}),
        ("structured", "CloudEvents structured mode", cloud, {"Content-Type": "application/cloudevents+json"}),
        ("batched", "CloudEvents batched mode", batch, {"Content-Type": "application/cloudevents-batch+json"}),
    ]
    for path in ("/ingest", "/validate"):
        for name, summary, shown, headers in forms:
            yield Exchange(name=name, summary=summary, path=path, shown=shown, headers=headers)
    wrong = _lines({**first, "data": {"unlike": "what is declared"}}, {**first, "eventType": "unheard-of"})
    yield Exchange(
        name="wrong",
        summary="Events, and what is wrong with them",
        path="/validate",
        shown=wrong,
        headers={"Content-Type": LINES},
    )


def _documents(catalog: Catalog) -> Iterator[Exchange]:
    """A document of each foreign source."""
    for source in catalog.sources.values():
        named = source.types.values() or [source.type]
        declared = next((catalog.declared[name] for name in named if name in catalog.declared), _two(catalog)[0])
        document, headers = document_of(source, declared.name, _data(declared), TIME)
        signed = "" if source.signature is None else f", signed in the header {source.signature.header}"
        yield Exchange(
            name=source.name,
            summary=f"A document of {source.name}{signed}",
            path="/ingest/{source}",
            segment=source.name,
            shown=document,
            headers=headers,
        )


def _asked(catalog: Catalog) -> Iterator[Exchange]:
    """Queries of what was posted."""
    one, _ = _two(catalog)
    get: dict[str, Any] = {"method": "GET", "path": "/events/{type}", "segment": one.name}
    yield Exchange(name="events", summary="A page of events", **get)
    day = {"since": "2026-11-23", "until": "2026-11-24T00:00:00Z", "limit": "1"}
    yield Exchange(name="day", summary="The first event of a day", query=day, **get)
    for name in catalog.views:
        yield Exchange(name=name, summary=f"Rows of {name}", method="GET", path="/views/{view}", segment=name)
    yield Exchange(name="catalog", summary="The catalog", method="GET", path="/catalog")
    for declared in catalog.declared.values():
        for version in range(declared.oldest, declared.version + 1):
            yield Exchange(
                name=f"{declared.name}.{version}",
                summary=f"Version {version} of {declared.name}",
                method="GET",
                path="/catalog/{type}",
                segment=declared.name,
                query={"version": str(version)},
            )
    yield Exchange(name="health", summary="All is well", method="GET", path="/health")


def _wrong(catalog: Catalog) -> Iterator[Exchange]:
    """One request for each problem that a client can bring about."""
    one, _ = _two(catalog)
    key = {"Idempotency-Key": "not one word"}
    damaged = {"Content-Encoding": "gzip", "Content-Type": LINES}
    get: dict[str, Any] = {"method": "GET", "path": "/events/{type}", "segment": one.name}
    yield Exchange(name="malformed", summary="The body is no JSON", shown="{", headers={"Content-Type": LINES})
    yield Exchange(name="damaged-gzip", summary="The body is no gzip", shown="{}", headers=damaged)
    yield Exchange(name="idempotency-key", summary="A key that is none", shown=[], headers=key)
    yield Exchange(name="parameter", summary="A limit that is none", query={"limit": "all"}, **get)
    yield Exchange(name="cursor", summary="A cursor that was made up", query={"cursor": "page-2"}, **get)
    yield Exchange(name="not-found", summary="No such type", **{**get, "segment": "unheard-of"})
    yield Exchange(name="method", summary="Another method", method="PUT", shown=[])
    yield Exchange(name="too-large", summary="Too many events", shown=[0] * (MAX_EVENTS + 1))
    yield Exchange(name="content-type", summary="No JSON", shown="<a/>", headers={"Content-Type": "application/xml"})
    yield Exchange(name="encoding", summary="Not gzip", shown=[], headers={"Content-Encoding": "br"})
    yield Exchange(name="no-event", summary="JSON that says no event", shown={"message": "hello"})


def _lines(*events: dict[str, Any]) -> str:
    return "".join(f"{encode(event).decode()}\n" for event in events)


def _two(catalog: Catalog) -> tuple[EventType, EventType]:
    """Two types, those with examples first; where there is but one, it is both."""
    types = sorted(catalog.declared.values(), key=lambda declared: not data_examples(declared))
    return types[0], types[min(1, len(types) - 1)]


def _data(declared: EventType) -> dict[str, Any]:
    return next(iter(data_examples(declared)), {})


def _plain(declared: EventType, event_id: str) -> dict[str, Any]:
    envelope = {"eventType": declared.name, "eventId": event_id, "eventTime": TIME, "source": SOURCE}
    return {**envelope, "schemaVersion": declared.version, "data": _data(declared)}


def _cloud(catalog: Catalog, declared: EventType, event_id: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": SOURCE,
        "type": declared.name,
        "time": TIME,
        "dataschema": schema_urn(catalog.name, declared),
        "datacontenttype": JSON,
        "data": _data(declared),
    }


class _Clock:
    def now(self) -> int:
        return NOW


@attrs.define
class _Ids:
    count: int = 0

    def new(self, received_at: int) -> str:
        self.count += 1
        return str(UUID(int=received_at // 1000 << 80 | 0x7 << 76 | 0b10 << 62 | self.count))
