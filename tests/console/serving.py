"""``millrace serve`` as a process of its own, on a free port, and what is sent to it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

RETAIL = "millrace.core.catalogs.retail:catalog"
START = "from millrace.entrypoints.cli import main; main()"
PATIENCE = 60.0


@attrs.frozen
class Served:
    """A server that answers at a URL."""

    url: str
    key: str | None
    kill: Callable[[], None]

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {} if self.key is None else {"x-api-key": self.key}
        with httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False) as client:
            return client.request(method, path, json=body, headers=headers)

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, *events: Any) -> str:
        """Send events; the id of their receipt, once they are processed."""
        answer = self.call("POST", "/ingest", [*events])
        assert answer.status_code == 202, answer.text
        receipt: str = answer.json()["receipt"]
        until(lambda: self.get(f"/console/receipts/{receipt}")["ledger"] is not None)
        return receipt


def until(holds: Any) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.05)


@contextmanager
def serving(
    folder: Path, *options: str, store: str = "memory:", catalog: str = RETAIL, port: int = 0, keys: Sequence[str] = ()
) -> Iterator[Served]:
    """A server while it runs; its log is a file in the folder."""
    command = [sys.executable, "-c", START, "serve", "--port", str(port), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    if keys:
        environment["MILLRACE_API_KEYS"] = ",".join(keys)
    log = folder / f"server-{time.monotonic_ns()}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--store", store, "--catalog", catalog], stdout=file, stderr=file, env=environment, cwd=folder
        )
    try:
        until(lambda: process.poll() is not None or _url(log))
        url = _url(log)
        assert url is not None, log.read_text()
        yield Served(url, keys[0].rpartition("=")[2] if keys else None, process.kill)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _url(log: Path) -> str | None:
    found = re.search(r"\burl=(http://\S+)", log.read_text())
    return found[1] if found else None
