"""``Front``: what stands before moto. Invocations of Lambda functions go to the tests' own; everything else to moto,
unless the test says that a service is down.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import urllib3
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from .runtime import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_INVOCATION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_HOP_BY_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}

Invoke = Callable[[str, bytes], Answer]
"""Invokes the function of that name or ARN with a payload."""


@attrs.define
class Front:
    """A WSGI application. ``port`` is its own; ``moto`` and ``invoke`` are set before anything is asked of it."""

    port: int = 0
    moto: int = 0
    invoke: Invoke = attrs.field(default=lambda name, payload: Answer(b"null"))
    down: set[str] = attrs.field(factory=set)
    """Prefixes of the ``X-Amz-Target`` of services that are down: "DynamoDB_20120810"."""
    throttled: dict[str, int] = attrs.field(factory=dict)
    """Tables that take no more writes for the moment, each with how many they have refused."""
    _upstream: urllib3.PoolManager = attrs.field(factory=lambda: urllib3.PoolManager(maxsize=20, retries=False))

    @property
    def url(self) -> str:
        """The endpoint for clients whose calls a test wants to fail."""
        return f"http://localhost:{self.port}"

    @property
    def moto_url(self) -> str:
        """The endpoint for all others."""
        return f"http://127.0.0.1:{self.moto}"

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if invocation := _INVOCATION.fullmatch(request.path):
            answer = self.invoke(invocation[1], request.get_data())
            failed = {"X-Amz-Function-Error": "Unhandled"} if answer.failed else {}
            return Response(answer.payload, headers=failed, content_type="application/json")
        if request.headers.get("X-Amz-Target", "").partition(".")[0] in self.down:
            document = json.dumps({"__type": "InternalServerError", "message": "down, by the test"})
            return Response(document, 500, content_type="application/x-amz-json-1.0")
        if table := self._refusing(request):
            self.throttled[table] += 1
            name = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
            document = json.dumps({"__type": name, "message": "throttled, by the test"})
            return Response(document, 400, content_type="application/x-amz-json-1.0")
        got = self._upstream.request(
            request.method,
            f"{self.moto_url}{request.full_path.removesuffix('?')}",
            body=request.get_data(),
            headers=dict(request.headers),
            decode_content=False,
        )
        kept = [(name, value) for name, value in got.headers.items() if name.lower() not in _HOP_BY_HOP]
        return Response(got.data, got.status, kept)

    def _refusing(self, request: Request) -> str | None:
        """The throttled table that a request writes to."""
        if not request.headers.get("X-Amz-Target", "").endswith((".PutItem", ".UpdateItem", ".BatchWriteItem")):
            return None
        body = request.get_data()
        return next((table for table in [*self.throttled] if f'"{table}"'.encode() in body), None)


class _Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True  # headers and body go out separately

    def log(self, type: str, message: str, *args: object) -> None:
        """A line for each request is noise in test reports."""


@contextmanager
def serving() -> Iterator[Front]:
    """A front on a free port for as long as the block lasts."""
    front = Front()
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=_Quiet)
    front.port = server.port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
