"""``millrace serve`` as a process that can be signalled, killed and started again; and sockets to it, byte by byte."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

from tests.processes import PATIENCE_SECONDS, ending

PROGRAM = [sys.executable, "-c", "from millrace.entrypoints.cli import main; main()"]


_TLS = ssl.create_default_context()
"""Of no use here, but each client would make one of its own, which takes longer than most requests."""


def client_of(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=PATIENCE_SECONDS, trust_env=False, verify=_TLS)


def until(holds: Callable[[], Any]) -> Any:
    """What a question comes to, as soon as it is true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.05)
    return found


def millrace(*arguments: str | Path, exits: int = 0, **environment: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env=without_settings() | environment,
    )
    assert done.returncode == exits, (arguments, done.stdout, done.stderr)
    return done.stdout if exits == 0 else done.stderr


def without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}


@attrs.define
class Server:
    """A server that has started."""

    process: "subprocess.Popen[bytes]"
    log: Path
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """The answer to one request; a body that is no bytes is sent as JSON."""
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        with client_of(self.url) as client:
            return client.request(method, path, **(sent if body is not None else {}), **more)

    def get(self, path: str, **more: Any) -> Any:
        answer = self.call("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def raw(self, request: bytes, *, end: bool = False) -> bytes:
        """All that is answered to bytes on a connection of their own; ``end``: nothing more will be sent."""
        with self.connection() as connection:
            connection.sendall(request)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return answered(connection)

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def worker(self) -> int:
        """The process that works beside the server."""
        return int(until(self._children)[0])

    def _children(self) -> list[str]:
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [child for child in found.stdout.split() if not is_dead(int(child))]

    def memory(self) -> float:
        """Megabytes that the server holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code, after a signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def serving(folder: Path, *options: str, store: str = "memory:", **environment: str) -> Iterator[Server]:
    """A server while it runs; its log is a file in the folder."""
    log = folder / f"server-{time.monotonic_ns()}.log"
    command = [*PROGRAM, "serve", "--port", "0", "--store", store, *options]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=without_settings() | environment, cwd=folder)
    with ending(process):
        until(lambda: process.poll() is not None or "server.started" in log.read_text())
        found = re.search(r"\burl=(http://\S+)", log.read_text())
        assert found is not None, log.read_text()
        yield Server(process, log, found[1])


def is_dead(process: int) -> bool:
    """Whether a process has ended, whoever knows of it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def answered(connection: socket.socket) -> bytes:
    """What comes until the connection ends."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def purchase(identity: str, amount: Any = "12.50", **more: Any) -> dict[str, Any]:
    data = {"order_id": f"o-{identity}", "customer_id": "c-1", "amount": amount, "currency": "EUR"}
    return {"eventType": "purchase", "eventId": identity, "eventTime": "2026-11-23T02:30:00Z", "data": data | more}


def summary(store: str) -> dict[str, Any]:
    """What ``reconcile`` says of a store, in which every event is accounted for."""
    found: dict[str, Any] = json.loads(millrace("reconcile", "--store", store, "--json"))
    return found
