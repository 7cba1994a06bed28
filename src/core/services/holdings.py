"""Holdings: what is kept of events, record by record, in the store or in the archive.

The store is asked first, and the boundary only then: what is not there any more was archived before it was deleted, and
the boundary was announced before that. So nothing is missed that is being archived meanwhile, and where nothing was
ever archived, that costs one read of one row.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ..errors import Unstorable
from ..ports import Stores
from ..records import Curated
from .archived import Archived
from .boundary import Boundaries


class Held(NamedTuple):
    """What is kept at the keys of each event's records, by index; the events that no store could hold; those of which
    something is in the archive alone; and the archive's boundary, if one of the records was not in the store.
    """

    records: dict[int, list[Curated | None]]
    refused: dict[int, Unstorable]
    archived: set[int]
    boundary: int | None


class Holdings:
    """Finds what is stored or archived. Only reads."""

    def __init__(self, stores: Stores) -> None:
        self._curated = stores.curated
        self._archived, self._boundaries = Archived(stores), Boundaries(stores.views)

    def find(self, asked: Mapping[int, Sequence[Curated]]) -> Held:
        """What is kept of some events, by index, each asked for with records that have the keys."""
        waiting, refused = dict(asked), dict[int, Unstorable]()
        while True:
            owners = [index for index, records in waiting.items() for _ in records]
            records = [record for group in waiting.values() for record in group]
            try:
                found = [*self._curated.find(records)]
            except Unstorable as error:
                refused[owners[error.position]] = error
                del waiting[owners[error.position]]
                continue
            boundary, places = self._find_archived(records, found)
            held: dict[int, list[Curated | None]] = {index: [] for index in waiting}
            for index, record in zip(owners, found, strict=True):
                held[index].append(record)
            return Held(held, refused, {owners[place] for place in places}, boundary)

    def add_further(self, held: Mapping[int, list[Curated]], than: Mapping[int, int]) -> set[int]:
        """Add the further records of events of which more are kept than so many; those of which one is archived."""
        archived: set[int] = set()
        longer = [index for index, records in held.items() if len(records) > than[index]]
        while longer:
            found = self.find({index: [part_of(held[index][0], len(held[index]))] for index in longer})
            for index, [further] in found.records.items():
                if further is not None:
                    held[index].append(further)
            archived |= found.archived
            longer = [index for index, [further] in found.records.items() if further is not None]
        return archived

    def _find_archived(self, records: Sequence[Curated], found: list[Curated | None]) -> tuple[int | None, list[int]]:
        """Fill in what is archived of what was not found; the boundary, and the places that were filled."""
        absent = [place for place, held in enumerate(found) if held is None]
        boundary = self._boundaries.read() if absent else None
        if boundary is None:
            return None, []
        behind = [place for place in absent if records[place].time < boundary.before]
        if behind:
            for place, held in zip(behind, self._archived.find([records[place] for place in behind]), strict=True):
                found[place] = held
        return boundary.before, [place for place in behind if found[place] is not None]


def part_of(record: Curated, part: int) -> Curated:
    """A record that stands for the key of another part of an event."""
    return msgspec.structs.replace(record, part=part, fields={})
