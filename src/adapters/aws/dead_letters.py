"""Dead letters in SQS: one message for each that is added; letters of the same id are folded when they are read.

Besides letters the queue holds what others put there: messages that SQS moved there after too many deliveries, which
name a receipt that was given up, and failed inputs of functions and of the state machine, which are left as they are.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ...core.records import DeadLetter
from .batches import Entry, send_in_batches
from .clients import Clients
from .letters import Added, batches, copies_of, fitting, folded, letter_id, receipt_of, settled
from .messages import MAX_MESSAGE, number_attribute, size_of, text_attribute
from .sweep import Sweep


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
        self._send(self._entry(letter) for letter in letters)

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

    def places(self, letters: Sequence[str]) -> Mapping[str, Sequence[tuple[str, int]]]:
        chosen = set(letters)
        found = copies_of(message for message in self._sweep.messages() if letter_id(message) in chosen)
        return {letter: sorted({place for copy in found[letter] for place in copy.occurrences}) for letter in found}

    def settle(self, done: Mapping[str, Collection[tuple[str, int]]], failed: Collection[DeadLetter] = ()) -> None:
        """As the port says. What is to stay of a message in part, or says something else now, is sent anew before the
        message is deleted; of several messages for one occurrence one stays, of every letter that is named.
        """
        now = {letter.id: letter for letter in failed}
        named = done.keys() | now.keys()
        if not named:
            return
        with self._sweep.hold() as held:
            found = copies_of(message for message in held.messages if letter_id(message) in named)
            settlements = [settled(found[letter], done.get(letter, ()), now.get(letter)) for letter in found]
            self._send(self._entry(*anew) for settlement in settlements for anew in settlement.anew)
            held.delete([message for settlement in settlements for message in settlement.over])

    def given_up(self) -> Sequence[str]:
        return sorted({receipt for message in self._sweep.messages() if (receipt := receipt_of(message)) is not None})

    def forget(self, receipts: Collection[str]) -> None:
        if receipts:
            with self._sweep.hold() as held:
                held.delete([message for message in held.messages if receipt_of(message) in receipts])

    def _read(self) -> Sequence[DeadLetter]:
        return folded(self._sweep.messages())

    def _send(self, entries: Iterable[Entry]) -> None:
        send_in_batches(
            self._clients.get("sqs").send_message_batch,
            self._url,
            batches(entries, self._most),
            place=self._place,
            sleep=self._sleep,
        )

    def _entry(self, letter: DeadLetter, added: Added | None = None, revision: int = 0) -> Entry:
        """The message of a letter, which was ``added`` once before or is new."""
        named = {
            "letterId": letter.id,
            "reason": letter.reason,
            "fingerprint": letter.fingerprint,
            "eventType": letter.event_type,
        }
        attributes = {name: text_attribute(value) for name, value in named.items() if value}
        # SQS tells milliseconds: letters of the same id that are added within one are told apart by this.
        attributes["addedAt"] = number_attribute(self._clock() if added is None else added.sender)
        if added is not None:
            attributes["firstSentAt"] = number_attribute(added.sent)
        if revision:
            attributes["revision"] = number_attribute(revision)
        return {"MessageBody": fitting(letter, self._most - size_of("", attributes)), "MessageAttributes": attributes}
