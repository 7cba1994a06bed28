"""The REST API as its routes say: requests become the events that API Gateway makes of them (format 1.0).

Source: "Lambda proxy integrations in API Gateway", input and output format. Every media type is binary, as the template
has it, so bodies go to the function in base64.
"""

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .runtime import Answer
from .stack import Route, Stack


@attrs.frozen
class Reply:
    """What the client sees. ``headers`` in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@attrs.frozen
class Api:
    """The API of a stack; ``invoke`` calls the function of an ARN with an event."""

    stack: Stack
    invoke: Callable[[str, Any], Answer]

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make a request. A function that fails or answers nonsense is 502, as at the gateway."""
        route, event = self.event(method, path, body, headers, query)
        answer = self.invoke(route.function_arn, event)
        if answer.failed or not isinstance(answer.value, dict) or "statusCode" not in answer.value:
            return Reply(502, {}, answer.payload)
        value = answer.value
        text = value.get("body") or ""
        content = base64.b64decode(text) if value.get("isBase64Encoded") else text.encode()
        several = {name: ",".join(values) for name, values in (value.get("multiValueHeaders") or {}).items()}
        found = {name.lower(): str(text) for name, text in {**several, **(value.get("headers") or {})}.items()}
        return Reply(value["statusCode"], found, content)

    def event(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> tuple[Route, dict[str, Any]]:
        """The route of a request and the event its function gets."""
        route, parameters = self._route(method, path)
        sent = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "Host": "a1b2c3.execute-api.eu-west-1.amazonaws.com",
            "User-Agent": "millrace-tests",
            "X-Amzn-Trace-Id": "Root=1-65f00000-0123456789abcdef01234567",
            "X-Forwarded-For": "203.0.113.7",
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
            **(headers or {}),
        }
        now = time.time()
        return route, {
            "resource": route.path,
            "path": path,
            "httpMethod": method,
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": dict(query) if query else None,
            "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
            "pathParameters": parameters or None,
            "stageVariables": None,
            "requestContext": {
                "resourceId": "r1",
                "resourcePath": route.path,
                "httpMethod": method,
                "extendedRequestId": "JJbxmplHYosFVYQ=",
                "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
                "path": f"/prod{path}",
                "accountId": "123456789012",
                "protocol": "HTTP/1.1",
                "stage": "prod",
                "domainPrefix": "a1b2c3",
                "requestTimeEpoch": int(now * 1000),
                "requestId": str(uuid.uuid4()),
                "identity": {
                    "cognitoIdentityPoolId": None,
                    "apiKey": "hidden",
                    "apiKeyId": "client-1",
                    "accountId": None,
                    "caller": None,
                    "sourceIp": "203.0.113.7",
                    "user": None,
                    "userAgent": "millrace-tests",
                    "userArn": None,
                },
                "domainName": "a1b2c3.execute-api.eu-west-1.amazonaws.com",
                "apiId": "a1b2c3",
            },
            "body": None if body is None else base64.b64encode(body).decode(),
            "isBase64Encoded": body is not None,
        }

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The most specific route: a literal path before one with parameters, a method before any."""
        fitting = [
            (route, match.groupdict())
            for route in self.stack.routes
            if route.method in (method, "ANY") and (match := route.pattern.fullmatch(path))
        ]
        return min(fitting, key=lambda found: ("+" in found[0].path, len(found[1]), found[0].method == "ANY"))
