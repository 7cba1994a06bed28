"""What the console's lists are asked and answered: a bounded page, a cursor, and a link to what follows."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from ..messages import Request, Response, json_response
from ..parameters import read_cursor, whole_number, write_cursor
from ..problems import bad_request

LIMIT: Final = 50
MOST: Final = 500


class Asked(msgspec.Struct, frozen=True):
    """Up to ``limit`` rows beyond ``after``, and what else the query says."""

    limit: int
    after: str | None
    rest: dict[str, str]


def asked(request: Request, names: Iterable[str] = ()) -> Asked:
    """What a query asks for; ``names`` are the parameters it may have beside ``limit`` and ``cursor``.

    Raises ``Problem``.
    """
    known = {"limit", "cursor", *names}
    if unknown := sorted(request.query.keys() - known):
        raise bad_request("parameter", f"There is no parameter {unknown[0][:100]!r} here.")
    given: dict[str, str] = {}
    for name, values in request.query.items():
        if len(values) != 1:
            raise bad_request("parameter", f"{name} is not given once.")
        given[name] = values[0]
    cursor = given.pop("cursor", None)
    limit = whole_number(given.pop("limit", str(LIMIT)), "limit", MOST)
    return Asked(limit, None if cursor is None else read_cursor(cursor, str), given)


def listed(ask: Asked, rows: Any, after: str | None) -> Response:
    """A page, and a link (RFC 8288) to what lies beyond ``after``, if anything may."""
    headers = {"cache-control": "no-store"}
    if after is not None:
        query = urlencode({**ask.rest, "limit": ask.limit, "cursor": write_cursor(after)})
        headers["link"] = f'<?{query}>; rel="next"'
    return json_response(rows, headers=headers)
