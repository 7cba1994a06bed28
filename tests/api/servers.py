"""The API as its clients reach it, over loopback: functions behind a gateway, and ``millrace serve``."""

import base64
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import httpx
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from millrace import Catalog
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.entrypoints.catalogs import load_catalog
from millrace.entrypoints.http.application import INGESTION, VALIDATION
from millrace.entrypoints.lambdas import ingestion, query, validation, wiring
from millrace.entrypoints.platform import Platform
from tests.lambdas.arriving import Context, api_event
from tests.lambdas.site import SETTINGS
from tests.server.process import serving

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SECONDS = 30
"""How long a server may take to start, and an event to be curated, on a machine that has much else to do."""


@attrs.frozen
class Server:
    """An API that answers at ``url``."""

    url: str
    catalog: Catalog

    def curated(self, event_type: str, *ids: str) -> list[dict[str, Any]]:
        """The curated events of these ids, in that order, once all of them are there."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            rows = httpx.get(f"{self.url}/events/{event_type}", params={"limit": 1000}).raise_for_status().json()
            found = {row["eventId"]: row for row in rows}
            if found.keys() >= {*ids}:
                return [found[event_id] for event_id in ids]
            time.sleep(0.05)
        raise AssertionError(f"{sorted({*ids} - found.keys())} were not curated within {SECONDS} s")


@attrs.define
class Gateway:
    """A WSGI application: each request becomes the event that API Gateway makes of it, for the function of its route.

    What was accepted is processed before a query is answered, since no queue calls a function here.
    """

    platform: Platform
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request = Request(environ)
        body = request.get_data()
        event = api_event(
            request.method,
            environ["REQUEST_URI"].partition("?")[0],
            body or None,
            headers=dict(request.headers.items()),
            query={name: [*request.args.getlist(name)] for name in request.args},
            identity={"apiKeyId": "client-1"},
        )
        if "Content-Type" not in request.headers:
            del event["headers"]["Content-Type"], event["multiValueHeaders"]["Content-Type"]
        with self.lock:  # a function has one call at a time, and so do the stores in memory
            if request.method == "GET":
                list(self.platform.work.drain())
            wiring.use(self.platform, SETTINGS)  # for each call, since other tests wire functions, too
            try:
                answer = _function(request.path).handler(event, Context())
            finally:
                wiring.use(None)
        content = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
        return Response(content, answer["statusCode"], answer["headers"])(environ, start_response)


def _function(path: str) -> Any:
    roots = {route.path.split("/")[1]: function for routes, function in _FUNCTIONS for route in routes}
    return roots.get(path.split("/")[1], query)


_FUNCTIONS = ((INGESTION, ingestion), (VALIDATION, validation))


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body go out separately

    def log(self, type: str, message: str, *args: object) -> None:
        """A line for each request is noise in test reports."""


@contextmanager
def functions(catalog: str) -> Iterator[Server]:
    """The functions over stores in memory, behind a gateway."""
    loaded = load_catalog(catalog)
    platform = Platform.assemble(loaded, memory_stores(), SystemClock(), RandomReceiptIds())
    server = make_server("127.0.0.1", 0, Gateway(platform), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{server.port}", loaded)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def served(catalog: str, directory: Path, **environment: str) -> Iterator[Server]:
    """``millrace serve`` on a new store in a directory."""
    store = f"file:{directory / 'store'}"
    with serving(directory, "--catalog", catalog, store=store, **environment) as server:
        yield Server(server.url, load_catalog(catalog))
