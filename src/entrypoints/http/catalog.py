"""GET /catalog and /catalog/{type}: what the catalog declares, and the JSON Schema of a type."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from ..rows import contents
from .messages import Request, Response, json_response
from .problems import not_found
from .site import Site

SCHEMA: Final = "application/schema+json"


def catalog(site: Site, _: Request, __: Sequence[str]) -> Response:
    """200 with types, views and sources, as the command ``catalog list`` shows them."""
    return json_response(contents(site.catalog))


def schema(site: Site, _: Request, segments: Sequence[str]) -> Response:
    """200 with the JSON Schema (2020-12) of the data of a type."""
    from ...core.catalog.jsonschema import json_schema

    declared = site.catalog.types.get(segments[0])
    if declared is None:
        raise not_found(f"There is no such event type; the catalog has {', '.join(sorted(site.catalog.declared))}.")
    body = msgspec.json.Encoder(decimal_format="number").encode(json_schema(site.catalog.name, declared))
    return Response(status=HTTPStatus.OK, headers={"content-type": SCHEMA}, body=body)
