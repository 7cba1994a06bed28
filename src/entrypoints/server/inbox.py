"""``Inbox``: a queue within one process, of receipts that are durable elsewhere already."""

from collections import deque
from collections.abc import Callable, Sequence

from ...core.records import Message, RawObject


class Inbox:
    """First in, first out; what is released goes to the end. Threads may share it.

    Nothing of it outlives the process: receipts that nobody acknowledged are found in the raw log again.
    """

    def __init__(self, done: Callable[[Sequence[str]], None]) -> None:
        """``done`` is told of receipts when they are acknowledged."""
        self._waiting: deque[Message] = deque()
        self._done = done

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def send(self, receipt: str, raw: RawObject | None = None) -> None:
        self._waiting.append(Message(receipt, receipt, 1, raw))

    def receive(self, limit: int) -> Sequence[Message]:
        found: list[Message] = []
        while self._waiting and len(found) < limit:
            found.append(self._waiting.popleft())
        return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        self._done([message.receipt for message in messages])

    def release(self, messages: Sequence[Message]) -> None:
        self._waiting.extend(Message(each.receipt, each.token, each.attempt + 1, each.raw) for each in messages)
