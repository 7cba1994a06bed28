"""What the serving process and its worker tell each other: msgpack of tagged structs, one a message."""

from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import msgspec

from ...core.records import RawObject


class Given(msgspec.Struct, frozen=True, tag=True):
    """Receipts that are durable in the raw log, and to be processed; some with their bytes, which need not be read."""

    receipts: Sequence[str] = ()
    raws: Sequence[RawObject] = ()


class Redrive(msgspec.Struct, frozen=True, tag=True):
    """Redrive dead letters, or say what that would come to; ``choice`` has the fields of a ``Choice``."""

    number: int
    choice: Mapping[str, str]
    dry_run: bool


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Finish what is in hand, and end."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The store is open."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The worker cannot work, and ends."""

    sentence: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """These receipts are processed, or cannot be for now and wait where they are found when the store is opened."""

    receipts: Sequence[str]


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What a redrive came to; ``failure`` is a sentence where it failed, ``transient`` if trying again may help."""

    number: int
    result: dict[str, Any] = {}
    failure: str = ""
    transient: bool = False


class Counted(msgspec.Struct, frozen=True, tag=True):
    """What was processed since the last of these: curated events by type, events by outcome, events by milliseconds
    from request to curated, and some of the events, as ``event_row`` has them.
    """

    types: dict[str, int]
    outcomes: dict[str, int]
    milliseconds: dict[int, int]
    events: Sequence[dict[str, Any]] = ()


ToWorker: TypeAlias = Given | Redrive | Stop
FromWorker: TypeAlias = Ready | Refused | Done | Answer | Counted

_encoder = msgspec.msgpack.Encoder(decimal_format="string")
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def tell(connection: Connection, message: ToWorker | FromWorker) -> None:
    """Send a message. Raises ``OSError`` where nobody listens any more."""
    connection.send_bytes(_encoder.encode(message))


def hear_front(connection: Connection) -> ToWorker:
    """The next message of the serving process. Raises ``EOFError`` or ``OSError`` when it is gone."""
    return _to_worker.decode(connection.recv_bytes())


def hear_worker(connection: Connection) -> FromWorker:
    """The next message of the worker. Raises ``EOFError`` or ``OSError`` when it is gone."""
    return _from_worker.decode(connection.recv_bytes())
