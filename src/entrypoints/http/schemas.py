"""The JSON Schemas of what the API takes and answers, as OpenAPI's components."""

from typing import Any, Final

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """A reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Schema, required: list[str], **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": required, **more}


_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 2048}
_INDEX: Final = {"type": "integer", "minimum": 0}
_VIOLATIONS: Final = {"type": "array", "items": ref("Violation")}
_REJECTED: Final = {
    "type": "array",
    "items": _object({"index": _INDEX, "violations": _VIOLATIONS}, ["index", "violations"]),
}

SCHEMAS: Final[Schema] = {
    "PlainEvent": _object(
        {
            "eventType": _TEXT,
            "eventId": _TEXT,
            "eventTime": {
                "type": ["string", "number"],
                "description": "RFC 3339, or epoch seconds or milliseconds",
            },
            "source": _TEXT,
            "subject": _TEXT,
            "schemaVersion": {"type": ["integer", "string"]},
            "data": {"type": "object", "description": "The event's data; without it, all other keys are"},
        },
        ["eventType"],
        additionalProperties=True,
    ),
    "CloudEvent": _object(
        {
            "specversion": {"const": "1.0"},
            "id": _TEXT,
            "source": _TEXT,
            "type": _TEXT,
            "time": {"type": "string", "format": "date-time"},
            "subject": _TEXT,
            "dataschema": {**_TEXT, "description": "Ends with the version of the data: …/2, …:v2"},
            "datacontenttype": _TEXT,
            "data": {"type": "object"},
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
        ["specversion", "id", "source", "type"],
        additionalProperties=True,
    ),
    "Violation": _object(
        {
            "pointer": {"type": "string", "description": "The place, as a JSON pointer (RFC 6901)"},
            "code": {"type": "string", "description": "One word for programs"},
            "message": {"type": "string", "description": "A sentence for people"},
        },
        ["pointer", "code", "message"],
    ),
    "Accepted": _object(
        {
            "receipt": {"type": "string", "format": "uuid"},
            "accepted": _INDEX,
            "rejected": {**_REJECTED, "description": "Elements that are no events; kept as dead letters"},
            "events": {
                "type": "array",
                "items": _object(
                    {"index": _INDEX, "id": {"type": "string"}, "type": {"type": "string"}}, ["index", "id", "type"]
                ),
            },
        },
        ["receipt", "accepted", "rejected", "events"],
    ),
    "Verdict": _object(
        {"index": _INDEX, "valid": {"type": "boolean"}, "violations": _VIOLATIONS}, ["index", "valid", "violations"]
    ),
    "ViewRow": _object(
        {
            "window": {"type": "string", "format": "date-time", "description": "The window's first instant"},
            "group": {"type": "object"},
        },
        ["window", "group"],
        description="The measures stand beside them under their names; Decimals are strings.",
        additionalProperties=True,
    ),
    "Health": _object(
        {
            "status": {"enum": ["ok", "failing"]},
            "catalog": {"type": "string"},
            "dependencies": {"type": "object", "additionalProperties": {"enum": ["ok", "failing"]}},
        },
        ["status", "catalog", "dependencies"],
    ),
    "Problem": _object(
        {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "rejected": _REJECTED,
        },
        ["type", "title"],
        description="RFC 9457",
    ),
}
