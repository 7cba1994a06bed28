"""Ingest: bytes become a receipt in the raw log and a message in the queue, and only then are accepted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ..decoding.bodies import decompress, is_binary_mode, is_json
from ..decoding.decoder import Decoder
from ..decoding.envelopes import envelopes
from ..decoding.events import NoEvent
from ..errors import BodyError
from ..ports import Clock, RawStore, ReceiptIds, Sender
from ..records import RawObject, Receipt, Violation

MAX_BODY = 5 * 1024 * 1024
MAX_CONTENT = 20 * 1024 * 1024
MAX_EVENTS = 10_000


class Identified(msgspec.Struct, frozen=True):
    """An accepted event, as the answer to a request names it."""

    index: int
    id: str
    type: str


class Rejected(msgspec.Struct, frozen=True):
    """A document that is no event: kept, and bound to become a dead letter."""

    index: int
    violations: tuple[Violation, ...]


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a request: its receipt, and what is in it."""

    receipt: str
    accepted: int
    rejected: list[Rejected]
    events: list[Identified]


class Prepared(NamedTuple):
    """A receipt that is not kept yet, and the answer to whoever sent it."""

    raw: RawObject
    answer: Accepted


class Reserved(NamedTuple):
    """The id and the instant (microseconds) of a receipt to come."""

    receipt: str
    received_at: int


class NothingAccepted(Exception):
    """Nothing in a body is an event, so nothing was stored; says why for each document."""

    def __init__(self, rejected: Sequence[Rejected]) -> None:
        super().__init__(rejected)
        self.rejected = rejected


class Ingest:
    """Takes bytes in. What it returned for is durable in the raw log and queued."""

    def __init__(
        self, raw: RawStore, queue: Sender, decoder: Decoder, clock: Clock, ids: ReceiptIds, catalog: str
    ) -> None:
        self._raw, self._queue, self._decoder, self._clock, self._ids = raw, queue, decoder, clock, ids
        self._catalog = catalog

    def request(self, body: bytes, **given: Any) -> Accepted:
        """Accept a request's body, in any form: ``prepare`` it, and keep what that makes of it."""
        prepared = self.prepare(body, **given)
        self.keep(prepared.raw)
        return prepared.answer

    def prepare(
        self,
        body: bytes,
        *,
        source: str,
        content_type: str = "application/json",
        content_encoding: str = "identity",
        foreign: str | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        origin: str = "request",
    ) -> Prepared:
        """The receipt of a request's body, in any form, and what is to be answered once it is kept; touches no store.

        Raises ``BodyError`` where it is too large, in an unknown encoding or of an unsupported type,
        ``NothingAccepted`` where nothing in it is an event.
        """
        content = content_of(body, content_encoding)
        receipt = self._receipt(source, content_type, foreign, idempotency_key, headers or {}, origin, 1)
        raw = RawObject(receipt, content)
        require_json(raw)
        answer = self._answer(raw)
        if answer.rejected and not answer.events:
            raise NothingAccepted(answer.rejected)
        return Prepared(raw, answer)

    def keep(self, raw: RawObject) -> None:
        """Make a receipt durable, and queue it. Again, it changes nothing."""
        self._raw.append(raw)
        self._queue.send(raw.receipt.id, raw)

    def reserve(self) -> Reserved:
        """What the next receipt is to be called. Who notes it first can accept a chunk again after a crash."""
        now = self._clock.now()
        return Reserved(self._ids.new(now), now)

    def chunk(
        self,
        body: bytes,
        *,
        source: str,
        content_type: str,
        origin: str,
        line: int = 1,
        foreign: str | None = None,
        reserved: Reserved | None = None,
    ) -> str:
        """Accept a chunk of a file, whatever is in it, and return its receipt id.

        Events without ids get them from the chunk's bytes, so that a file that is run twice counts once. With what was
        ``reserved``, accepting the same chunk again changes nothing.
        """
        receipt = self._receipt(source, content_type, foreign, None, {}, origin, line, chunk=True, reserved=reserved)
        self.keep(RawObject(receipt, body))
        return receipt.id

    def _receipt(
        self,
        source: str,
        content_type: str,
        foreign: str | None,
        idempotency_key: str | None,
        headers: Mapping[str, str],
        origin: str,
        line: int,
        *,
        chunk: bool = False,
        reserved: Reserved | None = None,
    ) -> Receipt:
        identity, now = reserved or self.reserve()
        return Receipt(
            id=identity,
            received_at=now,
            content_type=content_type,
            origin=origin,
            source=source,
            foreign=foreign,
            idempotency_key=idempotency_key,
            headers=self._decoder.headers(headers, foreign),
            line=line,
            chunk=chunk,
            catalog=self._catalog,
        )

    def _answer(self, raw: RawObject) -> Accepted:
        documents = documents_of(raw, self._decoder)
        receipt = raw.receipt.id
        if (read := envelopes(raw, documents)) is not None:
            named = [
                Identified(index, each.id or self._decoder.fallback_id(raw, index), each.type)
                for index, each in enumerate(read)
            ]
            return Accepted(receipt, len(named), [], named)
        events, rejected = [], []
        for index, document in enumerate(documents):
            try:
                event = self._decoder.read(raw, index, document)
            except NoEvent as error:
                rejected.append(Rejected(index, error.violations))
            else:
                events.append(Identified(index, event.id, event.type))
        return Accepted(receipt, len(events), rejected, events)


def require_json(raw: RawObject) -> None:
    """Raise ``BodyError`` (code ``content-type``) for a body of a type that no form of request has."""
    if not is_json(raw.receipt.content_type) and not is_binary_mode(raw):
        raise BodyError(f"{raw.receipt.content_type} is not supported; send JSON.", code="content-type")


def documents_of(raw: RawObject, decoder: Decoder) -> Sequence[bytes]:
    """The documents of a request. Raises ``BodyError`` (code ``too-large``) for more than ``MAX_EVENTS``."""
    documents = decoder.documents(raw)
    if len(documents) > MAX_EVENTS:
        message = f"The body holds {len(documents)} events; {MAX_EVENTS} are allowed."
        raise BodyError(message, code="too-large", reason="too-large")
    return documents


def content_of(body: bytes, encoding: str) -> bytes:
    """The content of a request's body. Raises ``BodyError``: ``too-large``, ``gzip`` (damaged), ``encoding``
    (unknown).
    """
    if len(body) > MAX_BODY:
        message = f"The body has {len(body)} bytes; {MAX_BODY} are allowed."
        raise BodyError(message, code="too-large", reason="too-large")
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return decompress(body, limit=MAX_CONTENT)
        case other:
            raise BodyError(f"Content-Encoding {other!r} is not supported; send gzip or none.", code="encoding")
