"""A page of rows as a response: JSON or NDJSON, as the request accepts, and a link to what follows."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from ..rows import shown
from .messages import JSON, Request, Response
from .parameters import Page, next_page

LINES: Final = "application/x-ndjson"
MOST_BYTES: Final = 4 * 1024 * 1024
"""A page ends with the row that reaches this size: a function's answer has at most 6 MB, JSON and headers in all."""


def page_response(request: Request, page: Page, rows: Iterable[tuple[Any, dict[str, Any]]]) -> Response:
    """The page that rows, each with its place, make; the rows may go on beyond the limit."""
    encoded: list[bytes] = []
    size, last, more = 0, None, False
    for place, row in rows:
        if len(encoded) == page.limit or size >= MOST_BYTES:
            more = True
            break
        encoded.append(msgspec.json.encode(shown(row)))
        size, last = size + len(encoded[-1]) + 1, place
    lines = LINES in request.headers.get("accept", "").lower()
    body = b"".join(row + b"\n" for row in encoded) if lines else b"[" + b",".join(encoded) + b"]"
    headers = {"content-type": LINES if lines else JSON, "vary": "Accept"}
    if more:
        headers["link"] = next_page(page, last)
    return Response(status=HTTPStatus.OK, headers=headers, body=body, facts={"rows": len(encoded)})
