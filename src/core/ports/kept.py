"""The ports of what is kept: receipts, events, changes, views, ledger, queue, dead letters and files."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from ..conditions import Where
from ..records import (
    Changes,
    Curated,
    DeadLetter,
    LedgerEntry,
    Lineage,
    Marker,
    Message,
    RawObject,
    RowKey,
    ViewRow,
)


class RawStore(Protocol):
    """The raw log: receipts with their exact bytes, immutable."""

    def append(self, raw: RawObject) -> None:
        """Keep it durably before returning. Atomic: it is there whole or not at all.

        The same receipt with the same bytes again changes nothing; with others: ``ReceiptConflict``.
        """
        ...

    def append_all(self, raws: Sequence[RawObject]) -> None:
        """Append each of them, which may be cheaper than one by one; after an error any of them may be there."""
        ...

    def read(self, receipt: str) -> RawObject:
        """What was appended, byte for byte. Raises ``UnknownReceipt``."""
        ...

    def list(self, *, since: int, until: int, after: str | None, limit: int) -> Sequence[str]:
        """Up to ``limit`` ids in ascending order, beyond ``after``, received in [since, until).

        Ids tell the time in milliseconds: those of every millisecond that overlaps the range are listed; an empty range
        overlaps none.
        """
        ...


class CuratedStore(Protocol):
    """Curated events: first write wins, nothing is ever overwritten."""

    def insert(self, records: Sequence[Curated]) -> Sequence[Lineage | None]:
        """For each record, in order: None if what the store holds at its key now is this receipt and index (written
        now or by an earlier attempt), else the lineage of what was there first, which stays.

        The key is (type, time, tie-break of source, id and part). Each record by itself is atomic; after a
        ``TransientError`` any of them may have been written. Raises ``Unstorable`` before writing anything.
        """
        ...

    def check(self, records: Sequence[Curated]) -> None:
        """Raise ``Unstorable`` for the first record that the store cannot hold; write nothing."""
        ...

    def mark(self, markers: Sequence[Marker]) -> Sequence[Marker]:
        """For each marker, in order, the one that was first for its (source, id): this or an earlier one."""
        ...

    def find(self, records: Sequence[Curated]) -> Sequence[Curated | None]:
        """For each record, in order, what is stored at its key. Raises ``Unstorable`` as ``insert`` does."""
        ...

    def marked(self, markers: Sequence[Marker]) -> Sequence[Marker | None]:
        """For each marker, in order, the one that is there for its (source, id). Writes none."""
        ...

    def replace(self, records: Sequence[Curated]) -> Sequence[bool]:
        """Write each over what is stored at its key, if that is of the same receipt and index and differs; say for each
        whether it was written.

        ``curated_at`` stays what it was, and the feed shows no change: views follow by being rebuilt. Each record by
        itself is atomic. Raises ``Unstorable`` before writing anything.
        """
        ...

    def delete(self, records: Sequence[Curated]) -> None:
        """Delete what is stored at each record's key, if it is of the same receipt and index. The feed shows no change
        from then on, or those from before as they were; markers stay.
        """
        ...

    def restore(self, records: Sequence[Curated]) -> None:
        """Write back what was deleted: each record whose key is free, as it is. The feed shows no change. Each record
        by itself is atomic. Raises ``Unstorable`` before writing anything.
        """
        ...

    def query(
        self, event_type: str, *, since: int, until: int, after: int | None, limit: int, where: Where = ()
    ) -> Sequence[Curated]:
        """Up to ``limit`` records of a type with time in [since, until) for which every condition holds, in order of
        sort key, beyond ``after``. None only where there are no more.
        """
        ...

    def count(self) -> int:
        """How many curated events there are, counting each event once however many parts it has."""
        ...


class ChangeFeed(Protocol):
    """The insertions of curated events, as the views see them. Each is in one origin, once."""

    def origins(self) -> Sequence[str]:
        """The origins there are now; those whose changes have expired are gone."""
        ...

    def changes(self, origin: str, after: int, limit: int) -> Changes:
        """Up to ``limit`` insertions with position > ``after`` (0: from the first), in order of position.

        A position that was seen is followed by greater ones only: nothing appears behind a reader. Fewer than
        ``limit`` may be answered at any time, none only where there are no more.
        """
        ...


class ViewStore(Protocol):
    """View rows with their positions, and how far each view has read each origin."""

    def load(self, view: str, keys: Sequence[RowKey]) -> Mapping[RowKey, ViewRow]:
        """Those of the rows that exist."""
        ...

    def commit(self, view: str, rows: Sequence[ViewRow]) -> Sequence[RowKey]:
        """Write each row whose stored version is still ``row.version``, raising it by one, state and positions
        together. Returns the keys of rows that lost the race and were not written.

        Each row by itself is atomic; after a ``TransientError`` any of them may have been written.
        """
        ...

    def rows(self, view: str, *, since: int, until: int, after: RowKey | None, limit: int) -> Sequence[ViewRow]:
        """Up to ``limit`` rows with window start in [since, until), in order of key, beyond ``after``."""
        ...

    def cursor(self, view: str, origin: str) -> int:
        """The position up to which every change of the origin is in the view's rows; 0 before the first."""
        ...

    def advance(self, view: str, origin: str, position: int) -> None:
        """Raise the cursor to ``position``; a lower one changes nothing."""
        ...

    def forget(self, view: str, limit: int) -> int:
        """Delete up to ``limit`` of a view's cursors and rows, the cursors first; how many: 0 when none is left.

        Each by itself is atomic; after a ``TransientError`` any of them may be gone. A row that is gone is one that was
        never committed, so a view is rid of its rows for good only when nobody writes it any more.
        """
        ...


class Ledger(Protocol):
    """One entry per receipt."""

    def record(self, entry: LedgerEntry) -> None:
        """Write the entry of a receipt; the same again changes nothing, another one replaces it."""
        ...

    def entries(self, receipts: Sequence[str]) -> Mapping[str, LedgerEntry]:
        """Those of the entries that exist."""
        ...

    def list(self, *, after: str | None, limit: int) -> Sequence[LedgerEntry]:
        """Up to ``limit`` entries in order of receipt id, beyond ``after``."""
        ...


class Sender(Protocol):
    """The end of a queue that receipts are put into."""

    def send(self, receipt: str, raw: RawObject | None = None) -> None:
        """Enqueue durably before returning. An adapter may carry ``raw`` along to save a read."""
        ...


class Queue(Sender, Protocol):
    """Receipts that wait to be processed. At least once: a message may come twice, and out of order."""

    def receive(self, limit: int) -> Sequence[Message]:
        """Up to ``limit`` messages, hidden from others until acknowledged, released or their time is up."""
        ...

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """They are done with. A message that is gone already is no error.

        Whether an old token acknowledges a later delivery of the same message is open; who has one has processed it.
        """
        ...

    def release(self, messages: Sequence[Message]) -> None:
        """Make them visible again at once, to be tried another time."""
        ...


class DeadLetters(Protocol):
    """What could not be processed, until it is redriven or purged."""

    def add(self, letters: Iterable[DeadLetter]) -> None:
        """Keep each. One whose id is there only adds its occurrences; an occurrence that is there adds nothing."""
        ...

    def get(self, letter: str) -> DeadLetter | None:
        """The dead letter of that id."""
        ...

    def browse(self, *, after: str | None, limit: int) -> Sequence[DeadLetter]:
        """Up to ``limit`` dead letters in order of id, beyond ``after``."""
        ...

    def occurrences(self) -> Mapping[str, int]:
        """How many (receipt, index) there are for each reason, over all letters."""
        ...

    def places(self, letters: Sequence[str]) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Every (receipt, index) of those of the letters that exist, in order."""
        ...

    def settle(self, done: Mapping[str, Collection[tuple[str, int]]], failed: Collection[DeadLetter] = ()) -> None:
        """Take the occurrences that are ``done`` out of their letters, and put each that ``failed`` again in the place
        of the letter with its id: attempts and all it says, but for the occurrences, which stay.

        A letter without occurrences is gone. What is gone already is no error, and does not come back. After a
        ``TransientError`` any part of it may have happened; the same again comes to the same as once.
        """
        ...

    def given_up(self) -> Sequence[str]:
        """Receipts that the queue delivered in vain too often and put here, in order."""
        ...

    def forget(self, receipts: Collection[str]) -> None:
        """They are given up no longer: they were processed."""
        ...


class Files(Protocol):
    """Files in folders: those of jobs (manifests, and what each shard came to), those of the archive."""

    def write(self, folder: str, name: str, body: bytes) -> None:
        """Keep it durably before returning; a file of that name is replaced, whole."""
        ...

    def read(self, folder: str, name: str) -> bytes | None:
        """The file's bytes; None if there is none."""
        ...

    def names(self, folder: str, prefix: str) -> Sequence[str]:
        """The names of a folder's files that begin with ``prefix``, in order."""
        ...


@attrs.frozen
class Stores:
    """One adapter's implementation of every port that keeps something."""

    raw: RawStore
    curated: CuratedStore
    feed: ChangeFeed
    views: ViewStore
    ledger: Ledger
    queue: Queue
    dead_letters: DeadLetters
    job_files: Files
    archive: Files
