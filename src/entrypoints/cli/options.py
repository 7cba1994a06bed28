"""Options that commands share, and what they stand for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ...core.identity import EARLIEST, LATEST
from ..instants import EXAMPLE, instant
from ..logs import Log
from .exits import warn

if TYPE_CHECKING:
    from ...core.catalog import Catalog
    from ..platform import Platform

DEFAULT_STORE = "file:./.millrace"
DEFAULT_CATALOG = "millrace.core.catalogs.retail:catalog"

Command = Callable[..., Any]


class Site(NamedTuple):
    """Where a command works: which store, which catalog, and how much it says about it."""

    store: str
    catalog: str
    log: Log

    def load(self) -> "Catalog":
        """The catalog. Raises ``CatalogError``."""
        from ..catalogs import load_catalog

        return load_catalog(self.catalog)

    @contextmanager
    def open(self, *, write: bool = False) -> Iterator["Platform"]:
        """The platform. Raises ``CatalogError`` or ``StoreError``."""
        from ..bootstrap import open_platform

        with open_platform(self.store, self.load(), write=write) as platform:
            if platform.mended:
                self.log.info("store.mended", receipts=platform.mended)
            try:
                yield platform
            finally:
                held = list(platform.work.held.values())
                if held:
                    more = f" So do {len(held) - 1} others." if len(held) > 1 else ""
                    warn(f"A receipt waits, since this catalog cannot process it: {held[0]}{more}".rstrip("."))


def as_time(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """An instant in microseconds: RFC 3339, a date (its first instant in UTC), or a time ago (90s, 15m, 2h, 7d, 1w)."""
    if value is None:
        return None
    from ...adapters.system import SystemClock

    try:
        return instant(value, SystemClock().now())
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time: give {EXAMPLE}.") from None


def on_a_site(command: Command) -> Command:
    """--store, --catalog and --verbose, as one argument ``site``."""

    @click.option(
        "--store",
        envvar="MILLRACE_STORE",
        default=DEFAULT_STORE,
        show_default=True,
        metavar="URL",
        help="The store: file:PATH, aws:STACK or memory: (env MILLRACE_STORE).",
    )
    @click.option(
        "--catalog",
        envvar="MILLRACE_CATALOG",
        default=DEFAULT_CATALOG,
        metavar="NAME",
        help="The catalog: module:attribute or a .py file (env MILLRACE_CATALOG).  [default: the retail sample]",
    )
    @click.option("--verbose", "-v", is_flag=True, help="Log every batch to standard error.")
    def with_site(*args: Any, store: str, catalog: str, verbose: bool, **rest: Any) -> Any:
        return command(*args, site=Site(store, catalog, Log(verbose=verbose)), **rest)

    return named_after(command, with_site)


def in_a_span(command: Command) -> Command:
    """--since and --until, as one argument ``span``: microseconds, from the first one to before the second."""

    @click.option(
        "--since",
        callback=as_time,
        metavar="TIME",
        help="From this instant on: RFC 3339, a date, or ago (90s, 2h, 7d).",
    )
    @click.option("--until", callback=as_time, metavar="TIME", help="Up to before this instant.")
    def with_span(*args: Any, since: int | None, until: int | None, **rest: Any) -> Any:
        span = Span(EARLIEST if since is None else since, LATEST + 1 if until is None else until)
        if span.since >= span.until:
            raise click.UsageError("--since is not before --until.")
        return command(*args, span=span, **rest)

    return named_after(command, with_span)


def named_after(command: Command, wrapper: Any) -> Command:
    """The wrapper under the command's name and help, with the options of both."""
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__click_params__ += getattr(command, "__click_params__", [])
    result: Command = wrapper
    return result


as_json = click.option("--json", "form", flag_value="json", help="Print one JSON document.")
as_ndjson = click.option("--ndjson", "form", flag_value="ndjson", help="Print one JSON object a line.")
as_csv = click.option("--csv", "form", flag_value="csv", help="Print CSV with a header line.")


class Span(NamedTuple):
    """Instants in microseconds: since ≤ t < until."""

    since: int
    until: int
