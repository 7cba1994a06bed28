"""POST /console/redrive: dead letters processed again, or what would become of them."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from ....core.redriving import Choice
from ..messages import JSON, Request, Response, json_response
from ..problems import Problem, bad_request
from .site import ConsoleSite

MOST_BYTES: Final = 4096


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which letters: those of a cause, or one. Nothing is written unless ``dry_run`` is false."""

    fingerprint: str | None = None
    letter: str | None = None
    dry_run: bool = True


def redrive(site: Any, request: Request, _: Sequence[str]) -> Response:
    """200 with what became, or would become, of the letters that are meant.

    Only JSON that says so is taken: a page of another origin cannot send that without asking first.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content-type", f"Send {JSON}.")
    if len(request.body) > MOST_BYTES:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"A body has at most {MOST_BYTES} bytes here.")
    try:
        order = msgspec.json.decode(request.body, type=Order)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request("order", f"The body says not what to redrive: {error}.") from None
    if (order.fingerprint is None) == (order.letter is None):
        raise bad_request("order", "Name either a fingerprint or a letter.")
    console: ConsoleSite = site
    report = console.redrive(Choice(fingerprint=order.fingerprint, letter=order.letter), order.dry_run)
    return json_response(report, facts={"letters": report["letters"], "dry_run": order.dry_run})
