"""Examples of a shape: instances that meet its constraints, to try user code on when a catalog is built."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import annotated_types as at
import attrs

from .constraints import violated
from .shapes import Choice, Leaf, Many, Mapping, OneOf, Record, Shape

MOST = 8
_SINGLES: dict[Any, tuple[Any, ...]] = {
    str: ("example", "a", "2026-11-23", "https://example.com/a?b=c", "a@example.com", ""),
    bool: (True, False),
    int: (1, 0, 10, 100, -1),
    float: (1.5, 0.0, 0.5, 100.0, -1.5),
    Decimal: (Decimal("1.50"), Decimal(0), Decimal("0.5"), Decimal(100), Decimal("-1.5")),
    datetime: (datetime(2026, 11, 23, 2, tzinfo=UTC),),
    date: (date(2026, 11, 23),),
    time: (time(2, 30),),
    UUID: (UUID(int=1),),
    bytes: (b"example", b""),
    Any: ("example", 1, None),
}


def examples(shape: Record) -> list[Any]:
    """Up to 8 instances that vary every field; fewer, or none, where no value is known to meet the constraints."""
    return _instances(shape)


def _instances(shape: Record) -> list[Any]:
    candidates = {field: _values(field.shape) for field in shape.fields}
    if not all(candidates.values()):
        return []
    found = []
    for turn in range(min(MOST, max(map(len, candidates.values()), default=1))):
        arguments = {field.alias: values[turn % len(values)] for field, values in candidates.items()}
        try:
            found.append(shape.type(**arguments))
        except Exception:  # noqa: S112 (the class's own validators may refuse what the shape allows)
            continue
    return found


def _values(shape: Shape) -> list[Any]:
    match shape:
        case Leaf(type=leaf, constraints=constraints):
            values = [*_SINGLES[leaf], *(_near(leaf, c) for c in constraints)]
        case Choice(values=choices):
            values = list(choices)
        case OneOf(options=options, nullable=nullable):
            values = [value for option in options for value in _values(option)] + [None] * nullable
        case Many(item=item, container=container):
            items = _values(item)
            values = [container(items[:n]) for n in (1, 2, 0)] if items and _hashable(items, container) else []
        case Mapping(item=item):
            values = [{"key": value} for value in _values(item)]
        case Record():
            values = list(_instances(shape))
    return [v for v in values if v is None or not any(_fails(c, v) for c in shape.constraints)]


def _near(leaf: Any, constraint: Any) -> Any:
    """A value at the edge of a constraint, on its right side."""
    step: Any = Decimal("0.01") if leaf is Decimal else 0.01 if leaf is float else 1
    try:
        match constraint:
            case at.Gt(gt=bound):
                return leaf(bound) + step
            case at.Ge(ge=bound) | at.Le(le=bound):
                return leaf(bound)
            case at.Lt(lt=bound):
                return leaf(bound) - step
            case at.MultipleOf(multiple_of=bound):
                return leaf(bound)
            case at.MinLen(min_length=length) | at.MaxLen(max_length=length):
                return leaf("x" * length) if leaf is str else bytes(length)
    except (TypeError, ValueError):
        pass  # no edge to be near, e.g. of a date
    return _SINGLES[leaf][0]


def _fails(constraint: Any, value: Any) -> bool:
    try:
        return violated(constraint, value) is not None
    except Exception:
        return True


def _hashable(items: list[Any], container: type) -> bool:
    return container in (list, tuple) or not any(isinstance(i, list | dict) or attrs.has(type(i)) for i in items)
