"""``Seen``: which identities came before, exactly, in memory of bounded size."""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain, compress, islice
from operator import eq
from pathlib import Path
from tempfile import TemporaryDirectory

HOT = 131_072
"""Identities that are held in memory; beyond so many, about half of them, with the earlier times, goes to a file."""
_AT_ONCE = 200
_SAMPLE = 1000
_SETTINGS = ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -8192")
_Key = tuple[int, int]


class Seen:
    """A set of (time, tie), to be closed.

    Archives are roughly in order of time, so the latest are kept in memory and the others in a file, which is asked
    only about times that it may have.
    """

    def __init__(self, hot: int = HOT) -> None:
        self._limit = hot
        self._hot: dict[_Key, int] = {}
        self._count = 0
        self._latest_cold: int | None = None
        self._folder: TemporaryDirectory[str] | None = None
        self._file: sqlite3.Connection | None = None

    def fresh(self, times: Sequence[int], ties: Sequence[int]) -> bytearray:
        """For each, in order, 1 if it is new, else 0; it is in the set from now on."""
        hot, keys, start = self._hot, [*zip(times, ties, strict=True)], self._count
        self._count += len(keys)
        places = range(start, self._count)
        found = bytearray(map(eq, map(hot.setdefault, keys, places), places))
        if known := self._cold(compress(keys, found)):
            for place, key in enumerate(keys):
                if found[place] and key in known:
                    found[place] = 0
                    del hot[key]
        if len(hot) > self._limit:
            self._spill()
        return found

    def close(self) -> None:
        """Forget all."""
        self._hot.clear()
        if self._file is not None and self._folder is not None:
            self._file.close()
            self._folder.cleanup()

    def _cold(self, keys: Iterable[_Key]) -> set[_Key]:
        """Those of the keys that the file has."""
        latest = self._latest_cold
        if latest is None or self._file is None:
            return set()
        asked = sorted(key for key in keys if key[0] <= latest)
        known: set[_Key] = set()
        for at in range(0, len(asked), _AT_ONCE):
            some = asked[at : at + _AT_ONCE]
            values = ",".join(["(?,?)"] * len(some))
            sql = f"SELECT time, tie FROM seen WHERE (time, tie) IN (VALUES {values})"  # noqa: S608 (question marks)
            known.update(self._file.execute(sql, [*chain.from_iterable(some)]))
        return known

    def _spill(self) -> None:
        some_times = sorted(time for time, _ in islice(self._hot, 0, None, max(1, len(self._hot) // _SAMPLE)))
        middle = some_times[len(some_times) // 2]
        cold = sorted(key for key in self._hot if key[0] <= middle)
        if self._file is None:
            self._folder = TemporaryDirectory(prefix="millrace-")
            self._file = sqlite3.connect(Path(self._folder.name) / "seen.sqlite", isolation_level=None)
            for setting in _SETTINGS:
                self._file.execute(f"PRAGMA {setting}")
            self._file.execute("CREATE TABLE seen (time INTEGER, tie INTEGER, PRIMARY KEY (time, tie)) WITHOUT ROWID")
        self._file.execute("BEGIN")
        for at in range(0, len(cold), _AT_ONCE):
            some = cold[at : at + _AT_ONCE]
            values = ",".join(["(?,?)"] * len(some))
            self._file.execute(f"INSERT INTO seen VALUES {values}", [*chain.from_iterable(some)])  # noqa: S608
        self._file.execute("COMMIT")
        for key in cold:
            del self._hot[key]
        latest = cold[-1][0]
        self._latest_cold = latest if self._latest_cold is None else max(latest, self._latest_cold)
