"""From ASGI to ``Request``: headers, query, and a body that is read within limits."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from ...core.services.ingest import MAX_BODY
from ..http.messages import Request
from ..http.problems import Problem

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

PIECE_SECONDS: Final = 20.0
"""The longest a client may send nothing of a body that it has announced."""
BODY_SECONDS: Final = 120.0
"""The longest that a body may take in all."""
DISCARDED_BYTES, DISCARDING_SECONDS = 2 * MAX_BODY, 5.0
"""What is read of a body that is not wanted, so that its sender gets to see why."""


class Disconnected(Exception):
    """The client is gone before its request was whole: nothing of it was accepted."""


def head_of(scope: Scope) -> Request:
    """A request without its body. Repeated headers are joined by ", "."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    query = scope["query_string"].decode("latin-1")
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=parse_qs(query, keep_blank_values=True, max_num_fields=100) if query else {},
        headers=headers,
    )


async def body_of(request: Request, receive: Receive) -> bytes:
    """All of a request's body. Raises ``Problem``: 413 as soon as it is too large, 408 where it does not come;
    ``Disconnected``.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY:
        raise too_large()
    message = await _next(receive, PIECE_SECONDS)
    if not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        _within(whole)
        return whole
    body, ends = bytearray(message.get("body", b"")), asyncio.get_running_loop().time() + BODY_SECONDS
    while message.get("more_body"):
        left = ends - asyncio.get_running_loop().time()
        message = await _next(receive, min(PIECE_SECONDS, left))
        body += message.get("body", b"")
        _within(body)
    return bytes(body)


async def discard_body(request: Request, receive: Receive) -> bool:
    """Read what is left of a body that is not wanted; whether that was all, so that another request may follow.

    Raises ``Disconnected``.
    """
    announced = request.headers.get("content-length", "0")
    if "expect" in request.headers or not announced.isdigit() or int(announced) > DISCARDED_BYTES:
        return False
    left = DISCARDED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARDING_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                if not message.get("more_body"):
                    return True
                left -= len(message.get("body", b""))
    return False


def too_large() -> Problem:
    """The body is larger than any may be."""
    detail = f"The body is larger than {MAX_BODY} bytes."
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)


def _within(body: bytes | bytearray) -> None:
    if len(body) > MAX_BODY:
        raise too_large()


async def _next(receive: Receive, seconds: float) -> Message:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            message = await receive()
    except TimeoutError:
        detail = "The rest of the body did not come in time."
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "slow", detail) from None
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message
