"""Processes that tests start: each ends with its block, whatever it thinks of that."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE_SECONDS = 60.0
"""How long a process may take to do what it is asked, on a machine that has much else to do."""


@contextmanager
def ending(process: "subprocess.Popen[Any]") -> Iterator[None]:
    """Terminate the process after the block. One that does not end is killed, and that is an error."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
            process.wait()
