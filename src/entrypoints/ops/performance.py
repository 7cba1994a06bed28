"""Memory and time of functions: what they are given against what they used, from Lambda's report of each invocation."""

import math
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import attrs

from .findings import Report
from .logs import lines
from .runtimes import live
from .stack import Stack

MOST_REPORTS: Final = 5000
"""Invocations of a function that are looked at."""
LEAST_REPORTS: Final = 20
"""Fewer tell too little to propose anything."""
TIGHT, ROOMY = 0.85, 0.40
"""Shares of the memory: above the one it is about to run out, below the other it may have too much."""
SLOW: Final = 0.80
"""Share of the time-out at p99 from which it is about to be cut off."""
ONE_CPU: Final = 1769
"""Megabytes that give a function a whole processor (Lambda developer guide, "Configure Lambda function memory")."""
STEP: Final = 64

COLUMNS = ("function", "memory", "used", "invocations", "p50_ms", "p99_ms", "timeout_ms", "cold_ms", "proposal")
_REPORT = re.compile(
    r"REPORT .*?Duration: ([\d.]+) ms.*?Billed Duration: (\d+) ms.*?Memory Size: (\d+) MB.*?Max Memory Used: (\d+) MB"
    r"(?:.*?Init Duration: ([\d.]+) ms)?",
    re.DOTALL,
)


@attrs.frozen
class Invocation:
    """What Lambda reports of one invocation: milliseconds and megabytes. ``initialized`` is of a cold start."""

    duration: float
    memory: int
    used: int
    initialized: float | None = None

    @classmethod
    def of(cls, text: str) -> "Invocation | None":
        """From a line of the log; None of any other line."""
        found = _REPORT.search(text)
        if found is None:
            return None
        return cls(float(found[1]), int(found[3]), int(found[4]), float(found[5]) if found[5] else None)


def performance(stack: Stack, functions: Sequence[str], since: int) -> Report:
    """How the functions do with what they are given, since an instant."""
    rows, wrong = [], []
    for function in functions:
        logged = lines(stack, [function], since, stack.clock.now() + 1, ['"REPORT RequestId"'])
        found = (each for line in logged if (each := Invocation.of(line.text)) is not None)
        row, sentences = judged(function, live(stack, function), [*islice(found, MOST_REPORTS)])
        rows.append(row)
        wrong += sentences
    return Report("Memory and time of functions", COLUMNS, rows, wrong)


def judged(function: str, settings: Any, found: Sequence[Invocation]) -> tuple[dict[str, Any], list[str]]:
    """The row of a function, and what is wrong with it. Of invocations with other memory than now nothing is said."""
    memory, timeout = int(settings["MemorySize"]), int(settings["Timeout"]) * 1000
    mine = [each for each in found if each.memory == memory]
    durations = sorted(each.duration for each in mine)
    cold = sorted(each.initialized for each in mine if each.initialized is not None)
    used = max((each.used for each in mine), default=None)
    p99 = percentile(durations, 0.99)
    row = {
        "function": function,
        "memory": memory,
        "used": used,
        "invocations": len(mine),
        "p50_ms": percentile(durations, 0.5),
        "p99_ms": p99,
        "timeout_ms": timeout,
        "cold_ms": percentile(cold, 0.95),
        "proposal": "",
    }
    if used is None or len(mine) < LEAST_REPORTS:
        return {**row, "proposal": f"too few invocations to tell ({len(mine)} of {LEAST_REPORTS})"}, []
    wrong = []
    if used > TIGHT * memory:
        wanted = _rounded(used / ROOMY / 2)
        row["proposal"] = f"raise the memory to {max(wanted, _rounded(memory * 1.25))} MB"
        wrong.append(f"{function} used {used} of {memory} MB: it is about to run out")
    elif used < ROOMY * memory and memory != ONE_CPU:
        lower = max(_rounded(used / ROOMY), 128)
        if lower < memory:
            saved = 1 - lower / memory
            row["proposal"] = f"try {lower} MB: {saved:.0%} fewer GB-seconds, if it takes no longer with less processor"
    if p99 is not None and p99 > SLOW * timeout:
        wrong.append(f"{function} takes {p99:,.0f} ms at p99; it is cut off at {timeout:,} ms")
    return row, wrong


def percentile(ascending: Sequence[float], share: float) -> float | None:
    """The value that the share of them do not exceed, by nearest rank; None of none."""
    return ascending[max(math.ceil(share * len(ascending)), 1) - 1] if ascending else None


def _rounded(megabytes: float) -> int:
    return math.ceil(megabytes / STEP) * STEP
