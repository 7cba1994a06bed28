"""``dynalite``: DynamoDB as dynalite plays it, which is stricter about numbers, keys and sizes than moto is."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import botocore.session

from millrace.adapters.aws.clients import Clients

from .calls import Calls
from .opened import REGION, SURROUNDINGS

FOLDER = Path(__file__).parent / "npm"
_SCRIPT = """
const server = require("dynalite")({ createTableMs: 0, deleteTableMs: 0 })
server.listen(0, "127.0.0.1", () => console.log(server.address().port))
process.stdin.on("end", () => process.exit(0)).resume()
"""


def why_not() -> str | None:
    """Why dynalite cannot be started here; None if it can."""
    if shutil.which("node") is None:
        return "dynalite needs node, which is not installed"
    if not (FOLDER / "node_modules" / "dynalite").is_dir():
        return "dynalite is not installed: run `npm ci` in tests/aws/npm"
    return None


@contextmanager
def dynalite() -> Iterator[str]:
    """A server on a free port of loopback, without any table, for as long as the block lasts. Gives its URL."""
    node = shutil.which("node")
    assert node is not None, why_not()
    # It ends with its standard input, so also where this process is killed.
    # Without the flag an attribute of the name __proto__ is lost among JavaScript's own.
    with subprocess.Popen(
        [node, "--disable-proto=delete", "-e", _SCRIPT],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


@contextmanager
def clients_of(url: str, calls: Calls | None = None, **arguments: int) -> Iterator[Clients]:
    """Clients whose DynamoDB is at that URL; ``calls`` records what they send."""
    with patch.dict(os.environ, {**SURROUNDINGS, "AWS_ENDPOINT_URL_DYNAMODB": url, "NO_PROXY": "127.0.0.1"}):
        session = botocore.session.Session()
        clients = Clients(REGION, session=calls.attach(session) if calls else session, **arguments)
        try:
            yield clients
        finally:
            clients.close()
