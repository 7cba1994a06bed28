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
    """One of the messages for a letter. ``revision`` counts how often what the letter says was replaced: the message
    with the greatest says it, and of those with the same the first added.
    """

    added: Added
    letter: DeadLetter
    revision: int
    message: Received

    @property
    def occurrences(self) -> Sequence[Place]:
        return self.letter.occurrences


class Anew(NamedTuple):
    """A letter to be sent once more, as if it were still the message that was added first."""

    letter: DeadLetter
    added: Added
    revision: int


class Settlement(NamedTuple):
    """What becomes of the messages for a letter: what is sent anew, and then which messages are deleted, in order."""

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
    """The letters among received messages by id, in order; of each its messages, first the one that says what it is."""
    found: dict[str, list[Copy]] = {}
    for message in messages:
        if (letter := letter_of(message)) is not None:
            copy = Copy(_added(message), letter, _number(message, "revision") or 0, message)
            found.setdefault(letter.id, []).append(copy)
    return {identity: sorted(found[identity], key=_rank) for identity in sorted(found)}


def folded(messages: Iterable[Received]) -> Sequence[DeadLetter]:
    """The letters among received messages, in order of id; of equal ids the last revision, or else the first added,
    with all occurrences.
    """
    letters = []
    for copies in copies_of(messages).values():
        every = {place for copy in copies for place in copy.occurrences}
        shown = tuple(nsmallest(SHOWN, every))
        letters.append(msgspec.structs.replace(copies[0].letter, occurrences=shown, seen=len(every)))
    return letters


def settled(copies: Sequence[Copy], done: Collection[Place], now: DeadLetter | None = None) -> Settlement:
    """Take the occurrences that are ``done`` out of a letter; it is ``now`` this, but for those that stay.

    Of the messages that stay no two have the same occurrence, and the one that counts says what the letter is.
    """
    wanted = _bare(now or copies[0].letter)
    kept: set[Place] = set(done)
    stay: list[Copy] = []
    parts: list[tuple[Copy, Sequence[Place]]] = []
    over: list[Copy] = []
    for copy in copies:
        rest = [place for place in dict.fromkeys(copy.occurrences) if place not in kept]
        kept.update(rest)
        if rest and len(rest) == len(copy.occurrences):
            stay.append(copy)
            continue
        over.append(copy)
        if rest:
            parts.append((copy, rest))
    # Parts are sent anew in any case, and say what is wanted: as a revision, where the messages they replace do not, so
    # that it counts also while those are there still. Whichever message counts in the end must say it, too.
    revision = copies[0].revision + any(_bare(copy.letter) != wanted for copy, _ in parts)
    leading = bool(parts) and (not stay or (-revision, parts[0][0].added) < _rank(stay[0]))
    if stay and not leading and _bare(stay[0].letter) != wanted:
        revision = copies[0].revision + 1
        if not parts:
            over.append(stay[0])
            parts.append((stay[0], stay[0].occurrences))
    anew = [
        Anew(msgspec.structs.replace(wanted, occurrences=some, seen=len(some)), copy.added, revision)
        for copy, rest in parts
        for some in _slices(rest)
    ]
    # What says what the letter was goes last: until then it says that or what is wanted, wherever this is cut off.
    return Settlement(anew, [copy.message for copy in sorted(over, key=_rank, reverse=True)])


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


def _slices(places: Sequence[Place]) -> Iterator[tuple[Place, ...]]:
    for start in range(0, len(places), TOGETHER):
        yield tuple(places[start : start + TOGETHER])


def _bare(letter: DeadLetter) -> DeadLetter:
    """What a letter says, without its occurrences."""
    return msgspec.structs.replace(letter, occurrences=(), seen=0)


def _rank(copy: Copy) -> tuple[int, Added]:
    """The order in which messages for one letter count."""
    return -copy.revision, copy.added


def _added(message: Received) -> Added:
    sent = int(message["Attributes"]["SentTimestamp"])
    first = _number(message, "firstSentAt")
    return Added(sent if first is None else first, _number(message, "addedAt") or 0)


def _number(message: Received, name: str) -> int | None:
    value = message["MessageAttributes"].get(name, {}).get("StringValue")
    return None if value is None else int(value)
