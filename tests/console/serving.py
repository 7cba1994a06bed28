"""A server as the console's tests see it, and what is sent to it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx

from tests.server import process
from tests.server.process import client_of, until

RETAIL = "millrace.core.catalogs.retail:catalog"


@attrs.frozen
class Served:
    """A server that answers at a URL."""

    url: str
    key: str | None
    kill: Callable[[], None]

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {} if self.key is None else {"x-api-key": self.key}
        with client_of(self.url) as client:
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


@contextmanager
def serving(
    folder: Path, *options: str, store: str = "memory:", catalog: str = RETAIL, port: int = 0, keys: Sequence[str] = ()
) -> Iterator[Served]:
    """A server while it runs; its log is a file in the folder."""
    environment = {"MILLRACE_API_KEYS": ",".join(keys)} if keys else {}
    arguments = ["--catalog", catalog, "--port", str(port), *options]
    with process.serving(folder, *arguments, store=store, **environment) as server:
        yield Served(server.url, keys[0].rpartition("=")[2] if keys else None, server.process.kill)
