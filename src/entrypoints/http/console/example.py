"""GET /console/examples/{type}: an event of a type to try."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from ....core.catalog.examples import data_examples
from ..messages import JSON, Request, Response
from ..parameters import version_of
from ..problems import not_found
from ..site import Site


def example(site: Site, request: Request, segments: Sequence[str]) -> Response:
    """200 with an event that the catalog accepts, of the current version or the one asked for; 404 where none can be
    made.
    """
    declared = site.catalog.types.get(segments[0])
    if declared is None:
        raise not_found("There is no such event type.")
    version = version_of(request) or declared.version
    made = data_examples(declared, version)
    if not made:
        raise not_found(f"No example of version {version} can be made from its declaration.")
    event = {"eventType": declared.name, "schemaVersion": version, "data": made[0]}
    body = msgspec.json.Encoder(decimal_format="number").encode(event)
    return Response(status=HTTPStatus.OK, headers={"content-type": JSON}, body=body)
