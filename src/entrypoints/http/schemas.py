"""The JSON Schemas of what the API takes and answers, and of a catalog's own types, as OpenAPI's components."""

import re
from typing import Any, Final

from ...core.catalog import Catalog
from ...core.catalog.declarations import EventType
from ...core.catalog.examples import data_examples
from ...core.catalog.jsonschema import data_schema, schema_urn
from ...core.conditions import ENVELOPE

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

_PLAIN: Final = {
    "eventType": _TEXT,
    "eventId": _TEXT,
    "eventTime": {"type": ["string", "number"], "description": "RFC 3339, or epoch seconds or milliseconds"},
    "source": _TEXT,
    "subject": _TEXT,
}
_CLOUD: Final = {
    "specversion": {"const": "1.0"},
    "id": _TEXT,
    "source": _TEXT,
    "type": _TEXT,
    "time": {"type": "string", "format": "date-time"},
    "subject": _TEXT,
    "dataschema": {**_TEXT, "description": "Ends with the version of the data: …/2, …:v2"},
    "datacontenttype": {"const": "application/json"},
}
_ENCODED: Final = {"type": "string", "contentEncoding": "base64", "description": "JSON in base64, in place of data"}

SCHEMAS: Final[Schema] = {
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


def components(catalog: Catalog) -> Schema:
    """The schemas that the API is described with.

    Of each type there are ``data.TYPE.VERSION``, ``plain.TYPE`` and ``cloud.TYPE``; ``PlainEvent`` and ``CloudEvent``
    are one of them, as the type says, and ``Data`` is the data of any.
    """
    names = _names(catalog)
    own: Schema = {}
    data = []
    for declared in catalog.declared.values():
        name = names[declared.name]
        versions = [f"data.{name}.{number}" for number in range(declared.oldest, declared.version + 1)]
        for number, key in enumerate(versions, declared.oldest):
            own[key] = _data(catalog, declared, number, key)
        newest_first = [ref(key) for key in reversed(versions)]
        either = newest_first[0] if len(versions) == 1 else {"anyOf": newest_first}
        said = {"type": ["integer", "string"], "description": f"Without it: {declared.unversioned}"}
        plain = {**_PLAIN, "eventType": {"const": declared.name}, "schemaVersion": said, "data": either}
        own[f"plain.{name}"] = _object(
            plain, ["eventType"], description="Without data, all other keys are the data.", additionalProperties=True
        )
        cloud = {**_CLOUD, "type": {"const": declared.name}, "data": either, "data_base64": _ENCODED}
        own[f"cloud.{name}"] = _object(cloud, ["specversion", "id", "source", "type"], additionalProperties=True)
        data.append(either)
    return {
        "PlainEvent": _one_of(names, "plain", "eventType"),
        "CloudEvent": {**_one_of(names, "cloud", "type"), "description": "CloudEvents 1.0.2"},
        "Data": {"description": "The data of an event, whose type is in the header ce-type", "anyOf": data},
        **SCHEMAS,
        "CuratedEvent": _curated(),
        **own,
    }


def _data(catalog: Catalog, declared: EventType, version: int, key: str) -> Schema:
    schema: Schema = {
        "title": f"{declared.name}, version {version}",
        "$comment": f"{schema_urn(catalog.name, declared, version)}: GET /catalog/{{type}} has it alone.",
        **data_schema(declared, version, f"#/components/schemas/{key}/$defs"),
    }
    if found := data_examples(declared, version):
        schema["examples"] = found
    return schema


def _one_of(names: dict[str, str], form: str, told_by: str) -> Schema:
    references = {event_type: ref(f"{form}.{name}")["$ref"] for event_type, name in names.items()}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": told_by, "mapping": references},
    }


def _names(catalog: Catalog) -> dict[str, str]:
    """What each type is called in the names of components, which know fewer characters (OpenAPI 3.1, §4.8.7)."""
    names: dict[str, str] = {}
    for event_type in catalog.declared:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", event_type)
        while name in names.values():
            name += "_"
        names[event_type] = name
    return names


def _curated() -> Schema:
    kinds: Schema = {name: {"type": "string"} for name in ENVELOPE}
    kinds["schemaVersion"] = {"type": "integer"}
    kinds["eventTime"] = kinds["curatedAt"] = {"type": "string", "format": "date-time"}
    return _object(
        kinds,
        [name for name in ENVELOPE if name != "subject"],
        description="The envelope beside the curated fields; Decimals are strings.",
        additionalProperties=True,
    )
