"""GET /openapi.json: the OpenAPI 3.1 description of the API, with the types, views and sources of the catalog.

Its examples are requests and the answers that the API itself gives to them.
"""

from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final

import msgspec

from ...core.catalog import Catalog
from . import operations
from .exchanges import Exchange, encode, exchanges
from .messages import JSON, PROBLEM, Request, Response
from .operations import Description, content, header, segment
from .problems import Problem, unavailable
from .schemas import components, ref
from .site import Site

_ABOUT: Final = (
    "Events of the catalog {}. What a GET answers, HEAD answers without a body; OPTIONS says which methods a path "
    "takes, and answers the preflights of the origins that are configured. Errors are problems (RFC 9457)."
)
_ERRORS: Final = {
    "400": "The body is no JSON, or a header or parameter is not understood",
    "401": "An API key is needed, or the signature of the source; the one sent is none",
    "403": "Who calls may not",
    "404": "There is no such thing in the catalog",
    "405": "The path takes other methods",
    "408": "The rest of the request did not come in time",
    "413": "The body, its content, the number of events or the only event is too large",
    "415": "The type or encoding of the body is not supported",
    "422": "The body is JSON, but nothing in it is an event; nothing was stored",
    "429": "Too many requests",
    "431": "The headers are too large",
    "500": "Something failed that nobody foresaw; the log says what",
    "503": "A part of the platform does not answer; send the same again after Retry-After seconds",
}
_HEADERS: Final = {
    "401": header("WWW-Authenticate", "How to be known"),
    "405": header("Allow", "The methods that the path takes"),
    "415": header("Accept-Encoding", "The encodings that are supported", required=False),
    "429": header("Retry-After", "Seconds", "integer", required=False),
    "503": header("Retry-After", "Seconds", "integer"),
}
_BEFORE: Final = {
    "key": Problem(HTTPStatus.UNAUTHORIZED, "key", "Send an API key in the header X-Api-Key, or as a bearer token."),
    "too-many": Problem(
        HTTPStatus.TOO_MANY_REQUESTS, "too-many", "Too many requests at once. Send this one again in a moment."
    ),
    "unavailable": unavailable(),
}
"""Problems that a request meets before or behind the API: they depend on what is around it."""


def openapi(site: Site, _: Request, __: Sequence[str]) -> Response:
    """200 with the description."""
    return Response(status=HTTPStatus.OK, headers={"content-type": JSON}, body=_encoded(site.catalog))


@lru_cache(maxsize=4)
def _encoded(catalog: Catalog) -> bytes:
    return encode(describe(catalog))


def describe(catalog: Catalog) -> Description:
    """The OpenAPI document of the API over a catalog; numbers in it are int, float or Decimal."""
    from ... import __version__

    types, views, sources = (sorted(names) for names in (catalog.declared, catalog.views, catalog.sources))
    read = {header for source in catalog.sources.values() for header in source.headers}
    signed = {each.signature.header.lower() for each in catalog.sources.values() if each.signature is not None}
    description: Description = {
        "openapi": "3.1.0",
        "info": {"title": "Millrace", "version": __version__, "description": _ABOUT.format(catalog.name)},
        "servers": [{"url": "./", "description": "Where this description was read"}],
        "security": [{}, {"key": []}, {"bearer": []}],
        "paths": {
            "/ingest": {"post": operations.ingest()},
            "/ingest/{source}": {
                "parameters": [segment("source", sources, "A foreign source of the catalog")],
                "post": operations.ingest_foreign(sorted(read), sorted(signed)),
            },
            "/validate": {"post": operations.validate()},
            "/events/{type}": {
                "parameters": [segment("type", types, "An event type")],
                "get": operations.events(),
            },
            "/views/{view}": {"parameters": [segment("view", views, "A view")], "get": operations.view()},
            "/catalog": {"get": operations.catalog()},
            "/catalog/{type}": {
                "parameters": [segment("type", types, "An event type")],
                "get": operations.schema(),
            },
            "/health": {"get": operations.health()},
            "/openapi.json": {"get": operations.openapi()},
        },
        "components": {
            "schemas": components(catalog),
            "responses": {status: _error(status, meaning) for status, meaning in _ERRORS.items()},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    for exchange in exchanges(catalog):
        _show(description, exchange)
    for name, problem in _BEFORE.items():
        _show_problem(description, name, _ERRORS[str(int(problem.status))], problem.response())
    return description


def _show(description: Description, exchange: Exchange) -> None:
    """Put an exchange among the examples: its request, unless it is wrong, and its answer."""
    response = exchange.response
    if response is not None and response.status >= HTTPStatus.BAD_REQUEST:
        _show_problem(description, exchange.name, exchange.summary, response)
        return
    item = description["paths"][exchange.path]
    operation = item[exchange.method.lower()]
    example: Description = {"summary": exchange.summary}
    sent: dict[str, str] = {**exchange.headers, **exchange.query}
    if "{" in exchange.path:
        [variable] = item["parameters"]
        variable.setdefault("examples", {})[exchange.name] = {"value": exchange.segment}
    for parameter in operation.get("parameters", []):
        if parameter["name"] in sent:
            value = sent[parameter["name"]]
            shown = int(value) if parameter["schema"].get("type") == "integer" else value
            parameter.setdefault("examples", {})[exchange.name] = {"value": shown}
    if "requestBody" in operation:
        media = operation["requestBody"]["content"][exchange.content_type]
        media.setdefault("examples", {})[exchange.name] = {**example, "value": exchange.shown}
    if response is not None:
        kind = response.headers["content-type"]
        media = operation["responses"][str(int(response.status))]["content"][kind]
        media.setdefault("examples", {})[exchange.name] = {**example, "value": msgspec.json.decode(response.body)}


def _show_problem(description: Description, name: str, summary: str, response: Response) -> None:
    media = description["components"]["responses"][str(int(response.status))]["content"][PROBLEM]
    shown = {"summary": summary, "value": msgspec.json.decode(response.body)}
    media.setdefault("examples", {})[name] = shown


def _error(status: str, meaning: str) -> Description:
    error = content(meaning, PROBLEM, ref("Problem"))
    return error | {"headers": _HEADERS[status]} if status in _HEADERS else error
