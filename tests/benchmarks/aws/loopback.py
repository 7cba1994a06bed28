"""A service on loopback, in a process of its own, that answers every request at once and well.

``python -m tests.benchmarks.aws.loopback`` serves on a free port and prints it.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_POST = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amz-crc32: 2745614147\r\nContent-Length: 2"
_PUT = b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0'
_END = b"\r\n\r\n"


@contextmanager
def serving() -> Iterator[str]:
    """The address of the service, for as long as the block lasts."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class _Connection(asyncio.Protocol):
    """``{}`` to a POST, as DynamoDB and SQS answer; nothing but headers to a PUT, as S3 does."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while (end := self._received.find(_END)) >= 0:
            head = self._received[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if b"100-continue" in head and len(self._received) == end + len(_END):
                self._transport.write(b"HTTP/1.1 100 Continue" + _END)
            whole = end + len(_END) + length
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            self._transport.write(_PUT + _END if head.startswith(b"put") else _POST + _END + b"{}")


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
