"""SIGKILL of a server under load: every event that was answered with 202 is accounted for after the next start.

KILLS in the environment makes it as thorough as asked (``KILLS=20``).
"""

import os
import random
import signal
import threading
import time
from pathlib import Path

import attrs
import httpx

from .process import Server, client_of, millrace, purchase, serving, summary, until

KILLS = int(os.environ.get("KILLS", "4"))
CLIENTS = 4


@attrs.define
class Clients:
    """Send as fast as they are answered, until the server is gone; and know what was accepted."""

    accepted: dict[str, int] = attrs.field(factory=dict)
    unsure: int = 0
    numbers: int = 0
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def send_to(self, server: Server) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._send, args=(server.url,)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads

    def _send(self, url: str) -> None:
        with client_of(url) as client:
            while True:
                with self.lock:
                    first, size = self.numbers, random.choice((1, 1, 7, 40))
                    self.numbers += size
                events = [purchase(f"e-{first + n}") for n in range(size)]
                try:
                    answer = client.post("/ingest", json=events)
                except httpx.HTTPError:
                    with self.lock:
                        self.unsure += size  # the answer was lost: it may have been accepted
                    return
                assert answer.status_code == 202, answer.text
                with self.lock:
                    self.accepted[answer.json()["receipt"]] = size


def test_what_was_accepted_outlives_every_kill(tmp_path: Path) -> None:
    store, clients, rng = f"file:{tmp_path / 'store'}", Clients(), random.Random(1)
    for _ in range(KILLS):
        with serving(tmp_path, store=store) as server:
            before = len(clients.accepted)
            threads = clients.send_to(server)
            until(lambda before=before: len(clients.accepted) > before)  # type: ignore[misc]
            time.sleep(rng.uniform(0, 0.7))
            server.stop(signal.SIGKILL)
            for thread in threads:
                thread.join()
    account = summary(store)
    accepted = sum(clients.accepted.values())
    assert accepted <= account["events"] <= accepted + clients.unsure
    assert account["curated"] == account["events"]  # each has an identity of its own
    with serving(tmp_path, store=store) as server:
        with client_of(server.url) as client:
            for receipt, size in clients.accepted.items():
                answer = client.get(f"/console/receipts/{receipt}", params={"limit": 1})
                assert answer.json()["ledger"]["curated"] == size
        [row] = server.get("/views/revenue")
        assert row["orders"] == account["curated"]
        assert server.stop() == 0
    assert millrace("reconcile", "--store", store).endswith("Every event is accounted for.\n")
