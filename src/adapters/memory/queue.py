"""The queue in two dictionaries: what waits, and what is hidden because somebody received it."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import count, islice

import msgspec

from ...core.records import Message, RawObject


class _Entry(msgspec.Struct, gc=False):
    """A waiting receipt; (place, attempts) names one delivery, since a place is never given twice."""

    place: int
    attempts: int = 0

    @property
    def token(self) -> str:
        return f"{self.place}.{self.attempts}"


class MemoryQueue:
    """First in, first out, one entry per receipt. What is released goes to the end, behind those that never failed.

    There is no clock: what was received stays hidden until it is acknowledged, released or ``expire`` is called.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, _Entry] = OrderedDict()
        self._hidden: dict[str, _Entry] = {}
        self._places = count(1)

    def send(self, receipt: str, raw: RawObject | None = None) -> None:  # noqa: ARG002 - nothing to save: a read is quick
        # Of a receipt that is being processed right now, another delivery is owed: the first may predate a redrive.
        self._hidden.pop(receipt, None)
        if receipt not in self._waiting:
            self._waiting[receipt] = _Entry(next(self._places))

    def receive(self, limit: int) -> Sequence[Message]:
        messages = []
        for receipt in list(islice(self._waiting, max(limit, 0))):
            entry = self._waiting.pop(receipt)
            entry.attempts += 1
            self._hidden[receipt] = entry
            messages.append(Message(receipt, entry.token, entry.attempts))
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._take(message)

    def release(self, messages: Sequence[Message]) -> None:
        for message in messages:
            entry = self._take(message)
            if entry is not None:
                self._waiting[message.receipt] = _Entry(next(self._places), entry.attempts)

    def expire(self) -> None:
        """Make every hidden message visible again, in its old place: what a crash of all receivers leads to."""
        entries = sorted([*self._waiting.items(), *self._hidden.items()], key=lambda item: item[1].place)
        self._waiting = OrderedDict(entries)
        self._hidden = {}

    def _take(self, message: Message) -> _Entry | None:
        """Remove the entry that this delivery, and no later one, was made from."""
        for entries in (self._hidden, self._waiting):
            entry = entries.get(message.receipt)
            if entry is not None and entry.token == message.token:
                return entries.pop(message.receipt)
        return None
