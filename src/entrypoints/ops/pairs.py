"""Two ordered series side by side: what is in both, and what is in one only."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def paired(ones: Iterator[T], others: Iterator[T], key: Callable[[T], Any]) -> Iterator[tuple[T | None, T | None]]:
    """The items of two series in strictly ascending order of key, those of one key together; None where a series has
    none of that key. Reads no further ahead than one item of each.
    """
    one, other = next(ones, None), next(others, None)
    while one is not None and other is not None:
        first, second = key(one), key(other)
        yield (one if first <= second else None), (other if second <= first else None)
        if first <= second:
            one = next(ones, None)
        if second <= first:
            other = next(others, None)
    if one is not None:
        yield one, None
    if other is not None:
        yield None, other
    for rest in ones:
        yield rest, None
    for rest in others:
        yield None, rest
