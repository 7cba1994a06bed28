"""``Function``: a Lambda function in a process of its own, driven through a local Lambda Runtime API.

The process is awslambdaric, the runtime client of AWS's own images, and the environment is what Lambda would set and
no more; so a package that lacks a library, a handler that is misnamed and a variable that is missing show here.

Source of the API: "Using the Lambda runtime API for custom runtimes", version 2018-06-01.
"""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import attrs

TRACE = "Root=1-65f00000-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0"
PATIENCE = 60.0
"""Seconds until a function that does not answer is a failed test."""


@attrs.frozen
class Answer:
    """What an invocation came to. ``failed``: the payload tells the error."""

    payload: bytes
    failed: bool = False

    @property
    def value(self) -> Any:
        """The payload, decoded."""
        return json.loads(self.payload)


class FunctionDied(Exception):
    """The process ended or did not answer; the message is the end of its log."""


class _RuntimeApi(ThreadingHTTPServer):
    """One invocation at a time: ``events`` has those to come, ``answers`` what they came to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: SimpleQueue[tuple[str, str, bytes] | None] = SimpleQueue()
        self.answers: SimpleQueue[Answer] = SimpleQueue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _RuntimeApi

    def do_GET(self) -> None:
        """``/2018-06-01/runtime/invocation/next`` waits for an event."""
        event = self.server.events.get()
        if event is None:  # the test is over, and so is the process
            self.close_connection = True
            return
        request, arn, payload = event
        self._send(
            200,
            payload,
            {
                "Lambda-Runtime-Aws-Request-Id": request,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + PATIENCE) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": arn,
                "Lambda-Runtime-Trace-Id": TRACE,
                "Content-Type": "application/json",
            },
        )

    def do_POST(self) -> None:
        """``…/invocation/ID/response``, ``…/invocation/ID/error`` and ``…/init/error``."""
        payload = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(202, b"", {})
        self.server.answers.put(Answer(payload, failed=self.path.endswith("/error")))

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A line for each request is noise in test reports."""


@attrs.define
class Function:
    """A function that runs. Invocations wait for each other, as on one instance; ``log`` has its output."""

    name: str
    arn: str
    _process: "subprocess.Popen[bytes]"
    _api: _RuntimeApi
    _log: Path
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _fails: bool = False

    def invoke(self, event: Any) -> Answer:
        """Invoke it with an event: a JSON value, or bytes as they are."""
        if self._fails:
            return Answer(b'{"errorType": "Broken", "errorMessage": "by the test"}', failed=True)
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        with self._lock:
            self._api.events.put((str(uuid.uuid4()), self.arn, payload))
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                try:
                    return self._api.answers.get(timeout=0.2)
                except Empty:
                    if self._process.poll() is not None and self._api.answers.empty():
                        break
        raise FunctionDied(f"{self.name}: {self.log[-3000:]}")

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Every invocation fails for as long as the block lasts."""
        self._fails = True
        try:
            yield
        finally:
            self._fails = False

    @property
    def started(self) -> bool:
        """Whether it has taken what it was invoked with. One that failed while it started has not."""
        return self._api.events.empty()

    @property
    def log(self) -> str:
        """Everything it has printed."""
        return self._log.read_text("utf-8", "replace")

    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log that are JSON objects: log records, and metrics in EMF."""
        records = []
        for line in self.log.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                records.append(record)
        return records


@contextmanager
def running(
    name: str,
    handler: str,
    environment: Mapping[str, str],
    *,
    arn: str,
    task_root: Path,
    path: Sequence[Path] = (),
    folder: Path,
    python: Sequence[str] = (sys.executable,),
) -> Iterator[Function]:
    """The function for as long as the block lasts, in ``task_root`` and with ``path`` behind it to import from.

    ``environment`` is the function's own; ``folder`` keeps its log.
    """
    api = _RuntimeApi()
    server = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    server.start()
    surroundings = {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(map(str, [task_root, *path])),
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": str(task_root),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[1]e2e",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "PYTHONDONTWRITEBYTECODE": "1",
        **environment,
    }
    log = folder / f"{name}.log"
    command = [*python, "-m", "awslambdaric", handler]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=task_root, env=surroundings, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield Function(name, arn, process, api, log)
    finally:
        api.events.put(None)
        process.kill()
        process.wait()
        api.shutdown()
        server.join()
        api.server_close()
