"""``Front``: the ASGI application of the API: who may call, how much at once, and the answer from a thread."""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Final

import attrs

from ...core.records import RawObject
from ...core.services.ingest import MAX_BODY
from ..http.application import ROUTES, Application, Route
from ..http.messages import Request, Response
from ..http.problems import RETRY_SECONDS, Problem
from ..logs import Log, place_of
from .admission import ANONYMOUS, Admission
from .keeping import Keeping
from .requests import Disconnected, Receive, Scope, Send, body_of, discard_body, head_of
from .site import ServedSite

THREADS: Final = 40
"""Requests that are answered at once."""
MOST_AT_ONCE: Final = 1000
"""Requests that are read or answered at once; those beyond it are to come again."""
MOST_BYTES_AT_ONCE: Final = 256 * 1024 * 1024
"""Bytes that the requests of a moment announce, or are taken to have."""
UNANNOUNCED_BYTES: Final = 1024 * 1024
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
AT_ONCE_BYTES: Final = 64 * 1024
"""Bodies up to this are understood within a millisecond, between two other things."""


class Front:
    """Answers HTTP requests with an ``Application``. What is told of a request in the log are facts, never its data."""

    def __init__(
        self,
        site: ServedSite,
        admission: Admission,
        log: Log,
        *,
        routes: Iterable[Route] = ROUTES,
        origins: Iterable[str] = (),
    ) -> None:
        self._application = Application(site, routes=routes, origins=origins)
        self._admission, self._waiting, self._log = admission, site.handover.waiting, log
        self._keeping = Keeping(site.stores.raw, site.handover)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._requests = self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, start = head_of(scope), time.monotonic()
        size = _size(request)
        self._requests += 1
        self._bytes += size
        try:
            response = await self._answer(request, receive)
        except Disconnected:
            return
        finally:
            self._requests -= 1
            self._bytes -= size
        self._tell(request, response, start)
        await respond(response, send)

    def close(self) -> None:
        """Once nothing is answered any more."""
        self._threads.shutdown()
        self._keeping.close()

    async def _answer(self, request: Request, receive: Receive) -> Response:
        has_body = request.method in WITH_BODY
        try:
            try:
                caller = ANONYMOUS if request.method == "OPTIONS" else self._admission.caller(request)
                self._require_room(request)
                body = await body_of(request, receive) if has_body else b""
            except Problem as problem:
                is_read = not has_body or (problem.code != "slow" and await discard_body(request, receive))
                refused = self._application.refuse(request, problem)
                return refused if is_read else attrs.evolve(refused, headers={**refused.headers, "connection": "close"})
            return await self._take_steps(attrs.evolve(request, caller=caller, body=body))
        except Disconnected:
            raise
        except Exception as error:  # the boundary: nothing of it may reach the client
            self._log.error("request.failed", error=type(error).__name__, place=place_of(error))
            return self._application.refuse(request, failed())

    async def _take_steps(self, request: Request) -> Response:
        steps = self._application.steps(request)
        # What is understood sooner than a thread is found needs none. Everything else may wait for a store, or be long.
        at_once = request.path.startswith("/ingest") and len(request.body) <= AT_ONCE_BYTES
        kept = await self._step(lambda: next(steps), at_once=at_once)
        while isinstance(kept, RawObject):
            try:
                await self._keeping.keep(kept)
            except Exception as error:  # the steps say what it means to the client
                failure = error
                kept = await self._step(lambda: steps.throw(failure), at_once=True)  # noqa: B023 (awaited here)
            else:
                kept = await self._step(lambda: next(steps), at_once=True)
        return kept

    async def _step(self, step: Callable[[], RawObject], *, at_once: bool) -> RawObject | Response:
        if at_once:
            return _came(step)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _came, step)

    def _require_room(self, request: Request) -> None:
        if self._requests > MOST_AT_ONCE or self._bytes > MOST_BYTES_AT_ONCE:
            detail = "Too many requests at once. Send this one again in a moment."
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many", detail, headers={"retry-after": "1"})
        if self._waiting.is_full and request.path.startswith("/ingest"):
            detail = "More events wait to be processed than may wait. Send the same request again, with the same ids."
            headers = {"retry-after": str(RETRY_SECONDS)}
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "backlog", detail, headers=headers)

    def _tell(self, request: Request, response: Response, start: float) -> None:
        if response.status < HTTPStatus.BAD_REQUEST:
            name, tell = "request.answered", self._log.debug
        elif response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            name, tell = "request.refused", self._log.debug
        else:
            name, tell = "request.failed", self._log.warning
        tell(
            name,
            method=request.method,
            status=int(response.status),
            bytes=len(request.body),
            milliseconds=round((time.monotonic() - start) * 1000),
            **response.facts,
        )


def _came(step: Callable[[], RawObject]) -> RawObject | Response:
    """What a step comes to: a receipt to keep, or the response."""
    try:
        return step()
    except StopIteration as done:
        response: Response = done.value
        return response


def failed() -> Problem:
    """Something went wrong that nobody foresaw."""
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "failed", "The request failed; the log says why.")


async def respond(response: Response, send: Send) -> None:
    """Send a response."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    headers += [(b"content-length", str(len(response.body)).encode()), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": int(response.status), "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def _size(request: Request) -> int:
    announced = request.headers.get("content-length", "")
    if announced.isdigit():
        return min(int(announced), MAX_BODY)  # what is larger is not read
    return UNANNOUNCED_BYTES if "transfer-encoding" in request.headers else 0
