"""GET /openapi.json: the OpenAPI 3.1 description of the API, with the types, views and sources of the catalog."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from ...core.decoding.bodies import MAX_EVENT
from ...core.services.ingest import MAX_BODY, MAX_CONTENT, MAX_EVENTS
from ..rows import ENVELOPE
from .messages import JSON, PROBLEM, Request, Response, json_response
from .pages import LINES
from .parameters import LIMIT, MOST
from .schemas import SCHEMAS, ref
from .site import Site

Description: TypeAlias = dict[str, Any]

_FORMS: Final = (
    "One event, an array of events, or NDJSON; plain events (`eventType`), CloudEvents 1.0 structured, batched or, "
    f"with `ce-` headers, binary. At most {MAX_BODY} bytes, {MAX_CONTENT} once decompressed, {MAX_EVENTS} events of "
    f"{MAX_EVENT} bytes each."
)
_ERRORS: Final = {
    "400": "The body is no JSON, or a header or parameter is not understood",
    "404": "There is no such thing in the catalog",
    "413": "The body, its content, the number of events or the only event is too large",
    "415": "The type or encoding of the body is not supported",
    "422": "The body is JSON, but nothing in it is an event; nothing was stored",
    "429": "Too many requests",
    "503": "A part of the platform does not answer; send the same again after Retry-After seconds",
}


def openapi(site: Site, _: Request, __: Sequence[str]) -> Response:
    """200 with the description."""
    return json_response(describe(site))


def describe(site: Site) -> Description:
    """The OpenAPI document of the API over a catalog."""
    from ... import __version__

    catalog = site.catalog
    types, views, sources = (sorted(names) for names in (catalog.declared, catalog.views, catalog.sources))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Millrace", "version": __version__, "description": f"Events of the catalog {catalog.name}."},
        "paths": {
            "/ingest": {"post": _ingest("ingest", "Accept events")},
            "/ingest/{source}": {
                "parameters": [_segment("source", sources, "A foreign source of the catalog")],
                "post": _ingest("ingestForeign", "Accept documents that a source of the catalog maps to events"),
            },
            "/validate": {"post": _validate()},
            "/events/{type}": {
                "parameters": [_segment("type", types, "An event type")],
                "get": _query("events", "Curated events of a type in time order", "CuratedEvent", []),
            },
            "/views/{view}": {
                "parameters": [_segment("view", views, "A view")],
                "get": _query("view", "Rows of a view by window and group", "ViewRow", [_BY]),
            },
            "/catalog": {"get": _get("catalog", "What the catalog declares", JSON, {"type": "object"}, [])},
            "/catalog/{type}": {
                "parameters": [_segment("type", types, "An event type")],
                "get": _get(
                    "schema",
                    "The JSON Schema (2020-12) of the data of a type",
                    "application/schema+json",
                    {"type": "object"},
                    ["404"],
                ),
            },
            "/health": {
                "get": {
                    **_operation("health", "Whether what requests are answered from can be reached", []),
                    "responses": {
                        "200": _content("Every dependency answers", JSON, ref("Health")),
                        "503": _content("Some dependency does not answer", JSON, ref("Health")),
                    },
                }
            },
            "/openapi.json": {"get": _get("openapi", "This description", JSON, {"type": "object"}, [])},
        },
        "components": {
            "schemas": {**SCHEMAS, "CuratedEvent": _curated()},
            "responses": {
                status: {
                    **_content(meaning, PROBLEM, ref("Problem")),
                    **(
                        {"headers": {"Retry-After": {"schema": {"type": "integer"}}}}
                        if status in ("429", "503")
                        else {}
                    ),
                }
                for status, meaning in _ERRORS.items()
            },
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
    }


_BY: Final[Description] = {
    "name": "by",
    "in": "query",
    "description": "Fields to merge the groups to, separated by commas; none: one row a window",
    "schema": {"type": "string"},
}
_PAGE: Final[list[Description]] = [
    {
        "name": name,
        "in": "query",
        "description": f"{words}: RFC 3339, a date, or a time ago (90s, 15m, 2h, 7d)",
        "schema": {"type": "string"},
    }
    for name, words in (("since", "From this instant on"), ("until", "Up to before this instant"))
] + [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}},
    {
        "name": "cursor",
        "in": "query",
        "description": "Where the page before ended: follow the link rel=next rather than make one up",
        "schema": {"type": "string"},
    },
]
_HEADERS: Final[list[Description]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes the ids of events that have none: a request sent again with its key counts once",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    {"name": "Content-Encoding", "in": "header", "schema": {"enum": ["identity", "gzip"]}},
]


def _operation(name: str, summary: str, errors: Sequence[str]) -> Description:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {status: {"$ref": f"#/components/responses/{status}"} for status in errors},
    }


def _with_body(name: str, summary: str, errors: Sequence[str]) -> Description:
    event = {"oneOf": [ref("PlainEvent"), ref("CloudEvent")]}
    forms: Description = {
        JSON: {"schema": {"oneOf": [event, {"type": "array", "items": event, "maxItems": MAX_EVENTS}]}},
        LINES: {"schema": {"type": "string", "description": "One event a line"}},
        "application/cloudevents+json": {"schema": ref("CloudEvent")},
        "application/cloudevents-batch+json": {"schema": {"type": "array", "items": ref("CloudEvent")}},
    }
    return {
        **_operation(name, summary, errors),
        "parameters": _HEADERS,
        "requestBody": {"required": True, "description": _FORMS, "content": forms},
    }


def _ingest(name: str, summary: str) -> Description:
    operation = _with_body(name, summary, ["400", "413", "415", "422", "429", "503"])
    operation["responses"] |= {
        "202": {
            **_content("The bytes are durable and queued", JSON, ref("Accepted")),
            "headers": {"X-Correlation-Id": {"description": "The receipt", "schema": {"type": "string"}}},
        }
    }
    if name == "ingestForeign":
        operation["requestBody"] = {
            "required": True,
            "description": "Documents as the source sends them.",
            "content": {JSON: {"schema": {}}, LINES: {"schema": {"type": "string"}}},
        }
        operation["responses"]["404"] = {"$ref": "#/components/responses/404"}
    return operation


def _validate() -> Description:
    operation = _with_body("validate", "Tell what would become of events; store nothing", ["400", "413", "415", "429"])
    verdicts = {"type": "array", "items": ref("Verdict")}
    operation["responses"] |= {"200": _content("A verdict for each event", JSON, verdicts)}
    return operation


def _get(name: str, summary: str, kind: str, schema: Description, errors: Sequence[str]) -> Description:
    operation = _operation(name, summary, [*errors, "429"])
    operation["responses"] |= {"200": _content(summary, kind, schema)}
    return operation


def _query(name: str, summary: str, row: str, more: list[Description]) -> Description:
    operation = _get(name, summary, JSON, {"type": "array", "items": ref(row)}, ["400", "404", "503"])
    operation["parameters"] = [*_PAGE, *more]
    found = operation["responses"]["200"]
    found["content"][LINES] = {"schema": {"type": "string", "description": "One row a line"}}
    link = 'The next page, rel="next" (RFC 8288), relative to the request; none after the last row'
    found["headers"] = {"Link": {"description": link, "schema": {"type": "string"}}}
    return operation


def _content(description: str, kind: str, schema: Description) -> Description:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _segment(name: str, values: Sequence[str], description: str) -> Description:
    schema: Description = {"type": "string"}
    if values:
        schema["examples"] = list(values)
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def _curated() -> Description:
    kinds: dict[str, Description] = {name: {"type": "string"} for name in ENVELOPE}
    kinds["schemaVersion"] = {"type": "integer"}
    kinds["eventTime"] = kinds["curatedAt"] = {"type": "string", "format": "date-time"}
    return {
        "type": "object",
        "description": "The envelope beside the curated fields; Decimals are strings.",
        "properties": kinds,
        "required": [name for name in ENVELOPE if name != "subject"],
        "additionalProperties": True,
    }
