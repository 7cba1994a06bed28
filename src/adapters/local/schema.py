"""The tables of a local store, and the check that a database is a store of this format."""

import sqlite3
from pathlib import Path

from ...core.errors import StoreError

FORMAT = 2
"""Kept in ``PRAGMA user_version``; raised by every change that older code cannot read or write: 2 has groups in the raw
log.
"""
READABLE = frozenset({1, 2})
"""Formats that this code reads; a writer makes the newest of them."""

APPLICATION = 0x4D_49_4C_4C
"""Kept in ``PRAGMA application_id``: "MILL"."""

PAGE = 8192
"""Bytes. Bigger pages insert faster in batches and cost more per small transaction; measured between 4096 and 16384."""

_TABLES = (
    # Names that repeat in every row are kept once: a row costs a third less to insert.
    "CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE receipts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    # The last position given away. Kept apart from the rows, so that none is given again if rows are ever deleted.
    "CREATE TABLE positions (last INTEGER NOT NULL)",
    "INSERT INTO positions VALUES (0)",
    # body is the JSON array [source, id, version, subject, curated_at, fields]: one value to bind instead of six.
    """CREATE TABLE curated (
        position INTEGER PRIMARY KEY, type INTEGER NOT NULL, time INTEGER NOT NULL, tie INTEGER NOT NULL,
        part INTEGER NOT NULL, receipt INTEGER NOT NULL, idx INTEGER NOT NULL, content BLOB NOT NULL,
        body BLOB NOT NULL)""",
    "CREATE UNIQUE INDEX curated_key ON curated (type, time, tie)",
    # Only second and further parts are in it, so it costs nothing where events have one part, and counting is cheap.
    "CREATE INDEX curated_further_parts ON curated (position) WHERE part > 0",
    """CREATE VIEW curated_events AS SELECT
        c.position, t.name AS type, c.time AS time_us,
        json_extract(CAST(c.body AS TEXT), '$[0]') AS source, json_extract(CAST(c.body AS TEXT), '$[1]') AS id,
        c.part, json_extract(CAST(c.body AS TEXT), '$[2]') AS version,
        json_extract(CAST(c.body AS TEXT), '$[3]') AS subject, r.name AS receipt, c.idx AS event_index,
        json_extract(CAST(c.body AS TEXT), '$[4]') AS curated_at_us,
        json_extract(CAST(c.body AS TEXT), '$[5]') AS fields
        FROM curated c JOIN types t ON t.id = c.type JOIN receipts r ON r.id = c.receipt""",
    """CREATE TABLE markers (
        source TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, time INTEGER NOT NULL,
        receipt TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (source, id)) WITHOUT ROWID""",
    """CREATE TABLE view_rows (
        view TEXT NOT NULL, start INTEGER NOT NULL, grp TEXT NOT NULL, states BLOB NOT NULL,
        positions BLOB NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (view, start, grp)) WITHOUT ROWID""",
    """CREATE TABLE cursors (
        view TEXT NOT NULL, origin TEXT NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY (view, origin)) WITHOUT ROWID""",
    "CREATE TABLE ledger (receipt TEXT PRIMARY KEY, entry BLOB NOT NULL) WITHOUT ROWID",
    # AUTOINCREMENT: a place is never given twice, so a place and a count of attempts name one delivery for ever.
    """CREATE TABLE queue (
        place INTEGER PRIMARY KEY AUTOINCREMENT, receipt TEXT NOT NULL UNIQUE,
        attempts INTEGER NOT NULL, hidden INTEGER NOT NULL)""",
    """CREATE TABLE dead_letters (
        id TEXT PRIMARY KEY, reason TEXT NOT NULL, seen INTEGER NOT NULL, letter BLOB NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE dead_letter_occurrences (
        letter TEXT NOT NULL, receipt TEXT NOT NULL, idx INTEGER NOT NULL,
        PRIMARY KEY (letter, receipt, idx)) WITHOUT ROWID""",
)


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database, all or none; leave any other database as it is."""
    if _number(connection, "application_id") or _number(connection, "user_version") or _tables(connection):
        return
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def upgrade(connection: sqlite3.Connection) -> None:
    """Make a store of an earlier format one of this; leave any other database as it is."""
    if _number(connection, "application_id") == APPLICATION and _number(connection, "user_version") in READABLE:
        connection.execute(f"PRAGMA user_version = {FORMAT}")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``StoreError`` unless the database is a store of this format."""
    if _number(connection, "application_id") != APPLICATION:
        raise StoreError(f"{path} is no Millrace store")
    found = _number(connection, "user_version")
    if found not in READABLE:
        raise StoreError(
            f"the store {path} has format {found}, and this version of Millrace works with format {FORMAT};"
            " use the version that made it, or rebuild the store from its raw log"
        )


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)


def _tables(connection: sqlite3.Connection) -> int:
    (value,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return int(value)
