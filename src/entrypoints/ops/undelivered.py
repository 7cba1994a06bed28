"""Messages in the dead-letter queues that are no dead letters: what AWS put there when it gave up.

A job that failed, changes that the stream forgot before they were folded, a sweep that the timer could not call: once
somebody has seen to it, such a message only keeps an alarm on. Receipts that the queue gave up are here, too, but stay:
they were never processed, and leave when they are redriven.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from ...adapters.aws.letters import letter_id, receipt_of
from ...adapters.aws.sweep import Sweep
from ...core.errors import StoreError
from ...core.times import format_time
from .findings import Change, Report
from .stack import Stack

QUEUES: Final = ("DlqUrl", "ChangesDlqUrl")
"""The outputs that name the queues that are read."""
COLUMNS: Final = ("queue", "kind", "sent", "message", "says")
SHOWN: Final = 120
"""Characters of a message that a row shows."""


class Kind(StrEnum):
    """What a message tells of."""

    JOB = "job failed"
    CHANGES = "changes forgotten"
    TIMER = "sweep not called"
    RECEIPT = "receipt given up"
    OTHER = "unknown"

    @property
    def stays(self) -> bool:
        """Whether it is not to be cleared: it stands for events."""
        return self is Kind.RECEIPT


@attrs.frozen(kw_only=True)
class Message:
    """A message as SQS gave it. ``sent`` in microseconds."""

    queue: str
    id: str
    kind: Kind
    sent: int
    body: str
    attributes: Mapping[str, str]

    def row(self) -> Mapping[str, Any]:
        """For a report."""
        short = self.body if len(self.body) <= SHOWN else f"{self.body[:SHOWN]}…"
        return {"queue": self.queue, "kind": self.kind, "sent": format_time(self.sent), "message": self.id,
                "says": short}  # fmt: skip

    def as_dict(self) -> Mapping[str, Any]:
        """Whole, for a file."""
        return {**self.row(), "says": self.body, "attributes": dict(self.attributes)}


def undelivered(stack: Stack, wait_seconds: int = 1) -> list[Message]:
    """The messages of all queues that are no dead letters, in order of time. None is deleted."""
    found = [message for url in _urls(stack) for message in _of(url, _sweep(stack, url, wait_seconds).messages())]
    return sorted(found, key=lambda message: (message.sent, message.id))


def report(found: Sequence[Message]) -> Report:
    """Each is one too many."""
    counts = {kind: sum(message.kind is kind for message in found) for kind in Kind}
    what = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
    wrong = [f"{len(found):,} messages that are no dead letters wait to be seen to: {what}"] if found else []
    if counts[Kind.RECEIPT]:
        wrong.append("millrace dead-letters redrive processes the receipts that were given up")
    return Report("Undelivered", COLUMNS, [message.row() for message in found], wrong)


def clearing(stack: Stack, found: Sequence[Message], out: Path, wait_seconds: int = 1) -> list[Change]:
    """Write what was found to a file, and then delete exactly that. Raises ``StoreError`` where the file exists.

    What somebody else has deleted meanwhile is no error; what came meanwhile stays.
    """
    if out.exists():
        raise StoreError(f"{out} exists, and may be the only copy of what was cleared before; give another file")
    changes = []
    for url in _urls(stack):
        mine = [message for message in found if message.queue == _name(url) and not message.kind.stays]
        if mine:
            before, after = f"{len(mine):,} messages", f"0 messages; they are in {out}"
            changes.append(Change(_name(url), before, after, _Clearing(stack, url, mine, out, wait_seconds)))
    return changes


def kind_of(message: Mapping[str, Any]) -> Kind:
    """What a received message that is no dead letter tells of."""
    named = message.get("MessageAttributes", {}).get("kind", {}).get("StringValue")
    if named == "job-failure":
        return Kind.JOB
    if receipt_of(message) is not None:
        return Kind.RECEIPT
    try:
        told = msgspec.json.decode(message["Body"])
    except msgspec.DecodeError:
        return Kind.OTHER
    if isinstance(told, dict) and "DDBStreamBatchInfo" in told:
        return Kind.CHANGES
    return Kind.TIMER if isinstance(told, dict) and told.get("step") == "sweep" else Kind.OTHER


@attrs.frozen
class _Clearing:
    _stack: Stack
    _url: str
    _messages: Sequence[Message]
    _out: Path
    _wait_seconds: int

    def __call__(self) -> None:
        wanted = {message.id for message in self._messages}
        with _sweep(self._stack, self._url, self._wait_seconds).hold() as held:
            there = [message for message in held.messages if message["MessageId"] in wanted]
            kept = {message["MessageId"] for message in there}
            self._write(message for message in self._messages if message.id in kept)
            held.delete(there)

    def _write(self, messages: Iterable[Message]) -> None:
        with self._out.open("ab") as file:
            for message in messages:
                file.write(msgspec.json.encode(message.as_dict()) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _urls(stack: Stack) -> list[str]:
    return [stack.outputs[output] for output in QUEUES]


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _sweep(stack: Stack, url: str, wait_seconds: int) -> Sweep:
    return Sweep(stack.account.clients, url, f"the queue {_name(url)}", wait_seconds=wait_seconds)


def _of(url: str, received: Iterable[Mapping[str, Any]]) -> list[Message]:
    return [
        Message(
            queue=_name(url),
            id=message["MessageId"],
            kind=kind_of(message),
            sent=int(message["Attributes"]["SentTimestamp"]) * 1000,
            body=message["Body"],
            attributes={
                name: each["StringValue"]
                for name, each in message.get("MessageAttributes", {}).items()
                if "StringValue" in each
            },
        )
        for message in received
        if letter_id(message) is None
    ]
