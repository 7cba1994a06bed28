"""Cross-origin requests: which pages may call the API, as the Fetch standard has browsers ask."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final

import attrs

from .messages import Request, Response

ANY: Final = "*"
TAKES: Final = (
    "Authorization, Content-Encoding, Content-Type, Idempotency-Key, X-Api-Key, ce-id, ce-source, ce-specversion, "
    "ce-type, ce-time, ce-subject, ce-dataschema"
)
SHOWS: Final = "Link, Retry-After, X-Correlation-Id"
SECONDS: Final = 7200
"""How long a browser may remember the answer to a preflight: more than any of them does."""


class Cors:
    """The configured origins. A page of another one gets the same answers, but its browser keeps them from it."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.strip().rstrip("/") for origin in origins) - {""}

    def preflight(self, request: Request, methods: Sequence[str], read: Iterable[str] = ()) -> Response:
        """The answer to OPTIONS: which methods there are and, to an origin that may, what it may send; ``read`` are
        headers that this path takes besides.
        """
        headers = {"allow": ", ".join(methods)}
        if "access-control-request-method" in request.headers and self._allows(request):
            headers |= {
                "access-control-allow-methods": ", ".join(methods),
                "access-control-allow-headers": ", ".join([TAKES, *read]),
                "access-control-max-age": str(SECONDS),
            }
        return Response(status=HTTPStatus.NO_CONTENT, headers=headers, body=b"")

    def allowed(self, request: Request, response: Response) -> Response:
        """The response with what lets a page of an allowed origin read it."""
        if not self._origins:
            return response
        headers = dict(response.headers)
        if ANY not in self._origins:
            headers["vary"] = ", ".join(filter(None, [headers.get("vary"), "Origin"]))
        if self._allows(request):
            headers["access-control-allow-origin"] = ANY if ANY in self._origins else request.headers["origin"]
            headers["access-control-expose-headers"] = SHOWS
        return attrs.evolve(response, headers=headers)

    def _allows(self, request: Request) -> bool:
        origin = request.headers.get("origin")
        return origin is not None and (ANY in self._origins or origin in self._origins)
