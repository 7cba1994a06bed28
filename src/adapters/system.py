"""The machine's own clock and randomness, behind the ports ``Clock`` and ``ReceiptIds``."""

import os
import time
import uuid

_LATEST = 2**48


class SystemClock:
    """The operating system's clock, in microseconds since the epoch."""

    def now(self) -> int:
        return time.time_ns() // 1000


class RandomReceiptIds:
    """UUIDv7 as in RFC 9562, section 5.7: 48 bits of milliseconds, version, 12 bits, variant, 62 random bits.

    The 12 bits hold the fraction of the millisecond (section 6.2, method 3), so that ids sort by arrival
    to a quarter of a microsecond. Raises ``ValueError`` for an instant that 48 bits cannot hold.
    """

    def new(self, received_at: int) -> str:
        milliseconds, microseconds = divmod(received_at, 1000)
        if not 0 <= milliseconds < _LATEST:
            raise ValueError(f"a UUIDv7 cannot hold the instant {received_at} µs")
        fraction = microseconds * 4096 // 1000
        noise = int.from_bytes(os.urandom(8)) >> 2
        return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | noise))
