"""An event's way: what became of each event of a receipt, read off the stores and never off a memory of it.

What the catalog makes of the bytes says where to look; what is kept there says what happened. Where the two differ,
the catalog was another one when the receipt was processed.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ....core.decoding.bodies import is_binary_mode
from ....core.pipeline.pipeline import Batch
from ....core.records import Curated, DeadLetter, LedgerEntry, Lineage, Marker, RawObject
from ....core.services.holdings import Holdings
from ....core.services.process import Firsts
from ...rows import event_row, shown
from ..site import Site
from .letters import LOOKED_AT, browsed, document_of

DOCUMENT: Final = 2048
"""Bytes of each event that are shown in a list."""


def ways(
    site: Site, raw: RawObject, entry: LedgerEntry | None, start: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """Up to ``limit`` events of a receipt from an index on, each with its outcome, and how many there are.

    ``outcome`` is null where it is not known: before the receipt is processed, and where the stores do not say.
    Raises ``PermanentError`` where the catalog cannot tell what the receipt holds.
    """
    documents = site.pipeline.decoder.documents(raw)
    chosen = documents[start : start + limit]
    at = raw.receipt.received_at
    batch = site.pipeline.run(raw, at) if is_binary_mode(raw) else site.pipeline.run_some(raw, chosen, start, at)
    stored = _stored(site, batch)
    letters = _letters(site, raw.receipt.id, entry, batch)
    firsts = Firsts(site.stores.raw, site.pipeline)
    judged = {letter.index: letter for letter in batch.letters}
    expected = {record.index: record for record in batch.records}
    rows = []
    for index, document in enumerate(chosen, start):
        record, first, letter = expected.get(index), stored.get(index), letters.get(index)
        named = record or letter or judged.get(index)
        row = {"index": index, **_identity(site, raw, index, document, named), **document_of(document, DOCUMENT)}
        row |= {"outcome": None, "stage": None, "letter": None, "curated": None, "first": None}
        if letter is not None:
            row |= {"outcome": "dead-lettered", "stage": letter.stage, "letter": letter.id, "reason": letter.reason}
        elif record is not None and first is not None:
            mine = (first.receipt, first.index) == (record.receipt, record.index)
            same = mine or not (entry and entry.dead_lettered) or firsts.same_event(record, _lineage(first))
            row["first"] = None if mine else {"receipt": first.receipt, "index": first.index}
            if mine:
                row["curated"] = shown(event_row(first))
            row["outcome"] = "curated" if mine else "duplicate" if same else "dead-lettered"
        elif entry is not None and index in judged and entry.dead_lettered:
            row |= {"outcome": "dead-lettered", "stage": judged[index].stage, "reason": judged[index].reason}
        elif entry is not None and record is None and index not in judged and entry.filtered:
            row["outcome"] = "filtered"
        rows.append(row)
    return rows, len(documents)


def _stored(site: Site, batch: Batch) -> Mapping[int, Curated]:
    """What is kept, or archived, at the key of each event's first record, by index."""
    records = list(batch.records)
    unmarked = [records[place] for place in batch.unmarked]
    markers = [Marker(r.source, r.id, r.type, r.time, r.receipt, r.index) for r in unmarked]
    marked = site.stores.curated.marked(markers) if markers else ()
    for place, first in zip(batch.unmarked, marked, strict=True):
        if first is not None:
            records[place] = msgspec.structs.replace(records[place], time=first.time)
    held = Holdings(site.stores).find({record.index: [record] for record in records})
    return {index: first for index, [first] in held.records.items() if first is not None}


def _letters(site: Site, receipt: str, entry: LedgerEntry | None, batch: Batch) -> Mapping[int, DeadLetter]:
    """The dead letters that events of a receipt are in, by index; of very many letters the first are looked at."""
    if entry is not None and not entry.dead_lettered:
        return {}
    mine = {letter.id: letter.index for letter in batch.letters}
    found: dict[int, DeadLetter] = {}
    for letter in browsed(site, None, LOOKED_AT):
        found.update((index, letter) for where, index in letter.occurrences if where == receipt)
        if letter.id in mine and letter.seen > len(letter.occurrences):
            found.setdefault(mine[letter.id], letter)
    return found


def _identity(
    site: Site, raw: RawObject, index: int, document: bytes, named: Curated | DeadLetter | None
) -> dict[str, Any]:
    """Type and id of an event, as far as it has them."""
    if isinstance(named, DeadLetter):
        return {"eventType": named.event_type, "eventId": named.event_id}
    event = named or site.pipeline.decoder.read(raw, index, document)  # what is no letter is an event
    return {"eventType": event.type, "eventId": event.id}


def _lineage(first: Curated) -> Lineage:
    # No hash of its bytes is at hand: the content itself is compared.
    return Lineage(first.source, first.id, first.receipt, first.index, b"")
