"""API Gateway's REST proxy events (payload 1.0) to requests, and responses back."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from ..http.application import Application, Route
from ..http.messages import ANONYMOUS, Request, Response
from .arrivals import API, UnexpectedEvent, part
from .function import Invocation
from .measures import Measure


def answer(event: Mapping[str, Any], invocation: Invocation, routes: Iterable[Route], *, done: str) -> dict[str, Any]:
    """The proxy's answer to an event, and one log line: ``done`` where it went well."""
    request, request_id = request_of(event), part(event["requestContext"], API, "requestId", str)
    application = Application(invocation.services, routes=routes, origins=invocation.settings.cors_origins)
    response = application.respond(request)
    facts = {"correlation_id": request_id, **response.facts}
    level, name = "info", done
    if response.status >= 500:
        level, name = "error", "request.failed"
    elif response.status >= 400:
        level, name = "warning", "request.refused"
    getattr(invocation.log, level)(
        name,
        api_request_id=request_id,
        method=request.method,
        status=response.status,
        bytes=len(request.body),
        milliseconds=invocation.milliseconds(),
        **facts,
    )
    invocation.annotations["correlation_id"] = facts["correlation_id"]
    for fact, measure in (("accepted", Measure.ACCEPTED), ("rejected", Measure.REJECTED)):
        if fact in facts:
            invocation.metrics.count(measure, facts[fact])
    if "rows" in facts:
        invocation.metrics.milliseconds(Measure.QUERY_TIME, invocation.milliseconds())
    return proxy_answer(response, facts["correlation_id"])


def request_of(event: Mapping[str, Any]) -> Request:
    """The request that an event is. Raises ``UnexpectedEvent`` naming what it lacks."""
    context = part(event, API, "requestContext", Mapping)
    body = part(event, API, "body", (str, type(None))) or ""
    encoded = part(event, API, "isBase64Encoded", bool)
    return Request(
        method=part(event, API, "httpMethod", str).upper(),
        path=part(event, API, "path", str),
        query=_query(event),
        headers=_headers(event),
        body=_decoded(body) if encoded else body.encode("utf-8", "surrogatepass"),
        caller=_caller(context),
    )


def proxy_answer(response: Response, correlation_id: str) -> dict[str, Any]:
    """A response as the proxy takes it."""
    return {
        "statusCode": int(response.status),
        "headers": {"x-correlation-id": correlation_id, **response.headers},
        "body": response.body.decode(),
        "isBase64Encoded": False,
    }


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    single = part(event, API, "headers", (Mapping, type(None))) or {}
    several = event.get("multiValueHeaders") or {}
    found = {name.lower(): text for name, text in single.items()}
    return found | {name.lower(): ", ".join(texts) for name, texts in several.items()}


def _query(event: Mapping[str, Any]) -> dict[str, list[str]]:
    single = event.get("queryStringParameters") or {}
    several = event.get("multiValueQueryStringParameters") or {}
    return {name: [text] for name, text in single.items()} | {name: [*texts] for name, texts in several.items()}


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise UnexpectedEvent("An API Gateway REST event came whose body is no base64: it is not whole.") from None


def _caller(context: Mapping[str, Any]) -> str:
    """Who calls, by a name that stays: the user or role that signed, or the id (never the value) of an API key."""
    identity = context.get("identity") or {}
    if user := identity.get("userArn"):
        arn = str(user)
        return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn  # the last part names a session
    if key := identity.get("apiKeyId"):
        return f"api-key/{key}"
    return ANONYMOUS
