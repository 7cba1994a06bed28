"""GET /console/examples/{type}: an event of a type to try, made from what its declaration allows."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import attrs
import msgspec

from ....core.records import RawObject, Receipt
from ....core.schema.examples import examples
from ..messages import JSON, Request, Response
from ..problems import not_found
from ..site import Site


def example(site: Site, _: Request, segments: Sequence[str]) -> Response:
    """200 with an event, one that passes if an example of the type does; 404 where none can be made."""
    declared = site.catalog.types.get(segments[0])
    if declared is None:
        raise not_found("There is no such event type.")
    encoder = msgspec.json.Encoder(decimal_format="number")
    made = [
        encoder.encode({"eventType": declared.name, "schemaVersion": declared.version, "data": data})
        for data in sorted(examples(declared.shape), key=_emptiness)
    ]
    if not made:
        raise not_found("No example of this type can be made; its constraints are its own.")
    best = next((event for event in made if _passes(site, event)), made[0])
    return Response(status=HTTPStatus.OK, headers={"content-type": JSON}, body=best)


def _emptiness(instance: Any) -> int:
    """How little an example shows: how many of its values are empty."""
    return sum(not value for value in attrs.asdict(instance, recurse=False).values())


def _passes(site: Site, event: bytes) -> bool:
    receipt = Receipt(id="", received_at=site.clock.now())
    batch = site.pipeline.run(RawObject(receipt, event), receipt.received_at)
    return not batch.letters and not batch.filtered
