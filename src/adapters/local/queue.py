"""The queue in SQLite."""

from collections.abc import Sequence

from ...core.records import Message, RawObject
from .database import Database

# Both touch a row only as long as no later delivery was made from it: (place, attempts) is the token.
_DELETE = "DELETE FROM queue WHERE receipt = ? AND place || '.' || attempts = ?"
_MOVE_TO_THE_END = """INSERT OR REPLACE INTO queue (receipt, attempts, hidden)
    SELECT receipt, attempts, 0 FROM queue WHERE receipt = ? AND place || '.' || attempts = ?"""


class LocalQueue:
    """First in, first out, one row per receipt. What is released goes to the end, behind those that never failed.

    There is one writing process, so a message needs no time-out: hidden ones are those that this process has in
    hand, and what an earlier process had in hand is visible again when the store is opened for writing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, receipt: str, raw: RawObject | None = None) -> None:  # noqa: ARG002 - nothing to save: a read is quick
        with self._database.transaction() as connection:
            # Of a receipt that is being processed right now, another delivery is owed: the first may predate a
            # redrive. The new row has a new place, so acknowledging the old delivery leaves it alone.
            connection.execute("DELETE FROM queue WHERE receipt = ? AND hidden", (receipt,))
            connection.execute("INSERT OR IGNORE INTO queue (receipt, attempts, hidden) VALUES (?, 0, 0)", (receipt,))

    def receive(self, limit: int) -> Sequence[Message]:
        with self._database.lock:
            rows = self._database.fetch(
                "SELECT place, receipt, attempts + 1 FROM queue WHERE NOT hidden ORDER BY place LIMIT ?",
                (max(limit, 0),),
            )
            if rows:
                with self._database.transaction() as connection:
                    connection.executemany(
                        "UPDATE queue SET hidden = 1, attempts = attempts + 1 WHERE place = ?",
                        [(place,) for place, _, _ in rows],
                    )
        return [Message(receipt, f"{place}.{attempts}", attempts) for place, receipt, attempts in rows]

    def acknowledge(self, messages: Sequence[Message]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(_DELETE, [(message.receipt, message.token) for message in messages])

    def release(self, messages: Sequence[Message]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(_MOVE_TO_THE_END, [(message.receipt, message.token) for message in messages])

    def expire(self) -> None:
        """Make every hidden message visible again, in its old place. Called when a writer opens the store."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE queue SET hidden = 0 WHERE hidden")
