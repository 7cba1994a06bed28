"""The SQLite database of a local store: one connection, its transactions, and bulk inserts."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from . import schema
from .errors import translated

NAME = "store.sqlite"

_SETTINGS = (
    "busy_timeout = 5000",
    "cache_size = -16384",  # KiB: what is inserted lies close together, more cache than this gains nothing
    # A power cut may take the last transactions, never the database's consistency. That is enough, because the raw
    # log is fsynced before anything is acknowledged and everything in here is a function of it: what is missing
    # after a crash is found (a receipt without a ledger entry) and processed again.
    "synchronous = NORMAL",
    "wal_autocheckpoint = 4000",
)
_WHOLE = "BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)
_PART = "SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part")
_AT_ONCE = 100, 10, 1


class Database:
    """One connection that threads take turns on: the lock is held for a whole transaction or read."""

    def __init__(self, folder: Path, *, write: bool) -> None:
        """Open ``store.sqlite`` in the folder; a writer creates it. Raises ``StoreError`` if it is no store."""
        self.folder = folder
        self.lock = threading.RLock()
        self._write, self._is_together = write, False
        path = folder / NAME
        with translated(folder):
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'rwc' if write else 'rw'}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            try:
                for setting in _SETTINGS:
                    self._connection.execute(f"PRAGMA {setting}")
                if write:
                    schema.create(self._connection)
                    schema.upgrade(self._connection)
                else:
                    self._connection.execute("PRAGMA query_only = ON")
                schema.check(self._connection, path)
            except BaseException:
                self._connection.close()
                raise

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of one SELECT, a consistent snapshot."""
        with self.lock, translated(self.folder):
            return self._connection.execute(sql, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in the block is committed together at its end, or nothing is."""
        begin, commit, undo = _PART if self._is_together else _WHOLE
        with self.lock, translated(self.folder):
            self._connection.execute(begin)
            try:
                yield self._connection
                self._connection.execute(commit)
            except BaseException:
                # Some errors (a full disk) roll back by themselves.
                if self._connection.in_transaction:
                    for statement in undo:
                        self._connection.execute(statement)
                raise

    @contextmanager
    def together(self) -> Iterator[None]:
        """One commit for all transactions of the block, by the one thread that writes; after an error, none took
        effect for good.
        """
        with self.transaction():
            self._is_together = True
            try:
                yield
            finally:
                self._is_together = False

    @contextmanager
    def aside(self, threads: int = 0) -> Iterator[sqlite3.Connection]:
        """A transaction for what only makes reading faster: readers may write that too, beside the one writer. SQLite
        sorts with so many threads more.
        """
        with self.lock:
            self._connection.execute("PRAGMA query_only = OFF")
            self._connection.execute(f"PRAGMA threads = {threads}")
            try:
                with self.transaction() as connection:
                    yield connection
            finally:
                self._connection.execute("PRAGMA threads = 0")
                if not self._write:
                    self._connection.execute("PRAGMA query_only = ON")

    def close(self, *, durably: bool) -> None:
        """Close the connection; ``durably`` moves the write-ahead log into the database and fsyncs both."""
        with self.lock, translated(self.folder):
            try:
                if durably:
                    self._connection.execute("PRAGMA synchronous = FULL")
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._connection.close()


class BulkInsert:
    """INSERT OR IGNORE of many rows, a hundred or ten per statement, which takes a quarter less time than one each."""

    def __init__(self, table: str, columns: str) -> None:
        self._width = columns.count(",") + 1
        row = f"({','.join('?' * self._width)})"
        insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES "  # noqa: S608 - constants of this package
        self._statements = [(size, insert + ",".join([row] * size)) for size in _AT_ONCE]

    def __call__(self, connection: sqlite3.Connection, rows: Iterable[Sequence[Any]], count: int) -> int:
        """Insert the ``count`` rows in their order; how many of them were not there yet."""
        values = chain.from_iterable(rows)
        inserted, left = 0, count
        for size, statement in self._statements:
            while left >= size:
                inserted += connection.execute(statement, tuple(islice(values, size * self._width))).rowcount
                left -= size
        return inserted
