"""Dead letters in SQLite."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ...core.records import DeadLetter
from .database import Database

SHOWN = 100

_decode = msgspec.json.Decoder(DeadLetter).decode


class LocalDeadLetters:
    """One row per letter, with a count, and one per occurrence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, letters: Iterable[DeadLetter]) -> None:
        listed = list(letters)
        with self._database.transaction() as connection:
            for letter in listed:
                bare = msgspec.structs.replace(letter, occurrences=(), seen=0)
                connection.execute(
                    "INSERT OR IGNORE INTO dead_letters (id, reason, seen, letter) VALUES (?, ?, 0, ?)",
                    (letter.id, letter.reason, msgspec.json.encode(bare)),
                )
                added = connection.executemany(
                    "INSERT OR IGNORE INTO dead_letter_occurrences (letter, receipt, idx) VALUES (?, ?, ?)",
                    [(letter.id, receipt, index) for receipt, index in letter.occurrences],
                ).rowcount
                if added > 0:
                    connection.execute("UPDATE dead_letters SET seen = seen + ? WHERE id = ?", (added, letter.id))

    def get(self, letter: str) -> DeadLetter | None:
        with self._database.lock:
            rows = self._database.fetch("SELECT id, seen, letter FROM dead_letters WHERE id = ?", (letter,))
            return self._whole(*rows[0]) if rows else None

    def browse(self, *, after: str | None, limit: int) -> Sequence[DeadLetter]:
        with self._database.lock:
            rows = self._database.fetch(
                "SELECT id, seen, letter FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?",
                (after or "", max(limit, 0)),
            )
            return [self._whole(*row) for row in rows]

    def occurrences(self) -> Mapping[str, int]:
        rows = self._database.fetch("SELECT reason, sum(seen) FROM dead_letters GROUP BY reason")
        return dict(rows)

    def _whole(self, identity: str, seen: int, letter: bytes) -> DeadLetter:
        occurrences = self._database.fetch(
            "SELECT receipt, idx FROM dead_letter_occurrences WHERE letter = ? ORDER BY receipt, idx LIMIT ?",
            (identity, SHOWN),
        )
        return msgspec.structs.replace(_decode(letter), occurrences=tuple(occurrences), seen=seen)
