"""What a catalog declares: event types, rules, transforms, upcasters, views, foreign sources."""

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from ..errors import CatalogError
from ..schema.shapes import Record


@attrs.frozen
class Rule:
    """A named pure check on a typed event; a false result, or an exception, is a violation."""

    name: str
    holds: Callable[[Any], bool]
    place: str


@attrs.define
class EventType:
    """A declared type of event; see ``Catalog.event`` for what the settings mean."""

    name: str
    cls: type
    shape: Record
    version: int
    oldest: int
    unversioned: int
    identity: Literal["time", "id"]
    shards: int
    unknown: Literal["drop", "keep", "reject"]
    place: str
    upcasters: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = attrs.field(factory=dict)
    older: dict[int, Record] = attrs.field(factory=dict)
    given: dict[int, list[Mapping[str, Any]]] = attrs.field(factory=dict)
    """Of each version, data that the author gives as examples of what is accepted."""
    rules: list[Rule] = attrs.field(factory=list)
    transform: Callable[[Any], Any] | None = None
    derive: Callable[[Any], dict[str, Any]] | None = None
    yields: tuple[str, ...] = ()

    def shape_of_version(self, version: int) -> Record | None:
        """The shape of a version's data; None for an older one whose class is not declared."""
        return self.shape if version == self.version else self.older.get(version)


def place_of_caller() -> str:
    """File and line of the declaration that is being made."""
    frame = sys._getframe(2)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def require_name(kind: str, name: object, place: str) -> None:
    """Refuse a name that cannot stand in a path, a key or a column."""
    if not isinstance(name, str) or not name or len(name) > 128 or any(c in "/#()" or c.isspace() for c in name):
        raise CatalogError(f"{place}: {name!r} is no name for {kind}: 1 to 128 characters, no blanks, none of / # ( ).")


def require_function(kind: str, function: object, place: str) -> None:
    """Refuse what cannot be called, or would only start when awaited: its result would always count as true."""
    if not callable(function):
        raise CatalogError(f"{place}: {function!r} is no {kind}; it cannot be called.")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise CatalogError(f"{place}: the {kind} {function!r} is async; the functions of a catalog are pure.")
