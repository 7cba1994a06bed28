"""``Admission``: which requests are let in, and by which name their sender is known."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from ..http.messages import Request
from ..http.problems import Problem
from .keys import Keys

ANONYMOUS: Final = "anonymous"
OPEN_PATHS: Final = frozenset({"/health", "/openapi.json"})
"""What is told to everybody: nothing that was sent can be learned from it."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Admission:
    """With keys, each request needs one, but for what is told to everybody and for what brings a signature of its own.

    Without keys a server listens on loopback only, and answers to no other host name: a page from elsewhere cannot
    reach it by a name that it lets point here.
    """

    def __init__(self, keys: Keys, signed: Iterable[str] = ()) -> None:
        """``signed``: the foreign sources whose requests are signed."""
        self._keys = keys
        self._signed = frozenset(f"/ingest/{name}" for name in signed)

    def caller(self, request: Request) -> str:
        """Who sent the request. Raises ``Problem``: 401, or 403 for a name that is not this machine's."""
        self.require_host(request)
        if not self._keys:
            return ANONYMOUS
        if (caller := self._keys.caller(request.headers)) is not None:
            return caller
        if request.path in OPEN_PATHS or (request.method == "POST" and request.path in self._signed):
            return ANONYMOUS
        headers = {"www-authenticate": 'Bearer realm="millrace"'}
        detail = "Send an API key in the header X-Api-Key, or as a bearer token."
        raise Problem(HTTPStatus.UNAUTHORIZED, "key", detail, headers=headers)

    def require_host(self, request: Request) -> None:
        """Raise ``Problem`` (403) where there are no keys, and the request was sent to a name of elsewhere."""
        if not self._keys and _host(request.headers.get("host", "")) not in LOOPBACK:
            detail = f"This server is open to its own machine only, under the names {', '.join(sorted(LOOPBACK))}."
            raise Problem(HTTPStatus.FORBIDDEN, "host", detail)


def _host(header: str) -> str | None:
    """The name of a Host header, without its port. HTTP/1.0 needs none."""
    if not header:
        return "localhost"
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None
