"""Instants as people give them, to commands and in the query of a URL."""

import re

from ..core.identity import EARLIEST
from ..core.times import parse_time

EXAMPLE = "RFC 3339 (2026-11-23T02:00:00Z), a date, or a time ago (2h, 7d)"
_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def instant(text: str, now: int) -> int:
    """Microseconds of RFC 3339, of a date (its first instant in UTC), or of a time before ``now`` (90s, 15m, 2h, 7d,
    1w). Raises ``ValueError`` for anything else.
    """
    if ago := _AGO.fullmatch(text):
        return max(now - int(ago[1]) * _SECONDS[ago[2]] * 1_000_000, EARLIEST)
    return parse_time(f"{text}T00:00:00Z" if len(text) == len("2026-11-23") else text)
