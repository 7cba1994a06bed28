"""What the query of a URL says: instants, limits, cursors, fields, versions; anything else is refused."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from ...core.conditions import Condition
from ...core.identity import EARLIEST, LATEST
from ...core.times import format_time
from ..instants import EXAMPLE, instant
from .messages import Request
from .problems import bad_request

LIMIT: Final = 100
MOST: Final = 1000

T = TypeVar("T")


class Page(msgspec.Struct, frozen=True):
    """Which rows a request asks for: those in [since, until) that fulfil ``where``, at most ``limit``, beyond
    ``cursor``.
    """

    since: int
    until: int
    limit: int
    cursor: str | None
    by: tuple[str, ...] | None = None
    where: tuple[Condition, ...] = ()


def page_of(request: Request, now: int, *, grouped: bool = False) -> Page:
    """The page a request asks for; ``grouped`` rows may be merged with ``by``, others chosen with ``where``. Raises
    ``Problem``.
    """
    _require_known(request, "since", "until", "limit", "cursor", "by" if grouped else "where")
    since = _instant(request, "since", now, EARLIEST)
    until = _instant(request, "until", now, LATEST + 1)
    if since >= until:
        raise bad_request("parameter", "since is not before until.")
    by = None
    if grouped and "by" in request.query:
        by = tuple(dict.fromkeys(name.strip() for text in request.query["by"] for name in text.split(",")))
        by = tuple(name for name in by if name)
    where = tuple(map(_condition, request.query.get("where", ())))
    return Page(since, until, _limit(request), _single(request, "cursor"), by, where)


def next_page(page: Page, cursor: object) -> str:
    """A ``Link`` header (RFC 8288) to what follows ``cursor``, a place that ``read_cursor`` gives back."""
    query: dict[str, object] = {"limit": page.limit, "cursor": write_cursor(cursor)}
    if page.since != EARLIEST:
        query["since"] = format_time(page.since)
    if page.until != LATEST + 1:
        query["until"] = format_time(page.until)
    if page.by is not None:
        query["by"] = ",".join(page.by)
    if page.where:
        query["where"] = [f"{name}={text}" for name, text in page.where]
    return f'<?{urlencode(query, doseq=True)}>; rel="next"'


def write_cursor(place: object) -> str:
    """An opaque text for a place among rows: base64 (URL-safe, no padding) of its JSON."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def read_cursor(cursor: str, kind: type[T]) -> T:
    """The place that a cursor stands for. Raises ``Problem`` for a text that is none."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (binascii.Error, ValueError, RecursionError):
        raise bad_request("cursor", "cursor is none of this list; leave it out to start at the beginning.") from None


def version_of(request: Request) -> int | None:
    """The version that a request asks for, None for the current one. Raises ``Problem``."""
    _require_known(request, "version")
    text = _single(request, "version")
    return None if text is None else whole_number(text, "version", 1_000_000)


def _require_known(request: Request, *names: str) -> None:
    if unknown := sorted(request.query.keys() - {*names}):
        known = f"there are {', '.join(sorted(names))}" if len(names) > 1 else f"there is {names[0]}"
        raise bad_request("parameter", f"There is no parameter {unknown[0][:100]!r}; {known}.")


def _condition(text: str) -> Condition:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise bad_request("parameter", f"where is FIELD=VALUE, not {text[:100]!r}.")
    return Condition(name, value)


def _instant(request: Request, name: str, now: int, default: int) -> int:
    text = _single(request, name)
    if text is None:
        return default
    try:
        return instant(text, now)
    except ValueError:
        raise bad_request("parameter", f"{name} is no time: give {EXAMPLE}.") from None


def _limit(request: Request) -> int:
    text = _single(request, "limit")
    return LIMIT if text is None else whole_number(text, "limit", MOST)


def whole_number(text: str, name: str, most: int) -> int:
    """The number from 1 to ``most`` that a parameter says. Raises ``Problem``."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise bad_request("parameter", f"{name} is not a whole number from 1 to {most}.")
    return int(text)


def _single(request: Request, name: str) -> str | None:
    values: Sequence[str] = request.query.get(name, ())
    if len(values) > 1:
        raise bad_request("parameter", f"{name} is given more than once.")
    return values[0] if values else None
