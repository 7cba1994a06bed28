"""``Inbox``: a queue within one process, of receipts that are durable elsewhere already."""

from collections import deque
from collections.abc import Callable, Sequence

from ...core.records import Message, RawObject


class Inbox:
    """First in, first out; what is released goes to the end. Threads may share it.

    What was received is taken for good when it is settled; until then it can be put back. Nothing outlives the process:
    receipts that were not settled are found in the raw log again.
    """

    def __init__(self, done: Callable[[Sequence[str]], None]) -> None:
        """``done`` is told of receipts that were acknowledged, when they are settled."""
        self._waiting: deque[Message] = deque()
        self._received: list[Message] = []
        self._acknowledged: list[str] = []
        self._done = done

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def send(self, receipt: str, raw: RawObject | None = None) -> None:
        self._waiting.append(Message(receipt, receipt, 1, raw))

    def receive(self, limit: int) -> Sequence[Message]:
        found: list[Message] = []
        while self._waiting and len(found) < limit:
            found.append(self._waiting.popleft())
        self._received += found
        return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        self._acknowledged += [message.receipt for message in messages]

    def release(self, messages: Sequence[Message]) -> None:
        self._waiting.extend(Message(each.receipt, each.token, each.attempt + 1, each.raw) for each in messages)

    def settle(self) -> None:
        """What was done with the messages received is durable."""
        done, self._acknowledged, self._received = self._acknowledged, [], []
        if done:
            self._done(done)

    def put_back(self) -> int:
        """What was done with the messages received since the last settlement did not take effect: they come again,
        first. How many there are.
        """
        again, self._acknowledged, self._received = self._received, [], []
        self._waiting.extendleft(reversed(again))
        return len(again)
