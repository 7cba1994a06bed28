"""Dead letters in SQLite."""

from collections.abc import Collection, Iterable, Mapping, Sequence

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
                connection.execute(
                    "INSERT OR IGNORE INTO dead_letters (id, reason, seen, letter) VALUES (?, ?, 0, ?)",
                    (letter.id, letter.reason, _bare(letter)),
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

    def places(self, letters: Sequence[str]) -> Mapping[str, Sequence[tuple[str, int]]]:
        found: dict[str, Sequence[tuple[str, int]]] = {}
        with self._database.lock:
            for letter in letters:
                rows = self._database.fetch(
                    "SELECT receipt, idx FROM dead_letter_occurrences WHERE letter = ? ORDER BY receipt, idx", (letter,)
                )
                if rows:
                    found[letter] = rows
        return found

    def settle(self, done: Mapping[str, Collection[tuple[str, int]]], failed: Collection[DeadLetter] = ()) -> None:
        with self._database.transaction() as connection:
            for letter, places in done.items():
                taken = connection.executemany(
                    "DELETE FROM dead_letter_occurrences WHERE letter = ? AND receipt = ? AND idx = ?",
                    [(letter, receipt, index) for receipt, index in places],
                ).rowcount
                if taken > 0:
                    connection.execute("UPDATE dead_letters SET seen = seen - ? WHERE id = ?", (taken, letter))
                    connection.execute("DELETE FROM dead_letters WHERE id = ? AND seen = 0", (letter,))
            connection.executemany(
                "UPDATE dead_letters SET reason = ?, letter = ? WHERE id = ?",
                [(now.reason, _bare(now), now.id) for now in failed],
            )

    def given_up(self) -> Sequence[str]:
        # The queue delivers for as long as it takes.
        return []

    def forget(self, receipts: Collection[str]) -> None:
        pass

    def _whole(self, identity: str, seen: int, letter: bytes) -> DeadLetter:
        occurrences = self._database.fetch(
            "SELECT receipt, idx FROM dead_letter_occurrences WHERE letter = ? ORDER BY receipt, idx LIMIT ?",
            (identity, SHOWN),
        )
        return msgspec.structs.replace(_decode(letter), occurrences=tuple(occurrences), seen=seen)


def _bare(letter: DeadLetter) -> bytes:
    """A letter without its occurrences, which have rows of their own."""
    return msgspec.json.encode(msgspec.structs.replace(letter, occurrences=(), seen=0))
