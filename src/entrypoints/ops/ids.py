"""Ids that are looked up: of traces, invocations, requests and receipts, and when they were made."""

import re
from typing import Final

_TRACE: Final = re.compile(r"1-([0-9a-f]{8})-[0-9a-f]{24}")
_RECEIPT: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_QUOTABLE: Final = re.compile(r"[A-Za-z0-9_.:=+/@-]+")


def is_quotable(text: str) -> bool:
    """Whether an id can stand in a filter of X-Ray or of CloudWatch Logs as it is: neither can escape a quote."""
    return _QUOTABLE.fullmatch(text) is not None


def is_receipt(text: str) -> bool:
    """Whether it is the id of a receipt (UUIDv7)."""
    return _RECEIPT.fullmatch(text) is not None


def is_trace(text: str) -> bool:
    """Whether it is the id of a trace of X-Ray."""
    return _TRACE.fullmatch(text) is not None


def made_at(text: str) -> int | None:
    """The instant in microseconds that an id tells: a trace's to the second, a receipt's to the millisecond."""
    if found := _TRACE.fullmatch(text):
        return int(found[1], 16) * 1_000_000
    return int(text.replace("-", "")[:12], 16) * 1000 if is_receipt(text) else None
