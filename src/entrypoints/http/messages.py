"""Requests and responses as the API sees them, whichever server they come from."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import attrs
import msgspec

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
ANONYMOUS: Final = "anonymous"
"""The caller of whom nothing is known."""


@attrs.frozen(kw_only=True)
class Request:
    """A request. ``path`` is as sent (percent-encoded); names of headers are in lower case, repeated ones joined by
    ", "; ``body`` is what came over the wire. ``caller`` is who sent it: the source of events that name none.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    caller: str = ANONYMOUS


@attrs.frozen(kw_only=True)
class Response:
    """A response. ``facts`` is what a log line may say of it: flat keys, nothing of what was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    facts: Mapping[str, Any] = attrs.field(factory=dict)


def json_response(
    value: Any,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Response:
    """A response whose body is the JSON of a value."""
    body = msgspec.json.encode(value)
    return Response(
        status=status, headers={"content-type": content_type, **(headers or {})}, body=body, facts=facts or {}
    )
