"""The laws of the design, checked on stores from the outside, against the rules said once more in plain Python."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import msgspec

from millrace.core.identity import EARLIEST, LATEST, TIE, record_key
from millrace.core.ports import Stores
from millrace.core.records import Changes, Curated, LedgerEntry, Marker, ViewRow
from millrace.core.services.archived import Archived
from millrace.core.services.boundary import Boundaries
from millrace.core.services.generations import Generation, Generations
from millrace.core.services.rebuild import PROGRESS, progress_of
from millrace.core.services.reconcile import Reconcile
from millrace.core.views.projection import results
from millrace.core.views.view import View

from .catalog import catalog
from .rules import Claim, claims
from .traffic import Request
from .views import Kept, Table, row_of, table

PAGE = 20
TYPES = sorted(catalog.types)


class Broken(AssertionError):
    """A law does not hold; names it and says where."""

    def __init__(self, law: int, message: str) -> None:
        super().__init__(f"law {law}: {message}")
        self.law = law


def require(law: int, found: object, expected: object, what: str) -> None:
    if found != expected:
        raise Broken(law, f"{what}: found {found!r}, expected {expected!r}")


@attrs.define
class Fates:
    """What must have become of everything, given which of equal identities came first."""

    ledger: dict[str, LedgerEntry]
    letters: set[tuple[str, str, int]]
    records: list[Curated]


def check(stores: Stores, accepted: Mapping[str, Request]) -> None:
    """Laws 1, 2, 3, 7, 8 and 9 on stores that were drained. ``accepted`` are the requests that were answered 2xx."""
    for receipt, request in accepted.items():
        raw = stores.raw.read(receipt)
        require(1, raw.body, request.content, f"bytes of receipt {receipt}")
        require(1, raw.receipt.headers, dict(request.headers), f"headers of receipt {receipt}")
        require(1, raw.receipt.content_type, request.content_type, f"content type of receipt {receipt}")
    fates = fates_of(stores)
    _check_ledger(stores, fates)
    _check_letters(stores, fates)
    kept = [Kept(r.type, r.time, r.source, r.id, r.fields) for r in fates.records]
    for view in catalog.views.values():
        found = _table(view, [*rows_of(stores, view)])
        require(3, found, table(view.name, kept), f"view {view.name!r}")
    account = Reconcile(stores).run()
    if not account.holds:
        raise Broken(2, f"reconcile: {account}")


def fates_of(stores: Stores) -> Fates:
    """The fates of all events in the raw log. Checks that what is curated is what the firsts are curated into."""
    found: defaultdict[tuple[str, int, str, str], list[Curated]] = defaultdict(list)
    for record in records_of(stores):
        found[record.type, record.time, record.source, record.id].append(record)
    fates = Fates({}, set(), [])
    candidates: defaultdict[tuple[str, int, str, str], list[Claim]] = defaultdict(list)
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    all_claims = [claim for receipt in receipts_of(stores) for claim in claims(stores.raw.read(receipt))]
    marked_first = _markers(stores, all_claims)

    def refuse(claim: Claim, reason: str) -> None:
        fates.letters.add((reason, claim.receipt, claim.index))
        outcomes[claim.receipt][f"dead {reason}"] += 1

    for claim in all_claims:
        if claim.refused is not None:
            refuse(claim, claim.refused)
        elif not claim.records:
            outcomes[claim.receipt]["filtered"] += 1
        elif claim.marked:
            first = marked_first[claim.source, claim.id]
            if first.type == claim.type:
                candidates[claim.type, first.time, claim.source, claim.id].append(claim)
            else:
                refuse(claim, "conflict")
        else:
            candidates[claim.type, claim.time or 0, claim.source, claim.id].append(claim)
    boundary = Boundaries(stores.views).read()
    for key in [key for key in candidates if key not in found and boundary and key[1] < boundary.before]:
        for claim in candidates.pop(key):
            refuse(claim, "before-archive-boundary")
    require(2, sorted(found), sorted(candidates), "identities in the curated store")
    for key, rivals in candidates.items():
        winner = _winner(key, found[key], rivals)
        fates.records += found[key]
        for claim in rivals:
            if claim == winner:
                outcomes[claim.receipt]["curated"] += 1
            elif claim.content == winner.content:
                outcomes[claim.receipt]["duplicate"] += 1
            else:
                refuse(claim, "conflict")
    for receipt in receipts_of(stores):
        count = outcomes[receipt]
        dead = {name[5:]: number for name, number in sorted(count.items()) if name.startswith("dead ")}
        fates.ledger[receipt] = LedgerEntry(
            receipt=receipt,
            events=count.total(),
            curated=count["curated"],
            duplicate=count["duplicate"],
            filtered=count["filtered"],
            dead_lettered=sum(dead.values()),
            dead_letters=dead,
        )
    return fates


def _winner(key: object, records: Sequence[Curated], rivals: Sequence[Claim]) -> Claim:
    by_part = sorted(records, key=lambda record: record.part)
    first = by_part[0]
    for claim in rivals:
        if (claim.receipt, claim.index) == (first.receipt, first.index):
            expected = [
                (part, claim.version, claim.subject, claim.receipt, claim.index, fields)
                for part, fields in enumerate(claim.records)
            ]
            held = [(r.part, r.version, r.subject, r.receipt, r.index, r.fields) for r in by_part]
            require(8, held, expected, f"records of {key}")
            return claim
    raise Broken(8, f"{key} was written by {first.receipt}, index {first.index}, which holds no such event")


def _markers(stores: Stores, all_claims: Sequence[Claim]) -> dict[tuple[str, str], Marker]:
    rivals: defaultdict[tuple[str, str], list[Marker]] = defaultdict(list)
    for c in all_claims:
        if c.marked and c.refused is None and c.records:
            time = c.received_at if c.time is None else c.time
            rivals[c.source, c.id].append(Marker(c.source, c.id, c.type, time, c.receipt, c.index))
    firsts = {}
    for identity, markers in rivals.items():
        # The marker that is there comes back; the one given is not written, for all were processed.
        [first] = stores.curated.mark(markers[:1])
        if first not in markers:
            raise Broken(8, f"the marker {first} is none of {markers}")
        firsts[identity] = first
    return firsts


def _check_ledger(stores: Stores, fates: Fates) -> None:
    entries = {entry.receipt: entry for entry in listed(stores.ledger.list, lambda entry: entry.receipt)}
    require(2, sorted(entries), sorted(fates.ledger), "receipts in the ledger")
    for receipt, expected in fates.ledger.items():
        require(2, entries[receipt], expected, f"ledger entry of {receipt}")
        if not entries[receipt].balanced:
            raise Broken(2, f"{entries[receipt]} does not add up")


def _check_letters(stores: Stores, fates: Fates) -> None:
    letters = [*listed(stores.dead_letters.browse, lambda letter: letter.id)]
    found = Counter((letter.reason, *place) for letter in letters for place in letter.occurrences)
    require(7, sorted(found), sorted(fates.letters), "dead letters")
    require(8, max(found.values(), default=1), 1, "letters for one event")
    require(7, sum(letter.seen for letter in letters), len(fates.letters), "dead letters seen")
    totals = Counter(reason for reason, _, _ in fates.letters)
    require(7, stores.dead_letters.occurrences(), dict(totals), "occurrences by reason")


def check_positions(stores: Stores) -> None:
    """Law 4, which holds at any moment: a row is the fold of exactly what its positions say, and so are cursors."""
    registry = Generations(stores.views).read()
    inserted = [stores.feed.changes(origin, 0, 10**6) for origin in stores.feed.origins()]
    shown = {(r.type, record_key(r)) for changes in inserted for r in changes.records}
    if any((record.type, record_key(record)) not in shown for record in records_of(stores)):
        return  # the feed has forgotten what was archived: rows cannot be compared with it
    for view in catalog.views.values():
        for generation in registry.active(view):
            _check_generation(stores, view, generation, inserted)


def _check_generation(stores: Stores, view: View, generation: Generation, inserted: Sequence[Changes]) -> None:
    rows, rebuild = generation.rows_of(view), f"rebuild:{generation.number}"
    cursors = {changes.origin: stores.views.cursor(rows, changes.origin) for changes in inserted}
    progress = stores.views.load(progress_of(generation.number), [PROGRESS])
    cursors[rebuild] = max((int(row.states[0]) for row in progress.values()), default=0)
    members: defaultdict[Any, list[tuple[str, int, Kept]]] = defaultdict(list)
    for changes in inserted:
        for position, r in zip(changes.positions, changes.records, strict=True):
            kept = Kept(r.type, r.time, r.source, r.id, r.fields)
            live = _is_live(generation, changes.origin, position, r)
            place = (changes.origin, position) if live else (rebuild, record_key(r) - EARLIEST * TIE + 1)
            members[row_of(view.name, kept)].append((*place, kept))
    members.pop(None, None)
    reached = {key for key, inside in members.items() if any(place <= cursors[origin] for origin, place, _ in inside)}
    for row in rows_of(stores, view, generation):
        [(key, measures)] = _table(view, [row]).items()
        counted = [kept for origin, place, kept in members[key] if place <= row.positions.get(origin, 0)]
        require(4, measures, table(view.name, counted).get(key), f"row {key} of {rows} at {dict(row.positions)}")
        if any(row.positions.get(origin, 0) < place <= cursors[origin] for origin, place, _ in members[key]):
            raise Broken(4, f"the cursors {cursors} of {rows} are beyond row {key} at {dict(row.positions)}")
        reached.discard(key)
    require(4, reached, set(), f"rows that the cursors {cursors} of {rows} are beyond")


def _is_live(generation: Generation, origin: str, position: int, record: Curated) -> bool:
    if generation.cut_off is None:
        return position > generation.beyond.get(origin, 0)
    return record.curated_at >= generation.cut_off


def digest(stores: Stores) -> str:
    """A hash of everything that the stores hold, but for the queue, the versions of rows and counts of attempts."""
    letters = listed(stores.dead_letters.browse, lambda letter: letter.id)
    held = (
        [stores.raw.read(receipt) for receipt in receipts_of(stores)],
        [msgspec.structs.replace(record, raw=b"") for record in records_of(stores)],
        [*listed(stores.ledger.list, lambda entry: entry.receipt)],
        [msgspec.structs.replace(letter, attempts=1) for letter in letters],
        {view.name: [(row.key, row.states) for row in rows_of(stores, view)] for view in catalog.views.values()},
    )
    return hashlib.sha256(msgspec.json.encode(held, order="deterministic")).hexdigest()


def receipts_of(stores: Stores) -> list[str]:
    def page(*, after: str | None, limit: int) -> Sequence[str]:
        return stores.raw.list(since=EARLIEST, until=LATEST, after=after, limit=limit)

    return [*listed(page, str)]


def records_of(stores: Stores) -> Iterator[Curated]:
    """The curated events, stored or archived."""
    for name in TYPES:
        # In one page: paging needs a sort key, which would be the core's word for it.
        yield from Archived(stores).page(name, None, 10**6)


def rows_of(stores: Stores, view: View, generation: Generation | None = None) -> Iterator[ViewRow]:
    """The rows of a generation; without one, of that which readers see."""
    name = (generation or Generations(stores.views).read().current(view)).rows_of(view)

    def page(*, after: Any, limit: int) -> Sequence[ViewRow]:
        return stores.views.rows(name, since=EARLIEST, until=LATEST, after=after, limit=limit)

    yield from listed(page, lambda row: row.key)


def _table(view: View, rows: Sequence[ViewRow]) -> Table:
    return {(row.window, tuple(row.group.values())): row.measures for row in results(view, rows)}


def listed(fetch: Callable[..., Sequence[Any]], key: Callable[[Any], Any]) -> Iterator[Any]:
    """Everything that a port lists in pages, ``key`` being what it goes on behind."""
    after = None
    while page := fetch(after=after, limit=PAGE):
        yield from page
        after = key(page[-1])
