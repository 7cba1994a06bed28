"""``millrace serve`` on the embedded store against a bare ASGI application on the same server that only decodes.

Both are processes of their own and take turns under the same clients, which are a third process. Then the server gets
half of the load that it took, and how long each event took from its request to the curated store is read off the live
numbers that it counts itself.
"""

import json
import os
import re
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import httpx
import msgspec

BARE = """
import sys
import msgspec, uvicorn

async def application(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    msgspec.json.decode(body)
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})

print("url=http://127.0.0.1:" + sys.argv[1], file=sys.stderr, flush=True)
uvicorn.run(application, port=int(sys.argv[1]), log_level="critical", lifespan="off", ws="none")
"""
SERVE = "from millrace.entrypoints.cli import main; main()"
SAMPLE = "from millrace.entrypoints.cli import main; main(['sample', '--events', '{}', '--seed', '7'])"
CONNECTIONS = 48
NUMBER = b"<16 hex digits.>"
"""Where each request's number stands in the ids of its events."""
_numbers = count()
PATIENCE = 120.0


@attrs.frozen
class Compared:
    """Medians over the rounds: events a second, as a ratio and each; and milliseconds from request to curated."""

    ratio: float
    bare: float
    served: float
    p50: float
    p99: float


def compare(size: int, rounds: int = 3, seconds: float = 3.0, paced_seconds: float = 10.0) -> Compared:
    """Requests of ``size`` events. That every accepted event is curated, and no other, is asserted."""
    bodies = _bodies(size, 40_000)
    rates: list[tuple[float, float]] = []
    with TemporaryDirectory() as folder:
        store = f"file:{folder}/store"
        accepted = 0
        with (
            _running([BARE, str(_free_port())]) as bare,
            _running([SERVE, "serve", "--port", "0", "--store", store]) as url,
        ):
            for _ in range(rounds):
                requests, spent = drive(bare, bodies, seconds)
                served, took = drive(url, bodies, seconds)
                accepted += served
                rates.append((requests * size / spent, served * size / took))
                _wait_until_processed(url)
            rate = median(served for _, served in rates) / 2
            time.sleep(3)  # what the last round left is told of by then
            delays = Counter[int]()
            ended = threading.Event()
            watching = threading.Thread(target=_watch, args=(url, delays, ended))
            watching.start()
            accepted += pace(url, bodies, rate / size, paced_seconds)
            _wait_until_processed(url)
            time.sleep(2)
            ended.set()
            watching.join()
        account = json.loads(_millrace("reconcile", "--store", store, "--json"))
        assert account["receipts"] == accepted, "what was answered with 202 is not what was kept"
        assert account["mended"] == 0, "the server left something to be done"
    ratio = median(served / bare for bare, served in rates)
    every = sorted(delays.elements())
    assert every, "nothing was seen of the paced events"
    return Compared(
        ratio,
        median(bare for bare, _ in rates),
        median(served for _, served in rates),
        every[len(every) // 2],
        every[len(every) * 99 // 100],
    )


@attrs.define(eq=False)
class _Client:
    """A connection that sends a request as soon as the one before is answered."""

    socket: socket.socket
    out: memoryview = attrs.field(factory=lambda: memoryview(b""))
    came: bytes = b""


def drive(url: str, bodies: Sequence[bytes], seconds: float) -> tuple[int, float]:
    """How many requests were accepted, and in how many seconds, with as many under way as there are connections."""
    port = int(url.rpartition(":")[2])
    requests = _requests(port, bodies)
    poll, done = selectors.DefaultSelector(), 0
    start = time.perf_counter()
    for _ in range(CONNECTIONS):
        client = _Client(socket.create_connection(("127.0.0.1", port)))
        client.socket.setblocking(False)
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(client.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, client)
        client.out = memoryview(next(requests))
    waiting = CONNECTIONS
    while waiting:
        for key, ready in poll.select(1):
            client = key.data
            if ready & selectors.EVENT_WRITE and client.out:
                client.out = client.out[client.socket.send(client.out) :]
                if not client.out:
                    poll.modify(client.socket, selectors.EVENT_READ, client)
            if ready & selectors.EVENT_READ and _is_answered(client):
                done += 1
                if time.perf_counter() - start < seconds:
                    client.out = memoryview(next(requests))
                    poll.modify(client.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, client)
                else:
                    poll.unregister(client.socket)
                    client.socket.close()
                    waiting -= 1
    return done, time.perf_counter() - start


def pace(url: str, bodies: Sequence[bytes], per_second: float, seconds: float) -> int:
    """Send at an even pace, each request on time whatever became of the one before; how many were accepted."""
    port, threads, wanted = int(url.rpartition(":")[2]), 8, int(per_second * seconds)
    accepted = [0] * threads
    requests = [*islice(_requests(port, bodies), wanted)]

    def send(number: int) -> None:
        client = _Client(socket.create_connection(("127.0.0.1", port)))
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(number, wanted, threads):
            time.sleep(max(start + at / per_second - time.perf_counter(), 0))
            client.socket.sendall(requests[at])
            while not _is_answered(client):
                pass
            accepted[number] += 1
        client.socket.close()

    start = time.perf_counter() + 0.2
    workers = [threading.Thread(target=send, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(accepted)


def _is_answered(client: _Client) -> bool:
    client.came += client.socket.recv(262_144)
    head, separator, body = client.came.partition(b"\r\n\r\n")
    if not separator:
        return False
    found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    if found is None or len(body) < int(found[1]):
        return False
    assert head.split(b" ", 2)[1] == b"202", head
    client.came = b""
    return True


def _requests(port: int, bodies: Sequence[bytes]) -> Iterator[bytes]:
    """Requests without end, no event among them that was there before."""
    for body in cycle([_request(port, body) for body in bodies]):
        yield body.replace(NUMBER, b"%016x" % next(_numbers))


def _request(port: int, body: bytes) -> bytes:
    head = f"POST /ingest HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _bodies(size: int, events: int) -> list[bytes]:
    lines = subprocess.run(
        [sys.executable, "-c", SAMPLE.format(events)], capture_output=True, check=True
    ).stdout.splitlines()
    lines = [re.sub(rb'"eventId":"[^"]{8}', b'"eventId":"' + NUMBER, line, count=1) for line in lines]
    assert all(NUMBER in line for line in lines)
    if size == 1:
        return lines
    return [b"[" + b",".join(lines[at : at + size]) + b"]" for at in range(0, len(lines), size)]


def _watch(url: str, delays: "Counter[int]", ended: threading.Event) -> None:
    """Count the milliseconds that each second's pulse tells of: a percentile stands for its share of the events."""
    with httpx.stream("GET", f"{url}/console/live", timeout=PATIENCE, trust_env=False) as answer:
        for line in answer.iter_lines():
            if ended.is_set():
                return
            if line.startswith('data: {"') and (latency := msgspec.json.decode(line[6:])["latency"]):
                for name, share in (("p50", 50), ("p95", 45), ("p99", 4), ("max", 1)):
                    delays[latency[name]] += share * latency["count"]


def _wait_until_processed(url: str) -> None:
    end = time.monotonic() + PATIENCE
    with httpx.stream("GET", f"{url}/console/live", timeout=PATIENCE, trust_env=False) as answer:
        for line in answer.iter_lines():
            assert time.monotonic() < end, "what was accepted is not processed"
            if line.startswith('data: {"') and msgspec.json.decode(line[6:])["waiting"]["receipts"] == 0:
                return


@contextmanager
def _running(arguments: Sequence[str]) -> Iterator[str]:
    """The URL of a server while it runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    process = subprocess.Popen([sys.executable, "-c", *arguments], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if (found := re.search(r"url=(\S+)", line)) is not None:
                break
        else:
            raise AssertionError("the server did not start")
        url = found[1]
        _wait_until_open(url)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def _wait_until_open(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()
        except ConnectionRefusedError:
            assert time.monotonic() < end, "the server does not listen"
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _millrace(*arguments: str) -> Any:
    return subprocess.run([sys.executable, "-c", SERVE, *arguments], capture_output=True, check=True, text=True).stdout


def page_bytes() -> int:
    """The bytes of everything that the console's page loads."""
    folder = Path(__file__).parents[2] / "src" / "entrypoints" / "console"
    return sum(file.stat().st_size for file in folder.iterdir() if file.suffix in (".html", ".js", ".css", ".svg"))
