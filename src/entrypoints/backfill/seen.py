"""``Seen``: which identities came before, exactly, in memory of bounded size."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import eq, itemgetter
from os import SEEK_END
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from ...core.pipeline.scan import NO_TIME

HOT = 65_536
"""Identities that are taken in before they are set aside; as many again, the last that were, are in memory too."""
_Key = tuple[int, int]


class Seen:
    """A set of (time, tie), to be closed.

    Archives are roughly in order of time. So identities are set aside in runs as they come, each with the span of its
    times; an identity is looked for in the runs that its time may be in, most often in none. The last run is in memory,
    the others are in a file, sorted once they are asked for.
    """

    def __init__(self, hot: int = HOT) -> None:
        self._limit = hot
        self._hot = _Held()
        self._last: _Held | None = None
        self._runs: list[_Stored] = []
        self._reach: list[int] = []  # the last time of each and all before it
        self._file: IO[bytes] | None = None

    def fresh(self, times: Sequence[int], ties: Sequence[int]) -> bytearray:
        """For each, in order, 1 if it is new, else 0; it is in the set from now on."""
        found = self._hot.take_in(times, ties)
        if self._last is not None and times:
            earliest, latest = min(times), max(times)
            for run in self._in_reach(earliest):
                if run.span.holds(earliest, latest):
                    keys = [*zip(times, ties, strict=True)]
                    known = run.known(compress(keys, found))
                    for place, key in enumerate(keys if known else ()):
                        if key in known:
                            found[place] = 0
        if len(self._hot.times) >= self._limit:
            self._set_aside()
        return found

    def _in_reach(self, earliest: int) -> Iterator["_Held | _Stored"]:
        """The runs from the last one back to where all before end before an instant: of an archive in order, few."""
        if self._last is not None:
            yield self._last
        for run, reach in zip(reversed(self._runs), reversed(self._reach), strict=True):
            if earliest != NO_TIME and reach < earliest:
                return
            yield run

    def close(self) -> None:
        """Forget all."""
        self._hot, self._last = _Held(), None
        self._runs.clear()
        if self._file is not None:
            self._file.close()

    def _set_aside(self) -> None:
        if self._last is not None:
            if self._file is None:
                self._file = TemporaryFile(prefix="millrace-")  # noqa: SIM115 (until it is closed with the set)
            self._runs.append(_Stored(self._last, self._file))
            self._reach.append(max([self._last.span.last, *self._reach[-1:]]))
        self._last, self._hot = self._hot, _Held()
        self._last.span = _Span.of(self._last.times)


class _Span(NamedTuple):
    """From the first to the last time of a run; ``untimed`` says that it has identities without one as well."""

    first: int
    last: int
    untimed: bool

    @classmethod
    def of(cls, times: Sequence[int]) -> "_Span":
        untimed = NO_TIME in times
        timed = [time for time in times if time != NO_TIME] if untimed else times
        return cls(min(timed, default=0), max(timed, default=-1), untimed)

    def holds(self, earliest: int, latest: int) -> bool:
        """Whether an instant from the earliest to the latest may be in the run. Without a time is before all others."""
        return (self.untimed and earliest == NO_TIME) or (earliest <= self.last and self.first <= latest)


class _Held:
    """A run in memory: for each tie the place of its time. Ties are 64 bits of a hash, so most have one time only;
    of those that have several (an id that is used again) the further ones are kept apart.
    """

    def __init__(self) -> None:
        self.times = array("q")
        self.span = _Span(0, -1, untimed=False)
        self._places: dict[int, int] = {}
        self._further: set[_Key] = set()

    def take_in(self, times: Sequence[int], ties: Sequence[int]) -> bytearray:
        """For each, in order, 1 if it is new, else 0."""
        start = len(self.times)
        self.times.extend(times)
        places = range(start, len(self.times))
        known = [*map(self._places.setdefault, ties, places)]
        found = bytearray(map(eq, known, places))
        at = found.find(0)
        while at >= 0:
            time = times[at]
            if self.times[known[at]] != time and (time, ties[at]) not in self._further:
                self._further.add((time, ties[at]))
                found[at] = 1
            at = found.find(0, at + 1)
        return found

    def known(self, keys: Iterable[_Key]) -> set[_Key]:
        """Those of the keys that it has."""
        places, times = self._places, self.times
        return {
            key
            for key in keys
            if ((place := places.get(key[1])) is not None and times[place] == key[0]) or key in self._further
        }

    def columns(self) -> tuple["array[int]", "array[int]"]:
        """The times and the ties of all."""
        times, ties = array("q", map(self.times.__getitem__, self._places.values())), array("q", self._places)
        times.extend(time for time, _ in self._further)
        ties.extend(tie for _, tie in self._further)
        return times, ties


class _Stored:
    """A run in a file: all times, then all ties."""

    def __init__(self, run: _Held, file: IO[bytes]) -> None:
        self.span, self._sorted, self._file = run.span, False, file
        self._start = file.seek(0, SEEK_END)
        times, ties = run.columns()
        self._size = len(times)
        self._write(times, ties)

    def known(self, keys: Iterable[_Key]) -> set[_Key]:
        """Those of the keys that it has."""
        asked = [key for key in keys if self.span.holds(key[0], key[0])]
        found = set[_Key]()
        if not asked:
            return found
        times, ties = self._read()
        if not self._sorted:
            keys = sorted(zip(times, ties, strict=True))
            times, ties = array("q", map(itemgetter(0), keys)), array("q", map(itemgetter(1), keys))
            self._write(times, ties)
            self._sorted = True
        for time, tie in asked:
            start, end = bisect_left(times, time), bisect_right(times, time)
            place = bisect_left(ties, tie, start, end)
            if place < end and ties[place] == tie:
                found.add((time, tie))
        return found

    def _write(self, times: "array[int]", ties: "array[int]") -> None:
        self._file.seek(self._start)
        self._file.write(times.tobytes())
        self._file.write(ties.tobytes())

    def _read(self) -> tuple["array[int]", "array[int]"]:
        self._file.seek(self._start)
        times, ties = array("q"), array("q")
        for column in (times, ties):
            column.frombytes(self._file.read(self._size * column.itemsize))
        return times, ties
