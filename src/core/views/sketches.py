"""Mergeable sketches for measures of constant or logarithmic size, on the libraries of the extra ``sketches``.

Both are functions of the set of values alone: registers are maxima and bins are counts, so that no order of events,
batches or merges can be told from another.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from typing import Any

from ..errors import CatalogError

PRECISION = 12
"""HyperLogLog registers as a power of two."""

ACCURACY = 0.01
"""Relative error of a quantile."""


def require(module: str, measure: str) -> None:
    """Raise ``CatalogError`` where the library a measure needs is not installed."""
    if find_spec(module) is None:
        raise CatalogError(f"{measure} needs {module}: install millrace[sketches].")


def add_to_registers(state: str | None, texts: Iterable[str]) -> str | None:
    """Registers (base64) with the texts added; None stays None without any."""
    sketch = None
    for text in texts:
        sketch = sketch or _sketch(state)
        sketch.update(text.encode())
    return state if sketch is None else base64.b64encode(sketch.reg.astype("uint8").tobytes()).decode()


def merge_registers(one: str | None, other: str | None) -> str | None:
    """Registers of the union."""
    if one is None or other is None:
        return one or other
    pairs = zip(base64.b64decode(one), base64.b64decode(other), strict=True)
    return base64.b64encode(bytes(map(max, pairs))).decode()


def cardinality(state: str | None) -> int:
    """The estimate of how many different texts were added."""
    return 0 if state is None else round(_sketch(state).count())


def _sketch(state: str | None) -> Any:
    from datasketch import HyperLogLogPlusPlus

    sketch = HyperLogLogPlusPlus(p=PRECISION, hashfunc=_hash64)
    if state is not None:
        sketch.reg[:] = list(base64.b64decode(state))
    return sketch


def _hash64(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:8])


@cache
def _bins() -> Any:
    from ddsketch.mapping import LogarithmicMapping

    return LogarithmicMapping(ACCURACY)


def bins_of(numbers: Iterable[int | Decimal]) -> dict[str, int]:
    """How many numbers fall into each bin: "0", "+k" and "-k" for bin k of the magnitude."""
    key = _bins().key
    return Counter("0" if not n else f"+{key(float(n))}" if n > 0 else f"-{key(float(-n))}" for n in numbers)


def quantile(bins: dict[str, int], q: float) -> Decimal | None:
    """The value at rank ⌊q·(n - 1)⌋, None of no numbers."""
    rank = int(q * (sum(bins.values()) - 1))
    for key in sorted(bins, key=_place):
        rank -= bins[key]
        if rank < 0:
            return Decimal(repr(_place(key)))
    return None


def _place(key: str) -> float:
    if key == "0":
        return 0.0
    magnitude: float = _bins().value(int(key[1:]))
    return magnitude if key[0] == "+" else -magnitude
