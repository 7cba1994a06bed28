"""``Sweep``: everything that is in a queue, looked at and given back.

SQS cannot list a queue. So all messages are received, which hides them from others, and made visible again when the
last one has come. Nothing is deleted but what ``Hold.delete`` is told to: whatever happens to the reader, its messages
come back when their time is up.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

from ...core.errors import StoreError, TransientError
from .batches import ENTRIES, in_tens, send_in_batches
from .clients import Clients
from .errors import translated
from .queue import GONE

HIDDEN_SECONDS: Final = 600
"""How long a reader that died keeps its messages from others. Reading must be done by then."""
MOST: Final = 100_000
"""Messages that can be looked at. SQS lets at most some 120,000 messages of a queue be in flight."""
WAIT_SECONDS: Final = 1
PATIENCE_SECONDS: Final = 5.0
"""How long a reader waits, its own messages in hand, for those that another has."""
ROUNDS: Final = 8

_COUNTS: Final = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


class Sweep:
    """Reads a queue as a whole. Two readers at once take turns.

    Each finds that messages are missing which the queue counts, waits for them, and after a time drawn at random
    gives its own back and starts over: one then sees everything, and after it the other. A reader that never got hold
    of all of them in ``ROUNDS`` turns (a third one, or one that died less than ten minutes ago, has them in hand)
    raises ``TransientError`` rather than showing a part as if it were everything. The queue's counts are
    approximate: a count that is too low for a while can make a reader miss what another has in hand right then;
    one that is too high (messages were just deleted) makes it wait.
    """

    def __init__(
        self,
        clients: Clients,
        queue_url: str,
        place: str,
        *,
        wait_seconds: int = WAIT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        rounds: int = ROUNDS,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients, self._url, self._place = clients, queue_url, place
        self._wait, self._patience, self._rounds = wait_seconds, patience, rounds
        self._sleep, self._monotonic = sleep, monotonic

    def messages(self) -> Sequence[Mapping[str, Any]]:
        """Each message once, as SQS gave it, with all attributes. Visible to others again when this returns."""
        with self.hold() as held:
            return held.messages

    @contextmanager
    def hold(self) -> Iterator["Hold"]:
        """All messages, hidden from others while the block lasts; then all but the deleted ones are given back."""
        for round_ in range(self._rounds):
            if round_:
                self._sleep(random.uniform(0, self._patience))  # noqa: S311 (who goes first)
            held: dict[str, Mapping[str, Any]] = {}
            try:
                missing = self._collect(held)
                if not missing:
                    yield Hold(held, self._delete)
                    return
            finally:
                self._give_back(list(held.values()))
        raise TransientError(f"{self._place} is being read: about {missing} messages are in somebody else's hands")

    def _collect(self, held: dict[str, Mapping[str, Any]]) -> int:
        """Receive into ``held`` by message id until all are there. Returns how many are missing, as far as known."""

        def receive(_: int) -> bool:
            found = self._receive()
            # At once, so that what came is given back even if another call fails. Of a message that came twice the
            # later handle counts.
            held.update({message["MessageId"]: message for message in found})
            return bool(found)

        until: float | None = None
        with ThreadPoolExecutor(min(self._clients.parallelism, ENTRIES)) as pool:
            while True:
                # Before looking: what becomes visible while it is counted, and is missed, is received.
                counted = self._counted()
                workers = 1 if not held else min(self._clients.parallelism, ENTRIES)
                came = list(pool.map(receive, range(workers)))
                if len(held) > MOST:
                    raise StoreError(f"{self._place} holds more than {MOST} messages, more than can be looked at")
                missing = counted - len(held)
                if any(came):
                    until = None
                elif missing <= 0:
                    return 0
                elif until is None:
                    until = self._monotonic() + random.uniform(0, self._patience)  # noqa: S311 (who gives way)
                elif self._monotonic() > until:
                    return missing
                else:
                    self._sleep(min(0.2, self._patience / 10))

    def _receive(self) -> Sequence[Mapping[str, Any]]:
        with translated(self._place):
            answer: Mapping[str, Any] = self._clients.get("sqs").receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=ENTRIES,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=self._wait,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        found: Sequence[Mapping[str, Any]] = answer.get("Messages", ())
        return found

    def _counted(self) -> int:
        """How many messages the queue counts, visible ones and others', about."""
        with translated(self._place):
            answer = self._clients.get("sqs").get_queue_attributes(QueueUrl=self._url, AttributeNames=list(_COUNTS))
        return sum(int(answer["Attributes"][name]) for name in _COUNTS)

    def _delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        entries = [{"ReceiptHandle": message["ReceiptHandle"]} for message in messages]
        call = self._clients.get("sqs").delete_message_batch
        send_in_batches(call, self._url, [entries], place=self._place, settled=GONE, sleep=self._sleep)

    def _give_back(self, messages: Sequence[Mapping[str, Any]]) -> None:
        entries = [{"ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0} for message in messages]
        call = self._clients.get("sqs").change_message_visibility_batch

        def give(batch: Sequence[Mapping[str, Any]]) -> None:
            # What was read is right all the same, and what cannot be given back comes back when its time is up.
            with suppress(TransientError):
                send_in_batches(call, self._url, [batch], place=self._place, settled=GONE, sleep=self._sleep)

        with ThreadPoolExecutor(min(self._clients.parallelism, ENTRIES)) as pool:
            list(pool.map(give, in_tens(entries)))


class Hold:
    """Messages in hand."""

    def __init__(
        self, held: dict[str, Mapping[str, Any]], delete: Callable[[Sequence[Mapping[str, Any]]], None]
    ) -> None:
        self._held, self._delete = held, delete

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """Those in hand, in no particular order."""
        return list(self._held.values())

    def delete(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Delete some of them for good, in order. If that fails midway, the others are given back with the rest."""
        for batch in in_tens(messages):
            self._delete(batch)
            for message in batch:
                del self._held[message["MessageId"]]
