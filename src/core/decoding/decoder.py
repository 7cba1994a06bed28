"""``Decoder``: the pure function from (receipt, bytes) to events that every way into the platform calls."""

from collections.abc import Iterator, Mapping, Sequence

from ..errors import BodyError, PermanentError
from ..identity import chunk_key, derived_id
from ..records import RawObject
from .bodies import DAMAGED, MAX_EVENT, documents, is_binary_mode
from .cloudevents import read_binary, read_structured
from .events import Event, NoEvent
from .foreign import Source, read_record, records_of
from .plain import read_plain
from .strict_json import parse


class Decoder:
    """Cuts bodies into documents and reads them as events, foreign ones by the sources of a catalog."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        self._key: tuple[RawObject | None, str] = None, ""  # the last one made: hashing a chunk takes a while

    def documents(self, raw: RawObject) -> Sequence[bytes]:
        """The bytes of every event of a receipt, in order."""
        source = self.source(raw)
        if raw.receipt.content_type == DAMAGED:
            return [raw.body]
        if source is None or is_binary_mode(raw):
            return documents(raw)
        return [record for document in documents(raw) for record in records_of(source, document)]

    def source(self, raw: RawObject) -> Source | None:
        """The foreign source that a receipt names. Raises ``PermanentError`` if the catalog has none such."""
        name = raw.receipt.foreign
        if name is None:
            return None
        if name not in self._sources:
            raise PermanentError(f"Receipt {raw.receipt.id} needs source {name!r}, which the catalog does not declare.")
        return self._sources[name]

    def headers(self, sent: Mapping[str, str], foreign: str | None) -> dict[str, str]:
        """Those headers of a request that decoding needs, names in lower case: the attributes of a CloudEvent in binary
        mode, or what a foreign source reads.
        """
        named = {name.lower(): text for name, text in sent.items()}
        if foreign is None:
            return {name: text for name, text in named.items() if name.startswith("ce-")}
        wanted = self._sources[foreign].headers if foreign in self._sources else ()
        return {name: named[name] for name in wanted if name in named}

    def fallback_id(self, raw: RawObject, index: int) -> str:
        """The id of an event that has none: the same whenever the same request or chunk is sent."""
        receipt = raw.receipt
        if self._key[0] is not raw:
            self._key = raw, receipt.idempotency_key or (chunk_key(raw.body) if receipt.chunk else receipt.id)
        return derived_id(self._key[1], index)

    def read(self, raw: RawObject, index: int, document: bytes) -> Event:
        """The event that the document at an index is. Raises ``NoEvent``."""
        if raw.receipt.content_type == DAMAGED:
            message = "From here on the file cannot be read: its gzip content is damaged or cut off."
            raise NoEvent.because(BodyError(message, code="gzip"))
        if len(document) > MAX_EVENT:
            message = f"The event has {len(document)} bytes; {MAX_EVENT} are allowed."
            raise NoEvent.because(BodyError(message, code="too-large", reason="too-large"))
        if is_binary_mode(raw):
            return read_binary(raw)
        try:
            value = parse(document)
        except BodyError as error:
            raise NoEvent.because(error) from None
        source = self.source(raw)
        if source is not None:
            return read_record(source, value, raw.receipt.headers, index, self.fallback_id(raw, index))
        if not isinstance(value, dict):
            raise NoEvent.because(BodyError("An event is a JSON object.", code="type"))
        if "eventType" in value:
            return read_plain(value, raw.receipt, self.fallback_id(raw, index))
        if "specversion" in value:
            return read_structured(value)
        message = "The object has neither eventType nor specversion (CloudEvents)."
        raise NoEvent.because(BodyError(message, code="required"))

    def events(self, raw: RawObject) -> Iterator[tuple[bytes, Event | NoEvent]]:
        """Every document of a receipt with the event it is, or why it is none."""
        for index, document in enumerate(self.documents(raw)):
            try:
                yield document, self.read(raw, index, document)
            except NoEvent as error:
                yield document, error
