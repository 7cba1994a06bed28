"""``attended``: the stack's pollers at work in the background, while a command waits for what the functions make."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .cloud import Cloud

PAUSE_SECONDS = 0.05


@contextmanager
def attended(cloud: Cloud) -> Iterator[None]:
    """What waits is processed again and again for as long as the block lasts, and once more at its end."""
    over = threading.Event()
    failed: list[Exception] = []

    def attend() -> None:
        while not over.wait(PAUSE_SECONDS):
            try:
                cloud.drain()
            except Exception as error:  # told at the end; whoever waits in the block would otherwise wait for ever
                failed.append(error)

    worker = threading.Thread(target=attend, daemon=True)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()
    assert not failed, failed
    cloud.drain()
