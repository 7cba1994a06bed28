"""``Pages``: the console's page and files beside the API, and its live data."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..http.problems import Problem
from .admission import Admission
from .front import respond
from .live import live
from .pulses import Pulses
from .requests import Receive, Scope, Send, head_of

FOLDER: Final = Path(__file__).parents[1] / "console"
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_PATHS: Final = frozenset({"/", "/favicon.ico", "/console/live"})
Next = Callable[[Scope, Receive, Send], Awaitable[None]]


class Pages:
    """Answers for the console's page, files and live data, and leaves everything else to the API."""

    def __init__(self, api: Next, pulses: Pulses, admission: Admission) -> None:
        self._api, self._pulses, self._admission = api, pulses, admission
        routes = [
            Route("/", self._page),
            Route("/favicon.ico", self._icon),
            Route("/console/live", self._live),
            Mount("/console/static", StaticFiles(directory=FOLDER, follow_symlink=True)),
        ]
        self._pages: Any = Starlette(
            routes=routes, middleware=[Middleware(_Secured)], exception_handlers={HTTPException: _problem}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in _PATHS and not path.startswith("/console/static/"):
            await self._api(scope, receive, send)
            return
        try:
            if path == "/console/live":
                self._admission.caller(head_of(scope))
            else:
                self._admission.require_host(head_of(scope))
        except Problem as problem:
            await respond(problem.response(), send)
            return
        await self._pages(scope, receive, send)

    async def _page(self, _: Request) -> Response:
        return FileResponse(FOLDER / "index.html")

    async def _icon(self, _: Request) -> Response:
        return FileResponse(FOLDER / "icon.svg")

    async def _live(self, request: Request) -> Response:
        return live(self._pulses, request)


async def _problem(_: Request, error: Exception) -> Response:
    """What Starlette refuses, as everything else is refused."""
    status = HTTPStatus(getattr(error, "status_code", 500))
    answer = Problem(status, status.name.lower().replace("_", "-"), f"{status.phrase}.").response()
    return Response(answer.body, int(answer.status), dict(answer.headers))


class _Secured:
    """Headers that keep a browser from loading or running anything that is not the console's own."""

    def __init__(self, app: Next) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Any) -> None:
            if message["type"] == "http.response.start":
                # An upgrade changes the files: a browser asks whether they are what it has.
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self._app(scope, receive, secured)
