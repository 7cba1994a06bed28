"""``Example``: data that a catalog's author gives, and what is to become of it; tried on demand, never at run time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from ..errors import CatalogError
from .declarations import EventType


@attrs.frozen
class Example:
    """Data of a version of a type, as senders write it, with exactly one expectation.

    ``curated`` are all of its records; ``filtered`` that there are none; ``rejected`` what must be wrong with it: JSON
    pointers into the data, codes, names of rules or reasons of dead letters, any if empty. With none of them it is to
    be accepted, whatever it is curated into.
    """

    type: str
    version: int
    data: Mapping[str, Any]
    curated: Sequence[Mapping[str, Any]] | None
    filtered: bool
    rejected: tuple[str, ...] | None
    place: str


def example_of(
    declared: EventType,
    data: Mapping[str, Any],
    version: int | None,
    curated: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    filtered: bool,
    rejected: bool | str | Iterable[str],
    place: str,
) -> Example:
    """The example, checked as far as it can be without running anything. Raises ``CatalogError``."""
    number = declared.version if version is None else version
    if not declared.oldest <= number <= declared.version:
        raise CatalogError(
            f"{place}: {declared.name!r} has versions {declared.oldest} to {declared.version}; "
            f"there is no example of version {number}."
        )
    if not isinstance(data, Mapping):
        raise CatalogError(f"{place}: the data of an example is a dict, not {type(data).__name__}.")
    wrong = None if rejected is False else () if rejected is True else _texts(rejected)
    if (curated is not None) + filtered + (wrong is not None) > 1:
        raise CatalogError(f"{place}: an example is curated, filtered or rejected, and only one of these.")
    records = [curated] if isinstance(curated, Mapping) else curated
    return Example(declared.name, number, data, records, filtered, wrong, place)


def _texts(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)
