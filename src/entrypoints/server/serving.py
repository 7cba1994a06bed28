"""Serving: the listening socket, uvicorn around the API and the console, signals, and the end."""

import asyncio
import resource
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import attrs
import uvicorn

from ...adapters.system import SystemClock
from ...core.catalog import Catalog
from ...core.errors import PermanentError
from ..http.application import ROUTES, Route
from ..http.health import health
from ..logs import Log
from ..secrets import missing_secrets
from .admission import LOOPBACK, Admission
from .connections import MOST_HEAD_BYTES, protocol
from .front import Front
from .handover import require_work
from .keys import VARIABLE, Keys
from .pages import Pages
from .pulses import Pulses
from .site import ServedSite, open_site

KEEP_ALIVE_SECONDS: Final = 60
GRACE_SECONDS: Final = 20
"""How long requests that are under way may take once the server is told to end."""
RESERVED_FILES: Final = 200
"""File descriptors that are not for connections."""
MOST_CONNECTIONS: Final = 20_000


@attrs.frozen(kw_only=True)
class Settings:
    """Where a server listens, and for whom."""

    host: str = "127.0.0.1"
    port: int = 8080
    keys: str = ""
    origins: Sequence[str] = ()
    console: bool = True


def serve(store: str, catalog: Catalog, name: str, settings: Settings, log: Log) -> None:
    """Serve until SIGINT or SIGTERM; then what is under way is answered, and what was accepted processed.

    Raises ``PermanentError`` for keys, an address or a store that cannot be used.
    """
    try:
        keys = Keys(settings.keys)
    except ValueError as error:
        raise PermanentError(str(error)) from None
    if not keys and settings.host not in LOOPBACK:
        raise PermanentError(
            f"{settings.host} can be reached from elsewhere: set {VARIABLE}, or listen on one of "
            f"{', '.join(sorted(LOOPBACK))}"
        )
    pulses = Pulses(SystemClock())
    with _listening(settings) as listener, open_site(store, catalog, name, pulses.count, log) as site:
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        front = _front(site, keys, settings, log)
        application: Any = Pages(front, pulses, Admission(keys)) if settings.console else front
        log.info("server.started", url=url, store=store, catalog=catalog.name, keys=bool(keys))
        asyncio.run(_run(application, pulses, site, listener))
        front.close()
        log.info("server.stopping", receipts_waiting=site.handover.waiting.count)
    log.info("server.stopped")


def _front(site: ServedSite, keys: Keys, settings: Settings, log: Log) -> Front:
    routes, sources = [*ROUTES], site.catalog.sources.values()
    for name, missing in missing_secrets(sources).items():
        log.warning("source.refused", source=name, reason=missing)
    if settings.console:
        from ..http.console.routes import CONSOLE

        routes += CONSOLE
    also = {"worker": partial(require_work, site.handover)}
    routes.append(Route("GET", "/health", lambda: partial(health, also=also)))
    admission = Admission(keys, [source.name for source in sources if source.signature is not None])
    return Front(site, admission, log, routes=routes, origins=settings.origins)


async def _run(application: Any, pulses: Pulses, site: ServedSite, listener: socket.socket) -> None:
    most = _raise_the_limit_of_files()
    config = uvicorn.Config(
        application,
        http=protocol(most),
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
    )
    server = _Server(config, pulses)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
    beating = asyncio.create_task(pulses.beat(site.handover))
    try:
        await server.serve(sockets=[listener])
    finally:
        beating.cancel()


class _Server(uvicorn.Server):
    """Ends by returning, so that what follows is done, where uvicorn would raise the signal again."""

    def __init__(self, config: uvicorn.Config, pulses: Pulses) -> None:
        super().__init__(config)
        self._pulses = pulses

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._pulses.end()  # who watches would keep the server for as long as they like
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise PermanentError(f"cannot listen on {settings.host}, port {settings.port}: {why}") from None
    # Those it accepts inherit this; asyncio sets it only where a socket was made with the number of the protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        yield listener


def _raise_the_limit_of_files() -> int:
    """Allow as many open files as this process may have; how many connections that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + RESERVED_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        with suppress(ValueError, OSError):  # then it stays at what it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
    return max(min(soft, allowed) - RESERVED_FILES, 50)
