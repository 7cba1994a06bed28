"""A file into the embedded store, all durable, against the same events in memory; and how it scales to a million."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from millrace.adapters.local import open_local
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.records import ViewRow
from millrace.entrypoints.files import Chunk, find_inputs, read
from millrace.entrypoints.platform import Platform

from .catalog import catalog
from .in_memory import on_memory
from .workload import chunks, each_line, lines


def into_the_store(path: Path, store: Path) -> tuple[float, list[ViewRow], int]:
    """Seconds from opening the store to closing it, its view's rows, and its curated events."""
    start = perf_counter()
    with open_local(store, write=True) as local:
        platform = Platform.assemble(catalog, local.stores, SystemClock(), RandomReceiptIds())
        platform.mend()
        for source in find_inputs([str(path)]):
            for chunk in read(source):
                assert isinstance(chunk, Chunk)
                platform.ingest.chunk(
                    chunk.body, source="file", content_type=chunk.content_type, origin=chunk.origin, line=chunk.line
                )
                for _ in platform.work.drain():
                    pass
        view = catalog.views["revenue"]
        rows = [*local.stores.views.rows(view.signature, since=0, until=10**18, after=None, limit=10**9)]
        count = local.stores.curated.count()
    return perf_counter() - start, rows, count


def compare(count: int, rounds: int) -> list[float]:
    """Ratios of wall time per event, embedded store to memory, taking turns; results are asserted equal."""
    ratios = []
    events = lines(count)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "events.ndjson"
        path.write_bytes(b"\n".join(events) + b"\n")
        for turn in range(rounds):
            memory, rows, curated = on_memory(chunks(events), perf_counter)
            durable, stored, kept = into_the_store(path, Path(folder) / f"store{turn}")
            assert [(row.key, row.states) for row in rows] == [(row.key, row.states) for row in stored]
            assert curated == kept, "the numbers of curated events differ"
            ratios.append(durable / memory)
    return ratios


def at_scale(small: int, large: int, rounds: int) -> tuple[list[float], list[float]]:
    """Ratios of time per event, ``large`` to ``small``, taking turns; and the peak memory of the large runs in MB."""
    ratios, megabytes = [], []
    with TemporaryDirectory() as folder:
        files = {count: Path(folder) / f"{count}.ndjson" for count in (small, large)}
        for count, path in files.items():
            with path.open("wb") as file:
                file.writelines(line + b"\n" for line in each_line(count))
        for _ in range(rounds):
            peak, slow = _run(files[large], large, Path(folder) / "store")
            _, quick = _run(files[small], small, Path(folder) / "store")
            ratios.append(slow / quick)
            megabytes.append(peak)
    return ratios, megabytes


def _run(path: Path, count: int, store: Path) -> tuple[float, float]:
    """Peak memory in MB and microseconds per event of ``millrace run`` in a process and a store of its own."""
    # VmHWM is the program's own; ru_maxrss would count what the parent held when it forked.
    measured = (
        "import sys; from millrace.entrypoints.cli import main\n"
        "try: main()\n"
        "finally: print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    )
    catalog_file = str(Path(__file__).parent / "catalog.py")
    arguments = ["run", str(path), "--catalog", catalog_file, "--store", f"file:{store}", "--json"]
    done = subprocess.run([sys.executable, "-c", measured, *arguments], capture_output=True, check=True, text=True)
    shutil.rmtree(store)
    summary = json.loads(done.stdout)
    assert summary["events"] == summary["curated"] + summary["duplicate"] == count, "not every event was processed"
    return int(done.stderr.split()[-1]) / 1024, summary["seconds"] / count * 1e6
