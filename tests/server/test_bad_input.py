"""What clients do wrong, on purpose or not: the right answer, no traceback, no growth, and others are served."""

import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from .process import Server, answered, purchase, serving, until

HEAD = "POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, store=f"file:{folder / 'store'}") as server:
        yield server
        log = server.log.read_text()
        assert "Traceback" not in log
        assert "request.failed" not in log


@pytest.fixture(autouse=True)
def serves_others(server: Server) -> Iterator[None]:
    """Whatever a client does, the next one is answered."""
    yield
    assert server.call("POST", "/validate", purchase("1")).json() == [{"index": 0, "valid": True, "violations": []}]


def status(answer: bytes) -> int:
    """The status of a raw answer, which is a problem if it is an error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    code = int(head.split()[1])
    if code >= 400:
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == code
    return code


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"x: " + b"y" * 100_000, 431),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"h%d: v\r\n" % n for n in range(20_000)), 431),
        (f"{HEAD}Content-Length: 10\r\nContent-Length: 12\r\n\r\n".encode(), 400),
        (f"{HEAD}Content-Length: -1\r\n\r\n".encode(), 400),
        (f"{HEAD}Content-Length: abc\r\n\r\n".encode(), 400),
        (f"{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode(), 400),
        (f"{HEAD}Content-Length: 99999999999\r\n\r\n".encode(), 413),
        (f"{HEAD}Content-Length: {6 * 1024 * 1024}\r\n\r\n".encode(), 413),
        (b"GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 403),
        (b"BREW /ingest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"GET /events/%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /events/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /views/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /console/static/../../../pyproject.toml HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (
            b"GET /console/static/%2e%2e/%2e%2e/__init__.py HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            404,
        ),
        (b"GET /console/static/%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        (b"GET /ingest/%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
    ],
)
def test_what_is_no_request_is_refused(server: Server, request_: bytes, expected: int) -> None:
    assert status(server.raw(request_)) == expected


def test_a_body_that_ends_early_leaves_nothing(server: Server) -> None:
    before = server.get("/console/receipts")
    for sent in (b'{"eventType": "pur', b""):
        assert server.raw(f"{HEAD}Content-Length: 100\r\n\r\n".encode() + sent, end=True) == b""
    with server.connection() as connection:
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2".encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert server.get("/console/receipts") == before


def test_a_body_without_a_length_stops_at_the_limit(server: Server) -> None:
    with server.connection() as connection:
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"40000\r\n" + b"[" * 0x40000 + b"\r\n"
        sent = 0
        try:
            for _ in range(100):
                connection.sendall(piece)
                sent += len(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 20 * 1024 * 1024


def test_gzip_bombs_are_not_inflated(server: Server) -> None:
    compressor = zlib.compressobj(9, wbits=31)
    zeros = bytes(1024 * 1024)
    bomb = b"".join(compressor.compress(zeros) for _ in range(2000)) + compressor.flush()
    assert len(bomb) < 5 * 1024 * 1024
    before = server.memory()
    for _ in range(5):
        answer = server.call("POST", "/ingest", bomb, headers={**JSON, "content-encoding": "gzip"})
        assert answer.status_code == 413
    nested = gzip.compress(gzip.compress(json.dumps(purchase("1")).encode()))
    assert server.call("POST", "/ingest", nested, headers={**JSON, "content-encoding": "gzip"}).status_code == 400
    assert server.memory() - before < 150


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"<xml/>", {"content-type": "text/xml"}, 415),
        (b"{}", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {**JSON, "content-encoding": "br"}, 415),
        (b"no gzip", {**JSON, "content-encoding": "gzip"}, 400),
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b'{"eventType": "purchase", "a": NaN}', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, JSON, 400),
        (b"[]", JSON, 202),
        (b"[7, null]", JSON, 422),
        (json.dumps(["x"] * 10_001).encode(), JSON, 413),
        (json.dumps(purchase("1", note="x" * 300_000)).encode(), JSON, 413),
        (json.dumps(purchase("1")).encode(), {**JSON, "idempotency-key": "x" * 300}, 400),
    ],
)
def test_bodies_that_are_no_events_are_refused(server: Server, body: bytes, headers: Any, expected: int) -> None:
    answer = server.call("POST", "/ingest", body, headers=headers)
    assert answer.status_code == expected
    if expected >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_clients_that_send_nothing_make_nobody_wait(server: Server) -> None:
    idle = []
    try:
        for number in range(400):
            connection = server.connection()
            if number % 2:
                connection.sendall(HEAD.encode())
            idle.append(connection)
        start = time.monotonic()
        assert server.call("POST", "/ingest", purchase("among-idle")).status_code == 202
        until(lambda: any(row["eventId"] == "among-idle" for row in server.get("/events/purchase")))
        assert time.monotonic() - start < 60
    finally:
        for connection in idle:
            connection.close()


def test_script_in_an_event_stays_text(server: Server) -> None:
    script = "<script>alert(1)</script>"
    assert server.call("POST", "/ingest", purchase(script, customer_id=script)).status_code == 202
    rows = until(lambda: [row for row in server.get("/events/purchase") if row["eventId"] == script])
    assert rows[0]["customer_id"] == script
    page = server.call("GET", "/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert script not in page.text
    answer = server.call("GET", "/events/purchase")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_half_sent_head_is_answered_when_its_time_is_up(server: Server) -> None:
    with server.connection() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: loc")
        assert status(answered(connection)) == 408
