"""CloudEvents 1.0.2: structured and batched JSON, and the binary mode of HTTP.

Sources: "CloudEvents - Version 1.0.2", "JSON Event Format for CloudEvents" §2-4, "HTTP Protocol Binding" §3.
"""

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote

import msgspec

from ..errors import BodyError
from ..records import RawObject, Violation
from ..times import parse_time
from .bodies import is_json
from .events import Event, NoEvent, text_at, version_of_schema
from .strict_json import escape, parse

_QUOTED_PAIR = re.compile(r"\\(.)")


def read_structured(document: dict[str, Any]) -> Event:
    """The event of a JSON object in structured mode. Raises ``NoEvent`` with all that is wrong."""
    wrong: list[Violation] = []
    attributes = _attributes(document, wrong)
    data = _data_member(document, wrong)
    return _event(attributes, data, "/data", wrong)


def read_binary(raw: RawObject) -> Event:
    """The event whose attributes are the ``ce-`` headers and whose data is the body."""
    wrong: list[Violation] = []
    headers: dict[str, Any] = {}
    for name, value in raw.receipt.headers.items():
        if name.startswith("ce-"):
            try:
                headers[name[3:]] = _header(value)
            except UnicodeDecodeError:
                wrong.append(
                    Violation(f"/{escape(name[3:])}", "encoding", "is percent-encoded bytes that are not UTF-8")
                )
    attributes = _attributes(headers, wrong)
    data: Any = {}
    if raw.body.strip():
        if is_json(raw.receipt.content_type):
            try:
                data = parse(raw.body)
            except BodyError as error:
                wrong.append(Violation(error.pointer, error.code, error.message))
        else:
            wrong.append(Violation("", "content-type", f"is {raw.receipt.content_type}; only JSON data is understood"))
    return _event(attributes, data, "", wrong)


def _header(value: str) -> str:
    """An attribute in a header: a quoted string or not, then percent-encoded (HTTP binding §3.1.3.2)."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _QUOTED_PAIR.sub(r"\1", value[1:-1])
    return unquote(value, errors="strict")


def binary_evidence(raw: RawObject) -> bytes:
    """What stands for the bytes of an event in binary mode: its headers, in order, and the body."""
    return msgspec.json.encode(sorted(raw.receipt.headers.items())) + b"\n" + raw.body


def _attributes(document: dict[str, Any], wrong: list[Violation]) -> dict[str, Any]:
    if document.get("specversion") != "1.0":
        wrong.append(Violation("/specversion", "version", 'is not "1.0", the version of CloudEvents understood here'))
    found: dict[str, Any] = {name: text_at(document, name, wrong, required=True) for name in ("id", "source", "type")}
    found |= {name: text_at(document, name, wrong) for name in ("subject", "dataschema", "datacontenttype")}
    found["time"] = None
    if (time := text_at(document, "time", wrong)) is not None:
        try:
            found["time"] = parse_time(time)
        except ValueError as error:
            wrong.append(Violation("/time", "time", str(error)))
    return found


def _data_member(document: dict[str, Any], wrong: list[Violation]) -> Any:
    content_type = document.get("datacontenttype")
    if isinstance(content_type, str) and not is_json(content_type):
        wrong.append(Violation("/datacontenttype", "content-type", f"is {content_type[:100]}; only JSON is understood"))
    if "data_base64" not in document:
        data = document.get("data")
        return {} if data is None else data
    if "data" in document:
        wrong.append(Violation("/data_base64", "exclusive", "stands beside data; an event has one of them"))
    try:
        return parse(base64.b64decode(document["data_base64"], validate=True))
    except (binascii.Error, TypeError, ValueError):
        wrong.append(Violation("/data_base64", "base64", "is not base64 text (RFC 4648 §4)"))
    except BodyError as error:
        wrong.append(Violation("/data_base64", error.code, error.message))
    return {}


def _event(attributes: dict[str, Any], data: Any, base: str, wrong: list[Violation]) -> Event:
    if not wrong and not isinstance(data, dict):
        wrong.append(Violation(base, "type", "is not an object"))
    if wrong:
        raise NoEvent(wrong, event_type=attributes["type"], event_id=attributes["id"])
    schema = attributes["dataschema"]
    version = None if schema is None else version_of_schema(schema)
    return Event(
        attributes["type"],
        attributes["id"],
        attributes["source"],
        attributes["time"],
        attributes["subject"],
        version,
        data,
        base,
    )
