"""GET /catalog and /catalog/{type}: what the catalog declares, and the JSON Schema of a type in each version."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from ..rows import contents
from .messages import Request, Response, json_response
from .parameters import version_of
from .problems import not_found
from .site import Site

SCHEMA: Final = "application/schema+json"


def catalog(site: Site, _: Request, __: Sequence[str]) -> Response:
    """200 with types, views and sources, as the command ``catalog list`` shows them."""
    return json_response(contents(site.catalog))


def schema(site: Site, request: Request, segments: Sequence[str]) -> Response:
    """200 with the JSON Schema (2020-12) of the data of a type, in its current version or the one asked for."""
    from ...core.catalog.jsonschema import json_schema

    version = version_of(request)
    declared = site.catalog.types.get(segments[0])
    if declared is None:
        raise not_found(f"There is no such event type; the catalog has {', '.join(sorted(site.catalog.declared))}.")
    try:
        found = json_schema(site.catalog.name, declared, version)
    except LookupError:
        raise not_found(f"There is no such version; there are {declared.oldest} to {declared.version}.") from None
    body = msgspec.json.Encoder(decimal_format="number").encode(found)
    return Response(status=HTTPStatus.OK, headers={"content-type": SCHEMA}, body=body)
