"""Archives into views alone against DuckDB, with workers, and at scale; and the plan of a job over many receipts."""

import gzip
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, NamedTuple

import attrs
import duckdb

from millrace.adapters.memory import memory_stores
from millrace.adapters.system import SystemClock
from millrace.core.jobs import JobSpec
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.services.jobs import Jobs
from millrace.core.views.projection import results
from millrace.entrypoints.backfill.folding import Folded, fold_archive
from millrace.entrypoints.backfill.taking import Foreign
from millrace.entrypoints.files import Chunk, find_inputs, read

from .catalog import catalog
from .in_memory import Totals
from .workload import each_line

HOW = Foreign("file", None)
HOUR = 3_600_000_000
FILES = 8
"""Of an archive: it comes as several files."""

QUERY = """
    WITH events AS (
        SELECT eventType, eventId, eventTime, source, unnest(data)
        FROM read_json($path, format = 'newline_delimited', columns = {
            eventType: 'VARCHAR', eventId: 'VARCHAR', eventTime: 'TIMESTAMP', source: 'VARCHAR',
            data: 'STRUCT(order_id VARCHAR, customer_id VARCHAR, amount DECIMAL(38, 2), currency VARCHAR,
                tax DECIMAL(38, 2), items INTEGER, channel VARCHAR, country VARCHAR, coupon VARCHAR)'
        })
    ),
    distinct_events AS (
        SELECT DISTINCT ON (eventType, source, eventId, eventTime) * FROM events
        WHERE amount > 0 AND amount < 1000000 AND items > 0
    )
    SELECT epoch_us(time_bucket(INTERVAL 1 HOUR, eventTime)), currency, count(*), sum(amount), max(amount)
    FROM distinct_events GROUP BY ALL
"""


def write(path: Path, count: int) -> None:
    """Events as gzip NDJSON."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.writelines(line + b"\n" for line in each_line(count))


def write_several(folder: Path, count: int) -> None:
    """The same as several files, in order of name."""
    lines = each_line(count)
    for number in range(FILES):
        with gzip.open(folder / f"{number}.ndjson.gz", "wb", compresslevel=1) as file:
            file.writelines(line + b"\n" for line in islice(lines, -(-count // FILES)))


def chunks(path: Path) -> Iterator[Chunk]:
    for source in find_inputs([str(path)]):
        for chunk in read(source):
            assert isinstance(chunk, Chunk)
            yield chunk


def millrace(path: Path) -> tuple[float, Totals]:
    """Seconds of CPU, and the view's totals."""
    start = process_time()
    folded = fold_archive(catalog, chunks(path), HOW)
    seconds = process_time() - start
    return seconds, totals(folded)


def totals(folded: Folded) -> Totals:
    view = catalog.views["revenue"]
    return {
        (r.window, str(r.group["currency"])): (r.measures["orders"], r.measures["revenue"], r.measures["largest"])
        for r in results(view, folded.views.rows(view))
    }


def on_duckdb(path: Path) -> tuple[float, Totals]:
    """The same from the same file on DuckDB: one thread, decoding every field, first of each identity, the rules."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SELECT 1").fetchall()
        start = process_time()
        rows: Sequence[Any] = connection.execute(QUERY, {"path": str(path)}).fetchall()
        seconds = process_time() - start
    return seconds, {(row[0], row[1]): (row[2], Decimal(row[3]), Decimal(row[4])) for row in rows}


@attrs.frozen
class Compared:
    """Ratios of each round, and what Millrace took."""

    ratios: Sequence[float]
    microseconds: Sequence[float]


def compare(count: int, rounds: int) -> Compared:
    """CPU of Millrace to that of DuckDB, taking turns; results are asserted equal."""
    ratios, ours = [], []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.ndjson.gz"
        write(path, count)
        for _ in range(rounds):
            mine, found = millrace(path)
            theirs, expected = on_duckdb(path)
            assert found == expected, "the views differ"
            ratios.append(mine / theirs)
            ours.append(mine / count * 1e6)
    return Compared(ratios, ours)


def speedup(count: int, rounds: int) -> list[float]:
    """Wall time of one worker to that of two, on an archive of several files, taking turns."""
    ratios = []
    with TemporaryDirectory() as folder:
        write_several(Path(folder), count)
        for _ in range(rounds):
            one, two = (_wall(Path(folder), workers) for workers in (1, 2))
            ratios.append(one / two)
    return ratios


def _wall(path: Path, workers: int) -> float:
    start = perf_counter()
    fold_archive(catalog, chunks(path), HOW, workers)
    return perf_counter() - start


def at_scale(small: int, large: int) -> tuple[Mapping[int, float], Mapping[int, float]]:
    """Peak memory in MB, and microseconds of CPU an event, by how many events there are."""
    megabytes, microseconds = {}, {}
    for count in (small, large):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "events.ndjson.gz"
            write(path, count)
            # VmHWM is the program's own; ru_maxrss would count what the parent held when it forked.
            measured = (
                "import sys; from pathlib import Path; from tests.benchmarks.backfill import millrace\n"
                "print(millrace(Path(sys.argv[1]))[0])\n"
                "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
            )
            done = subprocess.run(
                [sys.executable, "-c", measured, str(path)], capture_output=True, check=True, text=True
            )
        seconds, kilobytes = done.stdout.split()
        megabytes[count], microseconds[count] = int(kilobytes) / 1024, float(seconds) / count * 1e6
    return megabytes, microseconds


class Numbered:
    """A raw log that lists so many receipts, and has none of them."""

    def __init__(self, count: int) -> None:
        self._count = count

    def list(self, *, since: int, until: int, after: str | None, limit: int) -> Sequence[str]:
        first = 0 if after is None else int(after.replace("-", ""), 16) + 1
        hexes = (f"{number:032x}" for number in range(first, min(first + limit, self._count)))
        return [f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in hexes]


class Planned(NamedTuple):
    """Microseconds a receipt, and the peak of allocated memory (in a run of its own)."""

    microseconds: float
    megabytes: float


def planning(count: int) -> Planned:
    """What it takes to plan a job over so many receipts."""
    import tracemalloc

    start = process_time()
    _plan(count)
    seconds = process_time() - start
    tracemalloc.start()
    _plan(count)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Planned(seconds / count * 1e6, peak / 1e6)


def _plan(count: int) -> None:
    raw: Any = Numbered(count)
    process: Any = None
    jobs = Jobs(Pipeline(catalog), process, attrs.evolve(memory_stores(), raw=raw), SystemClock())
    assert jobs.plan("job", JobSpec()).receipts == count
