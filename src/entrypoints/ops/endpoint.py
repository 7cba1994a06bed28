"""``Endpoint``: requests to an API over HTTP, with a key, or signed."""

import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import attrs
import msgspec

from ...core.errors import StoreError, TransientError

SECONDS: Final = 30.0
"""How long an answer may take: API Gateway gives up after 29."""
_SHOWN: Final = 300

Sign = Callable[[str, str, Mapping[str, str], bytes], Mapping[str, str]]
"""The headers of a signed request, given method, URL, headers and body."""


@attrs.frozen
class Reply:
    """An answer."""

    status: int
    body: bytes

    @property
    def detail(self) -> str:
        """What it says of itself: the detail of a problem, a gateway's message, or how the body begins."""
        try:
            told = msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            return self.body[:_SHOWN].decode(errors="replace") or "nothing"
        return str(told.get("detail") or told.get("message") or told)[:_SHOWN]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where an API sends one elsewhere, the key is not sent along."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Endpoint:
    """An API at a URL, its stage included."""

    def __init__(self, url: str, *, key: str | None = None, sign: Sign | None = None, seconds: float = SECONDS) -> None:
        """Raises ``StoreError`` for what is no URL of HTTP."""
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise StoreError(f"{url!r} is no URL of an API, such as https://api.example.com/prod")
        self._url = url.rstrip("/")
        self._key, self._sign, self._seconds = key, sign, seconds
        self._opener = urllib.request.build_opener(_NoRedirects)

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return self._url

    def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """The answer, whatever its status. Raises ``TransientError`` where there is none."""
        url = f"{self._url}{path}" + (f"?{urlencode(query, quote_via=quote, safe='')}" if query else "")
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key is not None:
            headers["X-Api-Key"] = self._key
        if self._sign is not None:
            headers = {**self._sign(method, url, headers, body or b"")}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310 (checked above)
        try:
            with self._opener.open(request, timeout=self._seconds) as answer:
                return Reply(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.read())
        except urllib.error.URLError as error:
            raise TransientError(f"{self._url} does not answer: {error.reason}") from error
        except OSError as error:
            raise TransientError(f"{self._url} does not answer: {error}") from error
