"""Dead letters in SQS: one message for each that is added; letters of the same id are folded when they are read.

Besides letters the queue holds what others put there: messages that SQS moved there after too many deliveries, and
failed inputs of functions and of the state machine. A letter is told by its attribute ``letterId``; everything else
is left as it is, for redrive.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final

import msgspec

from ...core.errors import PermanentError
from ...core.records import DeadLetter, Violation
from .batches import ENTRIES, Entry, send_in_batches
from .clients import Clients
from .messages import MAX_MESSAGE, ascii_json, size_of, text_attribute
from .sweep import Sweep

SHOWN: Final = 100

_decode = msgspec.json.Decoder(DeadLetter).decode


class SqsDeadLetters:
    """Reading receives everything that is visible, folds it and gives it back; nothing is deleted by reading.

    A listing that goes on page by page shows the letters as they were at its first page. While one reader has the
    messages in hand another waits for them, as ``Sweep`` says.
    """

    def __init__(
        self,
        clients: Clients,
        queue_url: str,
        *,
        most: int = MAX_MESSAGE,
        sweep: Sweep | None = None,
        clock: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``most``: bytes a message may have, the queue's ``MaximumMessageSize``."""
        self._clients, self._url, self._most = clients, queue_url, most
        self._clock, self._sleep = clock, sleep
        self._place = f"the dead-letter queue {queue_url.rpartition('/')[2]}"
        self._sweep = sweep or Sweep(clients, queue_url, self._place)
        self._listing: tuple[str, Sequence[DeadLetter]] | None = None

    def add(self, letters: Iterable[DeadLetter]) -> None:
        send_in_batches(
            self._clients.get("sqs").send_message_batch,
            self._url,
            self._batches(letters),
            place=self._place,
            sleep=self._sleep,
        )

    def get(self, letter: str) -> DeadLetter | None:
        return next((found for found in self._read() if found.id == letter), None)

    def browse(self, *, after: str | None, limit: int) -> Sequence[DeadLetter]:
        # A page after exactly where the last one ended is a part of the same listing: nothing is received again.
        listing, self._listing = self._listing, None
        letters = listing[1] if listing is not None and listing[0] == after else self._read()
        page = [letter for letter in letters if letter.id > (after or "")][: max(limit, 0)]
        if page:
            self._listing = page[-1].id, letters
        return page

    def occurrences(self) -> Mapping[str, int]:
        totals: Counter[str] = Counter()
        for letter in self._read():
            totals[letter.reason] += letter.seen
        return dict(totals)

    def _read(self) -> Sequence[DeadLetter]:
        return folded(self._sweep.messages())

    def _batches(self, letters: Iterable[DeadLetter]) -> Iterator[Sequence[Entry]]:
        """Messages in batches within the limits of a batch: ten, and together the size of the largest message."""
        batch: list[Entry] = []
        total = 0
        for letter in letters:
            attributes = self._attributes(letter)
            body = _fitting(letter, self._most - size_of("", attributes))
            size = size_of(body, attributes)
            if batch and (len(batch) == ENTRIES or total + size > self._most):
                yield batch
                batch, total = [], 0
            batch.append({"MessageBody": body, "MessageAttributes": attributes})
            total += size
        if batch:
            yield batch

    def _attributes(self, letter: DeadLetter) -> dict[str, Mapping[str, str]]:
        named = {
            "letterId": letter.id,
            "reason": letter.reason,
            "fingerprint": letter.fingerprint,
            "eventType": letter.event_type,
        }
        attributes = {name: text_attribute(value) for name, value in named.items() if value}
        # SQS tells milliseconds: letters of the same id that are added within one are told apart by this.
        attributes["addedAt"] = {"DataType": "Number", "StringValue": str(self._clock())}
        return attributes


def folded(messages: Iterable[Mapping[str, Any]]) -> Sequence[DeadLetter]:
    """The letters among received messages, in order of id; of equal ids the first added, with all occurrences."""
    found: dict[str, list[tuple[tuple[int, int], DeadLetter]]] = {}
    for message in messages:
        if (letter := letter_of(message)) is not None:
            found.setdefault(letter.id, []).append((_added(message), letter))
    letters = []
    for identity in sorted(found):
        copies = sorted(found[identity], key=lambda copy: copy[0])
        every = {occurrence for _, letter in copies for occurrence in letter.occurrences}
        shown = tuple(nsmallest(SHOWN, every))
        letters.append(msgspec.structs.replace(copies[0][1], occurrences=shown, seen=len(every)))
    return letters


def letter_of(message: Mapping[str, Any]) -> DeadLetter | None:
    """The dead letter that a received message is, or None for what SQS or somebody else put into the queue."""
    if "letterId" not in message.get("MessageAttributes", {}):
        return None
    try:
        return _decode(message["Body"])
    except msgspec.MsgspecError:
        return None


def _added(message: Mapping[str, Any]) -> tuple[int, int]:
    """When a letter was added: by the queue's clock, and within its millisecond by the sender's."""
    sender = message["MessageAttributes"].get("addedAt", {}).get("StringValue", "0")
    return int(message["Attributes"]["SentTimestamp"]), int(sender)


def _fitting(letter: DeadLetter, most: int) -> str:
    """The letter as JSON of at most ``most`` bytes: with as many of its violations as fit, and a word of the rest."""
    body = ascii_json(letter)
    kept = len(letter.violations)
    while len(body) > most and kept:
        kept //= 2
        rest = Violation("", "more", f"and {len(letter.violations) - kept} more violations, too many for a message")
        body = ascii_json(msgspec.structs.replace(letter, violations=(*letter.violations[:kept], rest)))
    if len(body) > most:
        raise PermanentError(f"dead letter {letter.id} needs {len(body)} bytes; a message may have {most}")
    return body
