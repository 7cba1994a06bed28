"""Dead letters as SQS messages: telling them from other messages, folding copies, and what settling makes of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final, NamedTuple

import msgspec

from ...core.errors import PermanentError
from ...core.records import DeadLetter, Violation
from .batches import ENTRIES, Entry
from .messages import ascii_json, decode_receipt, size_of

SHOWN: Final = 100
TOGETHER: Final = 1000
"""Occurrences that one message has when a letter is sent anew: some 60 kB."""

_decode = msgspec.json.Decoder(DeadLetter).decode

Received = Mapping[str, Any]
Place = tuple[str, int]


class Added(NamedTuple):
    """When a letter was added first: by the queue's clock, and within its millisecond by the sender's."""

    sent: int
    sender: int


class Copy(NamedTuple):
    """One of the messages for a letter. ``attempts`` is None where nobody has counted any."""

    added: Added
    letter: DeadLetter
    attempts: int | None
    message: Received

    @property
    def occurrences(self) -> Sequence[Place]:
        return self.letter.occurrences


class Anew(NamedTuple):
    """A letter to be sent once more, as if it were still the message that was added first."""

    letter: DeadLetter
    added: Added
    attempts: int | None


class Settlement(NamedTuple):
    """What becomes of the messages for a letter: what is sent anew, and then which messages are deleted."""

    anew: Sequence[Anew]
    over: Sequence[Received]


def letter_id(message: Received) -> str | None:
    """The id of the dead letter that a received message says it is."""
    value: str | None = message.get("MessageAttributes", {}).get("letterId", {}).get("StringValue")
    return value


def letter_of(message: Received) -> DeadLetter | None:
    """The dead letter that a received message is, or None for what SQS or somebody else put into the queue."""
    if letter_id(message) is None:
        return None
    try:
        return _decode(message["Body"])
    except msgspec.MsgspecError:
        return None


def receipt_of(message: Received) -> str | None:
    """The receipt that a message of the processing queue names, which SQS moved; None for any other message."""
    if letter_id(message) is not None:
        return None
    try:
        return decode_receipt(message["Body"], "", 0).receipt
    except PermanentError:
        return None


def copies_of(messages: Iterable[Received]) -> Mapping[str, Sequence[Copy]]:
    """The letters among received messages by id, in order; of each its messages, the first added first."""
    found: dict[str, list[Copy]] = {}
    for message in messages:
        if (letter := letter_of(message)) is not None:
            attempts = _number(message, "attempts")
            found.setdefault(letter.id, []).append(Copy(_added(message), letter, attempts, message))
    return {identity: sorted(found[identity], key=lambda copy: copy.added) for identity in sorted(found)}


def folded(messages: Iterable[Received]) -> Sequence[DeadLetter]:
    """The letters among received messages, in order of id; of equal ids the first added, with all occurrences and the
    greatest number of attempts that was counted.
    """
    letters = []
    for copies in copies_of(messages).values():
        every = {place for copy in copies for place in copy.occurrences}
        shown = tuple(nsmallest(SHOWN, every))
        first = copies[0].letter
        letters.append(msgspec.structs.replace(first, occurrences=shown, seen=len(every), attempts=_attempts(copies)))
    return letters


def settled(copies: Sequence[Copy], done: Collection[Place], *, again: bool) -> Settlement:
    """Take the occurrences that are ``done`` out of a letter; ``again``: count one attempt more.

    Of the messages that stay, no two have the same occurrence, and one at least has the count.
    """
    counted = _counted(copies)
    count = _attempts(copies) + 1 if again else counted
    kept: set[Place] = set(done)
    stay: list[tuple[Copy, Sequence[Place]]] = []
    over: list[Received] = []
    for copy in copies:
        rest = [place for place in dict.fromkeys(copy.occurrences) if place not in kept]
        kept.update(rest)
        if rest:
            stay.append((copy, rest))
        else:
            over.append(copy.message)
    whole = [copy for copy, rest in stay if len(rest) == len(copy.occurrences)]
    told = count is None or any(copy.attempts == count for copy in whole)
    anew: list[Anew] = []
    for copy, left in stay:
        if told and copy in whole:
            continue
        told = True
        over.append(copy.message)
        for start in range(0, len(left), TOGETHER):
            part = tuple(left[start : start + TOGETHER])
            letter = msgspec.structs.replace(copy.letter, occurrences=part, attempts=count or copy.letter.attempts)
            anew.append(Anew(letter, copy.added, count))
    return Settlement(anew, over)


def batches(entries: Iterable[Entry], most: int) -> Iterator[Sequence[Entry]]:
    """Entries in batches within the limits of a batch: ten, and together the size of the largest message."""
    batch: list[Entry] = []
    total = 0
    for entry in entries:
        size = size_of(entry["MessageBody"], entry["MessageAttributes"])
        if batch and (len(batch) == ENTRIES or total + size > most):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += size
    if batch:
        yield batch


def fitting(letter: DeadLetter, most: int) -> str:
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


def _attempts(copies: Sequence[Copy]) -> int:
    return _counted(copies) or copies[0].letter.attempts


def _counted(copies: Sequence[Copy]) -> int | None:
    return max((copy.attempts for copy in copies if copy.attempts is not None), default=None)


def _added(message: Received) -> Added:
    sent = int(message["Attributes"]["SentTimestamp"])
    first = _number(message, "firstSentAt")
    return Added(sent if first is None else first, _number(message, "addedAt") or 0)


def _number(message: Received, name: str) -> int | None:
    value = message["MessageAttributes"].get(name, {}).get("StringValue")
    return None if value is None else int(value)
