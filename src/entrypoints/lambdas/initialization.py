"""How long a function took to start: the age of its process when it is ready for its first event."""

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


def process_milliseconds(proc: Path = _PROC) -> int | None:
    """The age of this process in steps of some 10 ms; None where there is no /proc, which Linux, and so Lambda, has.

    Field 22 of /proc/self/stat is the process's start in clock ticks after boot, the first number of /proc/uptime the
    seconds since boot (proc(5)). Lambda itself tells the time in its log alone.
    """
    try:
        stat, uptime = (proc / "self" / "stat").read_text("ascii", "replace"), (proc / "uptime").read_text("ascii")
    except FileNotFoundError:
        return None
    # The second field, in parentheses, is a name that may hold anything; the third comes after the last parenthesis.
    started = int(stat.rpartition(")")[2].split()[22 - 3]) / os.sysconf("SC_CLK_TCK")
    return max(0, round((float(uptime.split()[0]) - started) * 1000))
