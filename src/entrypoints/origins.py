"""Where dead letters come from: the file and line of an event, and its bytes, read back from the raw log."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ..core.pipeline.pipeline import Pipeline
    from ..core.ports import Stores
    from ..core.records import RawObject

Place = tuple[str, int]
"""A receipt and the index of an event in it."""


class Reader(Protocol):
    """What reads the raw log and cuts what is in it; a ``Platform`` is one."""

    @property
    def stores(self) -> "Stores": ...

    @property
    def pipeline(self) -> "Pipeline": ...


class Origin(NamedTuple):
    """The file (or request) an event came in, its line there if it was lines, and its bytes."""

    name: str
    line: int | None
    document: bytes


def origins(platform: Reader, places: Iterable[Place]) -> Mapping[Place, Origin]:
    """The origin of each place that the raw log has; every receipt is read once."""
    from ..core.errors import UnknownReceipt

    wanted: defaultdict[str, list[int]] = defaultdict(list)
    for receipt, index in places:
        wanted[receipt].append(index)
    found: dict[Place, Origin] = {}
    for receipt, indexes in wanted.items():
        try:
            raw = platform.stores.raw.read(receipt)
        except UnknownReceipt:
            continue
        documents, lines = platform.pipeline.decoder.documents(raw), _lines(platform, raw)
        for index in indexes:
            if index < len(documents):
                line = None if lines is None else lines[index]
                found[receipt, index] = Origin(raw.receipt.origin, line, documents[index])
    return found


def _lines(platform: Reader, raw: "RawObject") -> Sequence[int] | None:
    """For each event of a receipt its line, None where it has no lines."""
    from ..core.decoding.bodies import documents, line_numbers
    from ..core.decoding.foreign import records_of

    numbers, source = line_numbers(raw), platform.pipeline.decoder.source(raw)
    if numbers is None or source is None:
        return numbers
    # A line may hold many foreign records.
    pairs = zip(numbers, documents(raw), strict=True)
    return [number for number, document in pairs for _ in records_of(source, document)]
