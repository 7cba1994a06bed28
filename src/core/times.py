"""Instants: RFC 3339 text and epoch numbers to whole microseconds since 1970, and back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, TypeAlias

import msgspec

from .identity import EARLIEST, LATEST
from .numbers import EXACT

Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""A date-time with an offset, as RFC 3339 requires."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_FROM = 10**11
"""Epoch numbers from here on are milliseconds (1973 in milliseconds, the year 5138 in seconds)."""


def to_micros(instant: datetime) -> int:
    """Microseconds since the epoch of an aware date-time, exactly."""
    since = instant - EPOCH
    return since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds


def parse_time(value: object) -> int:
    """Microseconds of an RFC 3339 text, or of epoch seconds or milliseconds.

    Digits beyond the microsecond are rounded. Raises ``ValueError`` with a sentence.
    """
    micros: int
    if isinstance(value, str):
        try:
            micros = to_micros(msgspec.convert(value, Instant))
        except msgspec.ValidationError:
            raise ValueError("is not an RFC 3339 date-time with an offset, such as 2026-11-23T02:00:00Z") from None
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        micros = epoch_micros(value)
    else:
        raise ValueError("is neither an RFC 3339 text nor a number of epoch seconds or milliseconds")
    if not EARLIEST <= micros <= LATEST:
        raise ValueError("is outside the years 1 to 9999")
    return micros


def epoch_micros(value: int | Decimal) -> int:
    """Microseconds of epoch seconds, or of epoch milliseconds from 10**11 on."""
    scale = 1_000_000 if -MILLISECONDS_FROM < value < MILLISECONDS_FROM else 1_000
    if isinstance(value, int):
        return value * scale
    return int(EXACT.multiply(value, scale).to_integral_value(context=EXACT))


def format_time(micros: int) -> str:
    """RFC 3339 in UTC; a fraction only where there is one."""
    instant = EPOCH + timedelta(microseconds=micros)
    text = instant.isoformat(timespec="microseconds" if instant.microsecond else "seconds")
    return text.replace("+00:00", "Z")
