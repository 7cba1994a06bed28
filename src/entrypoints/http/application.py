"""``Application``: routes requests, answers preflights, and turns every expected error into a problem."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import unquote

import attrs

from ...core.errors import BodyError, StoreError, TransientError
from ...core.records import RawObject
from ...core.services.ingest import NothingAccepted
from .cors import Cors
from .messages import Request, Response
from .problems import Problem, not_found, of_body, of_nothing, unavailable
from .site import Site

Steps = Generator[RawObject, None, Response]
"""An answer on its way: each receipt that it yields is to be kept before it goes on."""
Answer = Callable[[Site, Request, Sequence[str]], Response | Steps]
"""Answers a request; the sequence has the variable segments of its path."""


class Route(NamedTuple):
    """What a method and a path (segments in braces vary) are answered by; ``find`` imports it when it is needed."""

    method: str
    path: str
    find: Callable[[], Answer]


def _ingest() -> Answer:
    from .ingest import ingest

    return ingest


def _validate() -> Answer:
    from .validate import validate

    return validate


def _events() -> Answer:
    from .events import events

    return events


def _views() -> Answer:
    from .views import view

    return view


def _catalog() -> Answer:
    from .catalog import catalog

    return catalog


def _schema() -> Answer:
    from .catalog import schema

    return schema


def _health() -> Answer:
    from .health import health

    return health


def _openapi() -> Answer:
    from .openapi import openapi

    return openapi


INGESTION: Final = (Route("POST", "/ingest", _ingest), Route("POST", "/ingest/{source}", _ingest))
VALIDATION: Final = (Route("POST", "/validate", _validate),)
QUERIES: Final = (
    Route("GET", "/events/{type}", _events),
    Route("GET", "/views/{view}", _views),
    Route("GET", "/catalog", _catalog),
    Route("GET", "/catalog/{type}", _schema),
    Route("GET", "/health", _health),
    Route("GET", "/openapi.json", _openapi),
)
ROUTES: Final = (*INGESTION, *VALIDATION, *QUERIES)


class Application:
    """The API, or those of its routes that one function serves."""

    def __init__(self, site: Site, *, routes: Iterable[Route] = ROUTES, origins: Iterable[str] = ()) -> None:
        """``origins``: whose pages may call it from a browser; "*" for all."""
        self._site, self._routes, self._cors = site, tuple(routes), Cors(origins)

    def respond(self, request: Request) -> Response:
        """The response to a request, whose receipt is kept. Expected errors are problems; others pass through."""
        steps = self.steps(request)
        try:
            raw = next(steps)
            while True:
                try:
                    self._site.ingest.keep(raw)
                except Exception as error:  # the steps say what it means to the client
                    raw = steps.throw(error)
                else:
                    raw = next(steps)
        except StopIteration as done:
            response: Response = done.value
            return response

    def steps(self, request: Request) -> Steps:
        """As ``respond``, but whoever calls keeps the receipts: in a way of its own, or many at once."""
        try:
            response = yield from self._answer(request)
        except Problem as problem:
            response = problem.response()
        except BodyError as error:
            response = of_body(error).response()
        except NothingAccepted as nothing:
            response = of_nothing(nothing).response()
        except (TransientError, StoreError) as error:
            failed = unavailable().response()
            response = attrs.evolve(failed, facts={**failed.facts, "error": type(error).__name__, "cause": str(error)})
        if request.method == "HEAD":
            response = attrs.evolve(response, body=b"")
        return self._cors.allowed(request, response)

    def refuse(self, request: Request, problem: Problem) -> Response:
        """The response to a request that is answered with a problem before it gets here."""
        return self._cors.allowed(request, problem.response())

    def _answer(self, request: Request) -> Steps:
        found = {route.method: (route, segments) for route, segments in self._matching(request.path)}
        if not found:
            raise not_found("There is nothing at this path.")
        methods = sorted({*found, "OPTIONS", *(["HEAD"] if "GET" in found else [])})
        if request.method == "OPTIONS":
            return self._cors.preflight(request, methods, self._read_at(*found.get("POST", (None, ()))))
        method = "GET" if request.method == "HEAD" else request.method
        if method not in found:
            detail = f"This path takes {', '.join(methods)}."
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "method", detail, headers={"allow": ", ".join(methods)})
        route, segments = found[method]
        answer = route.find()(self._site, request, segments)
        response = answer if isinstance(answer, Response) else (yield from answer)
        return attrs.evolve(response, facts={"route": f"{route.method} {route.path}", **response.facts})

    def _read_at(self, route: Route | None, segments: Sequence[str]) -> Sequence[str]:
        """The headers that the foreign source of a path reads."""
        if route is None or not route.path.endswith("/{source}") or segments[0] not in self._site.catalog.sources:
            return ()
        return sorted(self._site.catalog.sources[segments[0]].headers)

    def _matching(self, path: str) -> Iterator[tuple[Route, Sequence[str]]]:
        given = path.split("/")
        for route in self._routes:
            wanted = route.path.split("/")
            if len(wanted) == len(given) and all(
                one == other or (one.startswith("{") and other) for one, other in zip(wanted, given, strict=True)
            ):
                yield route, [unquote(g) for w, g in zip(wanted, given, strict=True) if w.startswith("{")]
