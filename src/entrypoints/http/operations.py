"""The operations of the API as OpenAPI describes them: parameters, bodies and answers, without examples.

Each call makes new objects, so that examples can be put into them.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from ...core.decoding.bodies import MAX_EVENT
from ...core.services.ingest import MAX_BODY, MAX_CONTENT, MAX_EVENTS
from .catalog import SCHEMA
from .messages import JSON, PROBLEM
from .pages import LINES
from .parameters import LIMIT, MOST
from .schemas import ref

Description: TypeAlias = dict[str, Any]

_FORMS: Final = (
    "One event, an array of events, or NDJSON; plain events (`eventType`), CloudEvents 1.0 structured, batched or, "
    f"with `ce-` headers, binary. At most {MAX_BODY} bytes, {MAX_CONTENT} once decompressed, {MAX_EVENTS} events of "
    f"{MAX_EVENT} bytes each. An event whose type or data is not as described is accepted, and becomes a dead letter."
)
_ALWAYS: Final = ("401", "403", "405", "408", "429", "431", "500", "503")
"""What any path may answer."""
_ATTRIBUTES: Final = ("specversion", "id", "source", "type", "time", "subject", "dataschema")


def ingest() -> Description:
    """POST /ingest."""
    return _accepting(_with_events("ingest", "Accept events", ["400", "413", "415", "422"]))


def ingest_foreign(headers: Sequence[str], signatures: Sequence[str]) -> Description:
    """POST /ingest/{source}; ``headers`` are those that sources read, ``signatures`` those that hold signatures."""
    errors = ["400", "404", "413", "415", "422"]
    operation = _operation("ingestForeign", "Accept documents that a source of the catalog maps to events", errors)
    return _accepting(
        {
            **operation,
            "parameters": [
                *_of_body(),
                *(_header(name, "Read by a source") for name in headers),
                *(_header(name, "The signature of the body, where the source is signed") for name in signatures),
            ],
            "requestBody": {
                "required": True,
                "description": "Documents as the source sends them.",
                "content": {JSON: {"schema": {}}, LINES: {"schema": {"type": "string"}}},
            },
        }
    )


def validate() -> Description:
    """POST /validate."""
    operation = _with_events("validate", "Tell what would become of events; store nothing", ["400", "413", "415"])
    verdicts = {"type": "array", "items": ref("Verdict")}
    operation["responses"] |= {"200": content("A verdict for each event", JSON, verdicts)}
    return operation


def events() -> Description:
    """GET /events/{type}."""
    operation = _rows("events", "Curated events of a type in time order", "CuratedEvent")
    chosen = "Only events with this value in a field, FIELD=VALUE; may be given several times"
    conditions = {"type": "array", "items": {"type": "string", "pattern": "^[^=]+="}}
    operation["parameters"].append(_query("where", chosen, conditions))
    return operation


def view() -> Description:
    """GET /views/{view}."""
    operation = _rows("view", "Rows of a view by window and group", "ViewRow")
    operation["parameters"].append(
        _query("by", "Fields to merge the groups to, separated by commas; none: one row a window", {"type": "string"})
    )
    return operation


def catalog() -> Description:
    """GET /catalog."""
    return _get("catalog", "What the catalog declares", JSON, {"type": "object"}, [])


def schema() -> Description:
    """GET /catalog/{type}."""
    operation = _get(
        "schema", "The JSON Schema (2020-12) of the data of a type in a version", SCHEMA, {"type": "object"},
        ["400", "404"],
    )  # fmt: skip
    wanted = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
    operation["parameters"] = [_query("version", "The version; without it, the current one", wanted)]
    return operation


def health() -> Description:
    """GET /health."""
    operation = _operation("health", "Whether what requests are answered from can be reached", [])
    failing = content("Some dependency does not answer", JSON, ref("Health"))
    failing["content"][PROBLEM] = {"schema": ref("Problem")}
    failing["headers"] = header("Retry-After", "Seconds", "integer")
    operation["responses"] |= {"200": content("Every dependency answers", JSON, ref("Health")), "503": failing}
    return operation


def openapi() -> Description:
    """GET /openapi.json."""
    return _get("openapi", "This description", JSON, {"type": "object"}, [])


def segment(name: str, values: Sequence[str], description: str) -> Description:
    """The variable segment of a path, and which ``values`` it may have."""
    known = f": {', '.join(values)}" if values else "; there are none"
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"{description}{known}",
        "schema": {"type": "string", "minLength": 1},
    }


def content(description: str, kind: str, schema: Description) -> Description:
    """An answer with a body of one media type."""
    return {"description": description, "content": {kind: {"schema": schema}}}


def header(name: str, description: str, kind: str = "string", *, required: bool = True) -> Description:
    """A header of an answer: one that is always there, unless it is not ``required``."""
    return {name: {"description": description, "required": required, "schema": {"type": kind}}}


def _operation(name: str, summary: str, errors: Sequence[str]) -> Description:
    responses = {status: {"$ref": f"#/components/responses/{status}"} for status in sorted({*errors, *_ALWAYS})}
    return {"operationId": name, "summary": summary, "responses": responses}


def _with_events(name: str, summary: str, errors: Sequence[str]) -> Description:
    event = {"anyOf": [ref("PlainEvent"), ref("CloudEvent")]}
    array = {"type": "array", "items": event, "maxItems": MAX_EVENTS}
    forms: Description = {
        JSON: {"schema": {"anyOf": [ref("PlainEvent"), ref("CloudEvent"), array, ref("Data")]}},
        LINES: {"schema": {"type": "string", "description": "One event a line"}},
        "application/cloudevents+json": {"schema": ref("CloudEvent")},
        "application/cloudevents-batch+json": {
            "schema": {"type": "array", "items": ref("CloudEvent"), "maxItems": MAX_EVENTS}
        },
    }
    return {
        **_operation(name, summary, errors),
        "parameters": [*_of_body(), *(_header(f"ce-{each}", "Binary mode of CloudEvents") for each in _ATTRIBUTES)],
        "requestBody": {"required": True, "description": _FORMS, "content": forms},
    }


def _of_body() -> list[Description]:
    key = _header("Idempotency-Key", "Makes the ids of events that have none: a request sent again counts once")
    key["schema"] = {"type": "string", "pattern": "^[!-~]{1,255}$"}
    encoding = _header("Content-Encoding", "How the body is compressed")
    encoding["schema"] = {"enum": ["identity", "gzip"]}
    return [key, encoding]


def _accepting(operation: Description) -> Description:
    accepted = content("The bytes are durable and queued", JSON, ref("Accepted"))
    accepted["headers"] = header("X-Correlation-Id", "The receipt")
    operation["responses"]["202"] = accepted
    return operation


def _get(name: str, summary: str, kind: str, schema: Description, errors: Sequence[str]) -> Description:
    operation = _operation(name, summary, errors)
    operation["responses"]["200"] = content(summary, kind, schema)
    return operation


def _rows(name: str, summary: str, row: str) -> Description:
    operation = _get(name, summary, JSON, {"type": "array", "items": ref(row)}, ["400", "404"])
    found = operation["responses"]["200"]
    found["content"][LINES] = {"schema": {"type": "string", "description": "One row a line"}}
    link = 'The next page, rel="next" (RFC 8288), relative to the request; none after the last row'
    found["headers"] = header("Link", link, required=False)
    forms = [{"format": "date-time"}, {"format": "date"}, {"pattern": "^[0-9]{1,9}[smhdw]$"}]
    instant = {"type": "string", "anyOf": forms}
    told = "RFC 3339, a date, or a time ago (90s, 15m, 2h, 7d, 1w)"
    operation["parameters"] = [
        _query("since", f"From this instant on: {told}", instant),
        _query("until", f"Up to before this instant: {told}", instant),
        _query("limit", "The most rows", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}),
        _query(
            "cursor", "Where the page before ended: follow the link rel=next rather than make one up",
            {"type": "string"},
        ),
    ]  # fmt: skip
    return operation


def _query(name: str, description: str, schema: Description) -> Description:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _header(name: str, description: str) -> Description:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}
