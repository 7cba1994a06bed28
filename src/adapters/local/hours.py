"""Hours: the folders of the raw log, named after the UTC hour that a receipt's id tells."""

import re
from datetime import UTC, datetime

from ...core.errors import UnknownReceipt

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}", re.ASCII)
_LAST_MILLISECOND = 253_402_300_799_999


def millisecond_of(receipt: str) -> int:
    """Milliseconds since the epoch, as a UUIDv7 tells them."""
    return int(receipt[:8] + receipt[9:13], 16)


def hour_of(receipt: str) -> str:
    """The folder of a receipt. Raises ``UnknownReceipt`` for what is no UUIDv7, so that no id is ever a path."""
    if not ID.fullmatch(receipt) or millisecond_of(receipt) > _LAST_MILLISECOND:
        raise UnknownReceipt(f"{receipt!r} is no receipt id: those are UUIDs of version 7 in lower case")
    return hour_at(millisecond_of(receipt))


def hour_at(millisecond: int) -> str:
    """The UTC hour of an instant; instants outside the years 1970 to 9999 get the nearest hour."""
    second = min(max(millisecond, 0), _LAST_MILLISECOND) // 1000
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H")
