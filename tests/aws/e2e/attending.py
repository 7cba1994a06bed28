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
    failed: list[BaseException] = []

    def attend() -> None:
        try:
            while not over.wait(PAUSE_SECONDS):
                cloud.drain()
        except BaseException as error:
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
