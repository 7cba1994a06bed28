"""Measures: commutative monoids over curated events, exact in every order and grouping.

A state is a JSON value. ``fold`` and ``merge`` never change the states they are given. Values that are missing, null
or of a kind the measure cannot take are left out; while a view is declared, events with such values in a field that
needs numbers are dead-lettered before they get here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from decimal import Context, Decimal, localcontext
from operator import itemgetter
from typing import Any, ClassVar

import attrs

from ..canonical import canonical_text
from ..identity import record_key
from ..numbers import EXACT
from ..records import Curated, Value
from . import sketches

_QUOTIENT = Context(prec=38)
_NUMBERS = frozenset({int, Decimal})
_ALIKE = ({int}, {Decimal}, {str})


@attrs.frozen
class Measure(ABC):
    """What every measure is: a start, a fold over events, a merge of two states, a result."""

    numeric: ClassVar[bool] = False
    field: str | None

    def __attrs_post_init__(self) -> None:
        if self.field is not None and (not isinstance(self.field, str) or not self.field):
            raise TypeError(f"{type(self).__name__} takes the name of a curated field, not {self.field!r}.")

    @property
    def signature(self) -> str:
        """Names the measure with all that its state depends on."""
        return f"{type(self).__name__}({self.field or ''})"

    def start(self) -> Value:
        """The state of no events."""
        return None

    @abstractmethod
    def fold(self, state: Value, events: Sequence[Curated]) -> Value:
        """The state with the events added."""

    @abstractmethod
    def merge(self, one: Value, other: Value) -> Value:
        """The state of two disjoint sets of events together."""

    def result(self, state: Value) -> Value:
        """What the state says."""
        return state


@attrs.frozen
class FieldMeasure(Measure):
    """A measure of one field's values alone, whichever events they are of."""

    def fold(self, state: Value, events: Sequence[Curated]) -> Value:
        name = self.field or ""
        return self.add(state, [value for event in events if (value := event.fields.get(name)) is not None])

    @abstractmethod
    def add(self, state: Value, values: Sequence[Any]) -> Value:
        """The state with values of the field added; none of them is None."""


def _numbers(values: Sequence[Any]) -> Sequence[Any]:
    return values if _NUMBERS.issuperset(map(type, values)) else [v for v in values if v.__class__ in _NUMBERS]


@attrs.frozen
class Count(FieldMeasure):
    """How many events; with a field, how many have a value in it."""

    field: str | None = None

    def start(self) -> int:
        return 0

    def fold(self, state: Value, events: Sequence[Curated]) -> Value:
        return self.add(state, events) if self.field is None else super().fold(state, events)

    def add(self, state: Value, values: Sequence[Any]) -> Value:
        return state + len(values)

    def merge(self, one: int, other: int) -> int:
        return one + other


@attrs.frozen
class Sum(FieldMeasure):
    """The exact sum of a field."""

    numeric = True
    field: str

    def start(self) -> int:
        return 0

    def add(self, state: Value, values: Sequence[Any]) -> Value:
        with localcontext(EXACT):
            return sum(_numbers(values), state)

    def merge(self, one: Value, other: Value) -> Value:
        with localcontext(EXACT):
            return one + other


@attrs.frozen
class Mean(FieldMeasure):
    """The mean of a field: exact sum and count, divided (to 38 digits) only when read. None of no values."""

    numeric = True
    field: str

    def start(self) -> list[Value]:
        return [0, 0]

    def add(self, state: list[Value], values: Sequence[Any]) -> list[Value]:
        numbers = _numbers(values)
        with localcontext(EXACT):
            return [sum(numbers, state[0]), state[1] + len(numbers)]

    def merge(self, one: list[Value], other: list[Value]) -> list[Value]:
        with localcontext(EXACT):
            return [one[0] + other[0], one[1] + other[1]]

    def result(self, state: list[Value]) -> Value:
        total, count = state
        return None if not count else _QUOTIENT.divide(Decimal(total), Decimal(count))


def _extreme(pick: Callable[..., Value], values: Iterable[Value]) -> Value:
    """The least or greatest of scalars, None of none: of those that are equal always the same, in the same notation."""
    scalars = [*values]
    kinds = set(map(type, scalars))
    if not kinds.isdisjoint((list, dict)):
        scalars = [value for value in scalars if not isinstance(value, list | dict)]
    best = pick(scalars) if kinds in _ALIKE else pick(scalars, key=_order, default=None)
    return (EXACT.normalize(best) or Decimal(0)) if best.__class__ is Decimal else best


def _order(value: Value) -> tuple[int, Any, bool]:
    """A total order over scalars: truth values, numbers, texts; of equal numbers 1 comes before 1.0."""
    return (0 if isinstance(value, bool) else 2 if isinstance(value, str) else 1), value, value.__class__ is Decimal


@attrs.frozen
class Min(FieldMeasure):
    """The least value of a field; numbers come before texts. None of no values."""

    field: str

    def add(self, state: Value, values: Sequence[Any]) -> Value:
        return _extreme(min, [*values, *_present(state)])

    def merge(self, one: Value, other: Value) -> Value:
        return _extreme(min, [*_present(one), *_present(other)])


@attrs.frozen
class Max(FieldMeasure):
    """The greatest value of a field; texts come after numbers. None of no values."""

    field: str

    def add(self, state: Value, values: Sequence[Any]) -> Value:
        return _extreme(max, [*values, *_present(state)])

    def merge(self, one: Value, other: Value) -> Value:
        return _extreme(max, [*_present(one), *_present(other)])


def _present(state: Value) -> tuple[Value, ...]:
    return () if state is None else (state,)


@attrs.frozen
class First(Measure):
    """The value of a field in the event with the earliest time that has one; ties go by sort key."""

    field: str

    def fold(self, state: Value, events: Sequence[Curated]) -> Value:
        return self.merge(state, _at_edge(min, self._having(events), self.field))

    def merge(self, one: Value, other: Value) -> Value:
        return min([*_present(one), *_present(other)], key=itemgetter(0), default=None)

    def result(self, state: Value) -> Value:
        return None if state is None else state[1]

    def _having(self, events: Iterable[Curated]) -> list[Curated]:
        return [event for event in events if event.fields.get(self.field) is not None]


@attrs.frozen
class Last(First):
    """The value of a field in the event with the latest time that has one; ties go by sort key."""

    def fold(self, state: Value, events: Sequence[Curated]) -> Value:
        return self.merge(state, _at_edge(max, self._having(events), self.field))

    def merge(self, one: Value, other: Value) -> Value:
        return max([*_present(one), *_present(other)], key=itemgetter(0), default=None)


def _at_edge(pick: Any, events: list[Curated], field: str) -> Value:
    """[sort key, value] of the earliest or latest event. Hashes only those that share the edge's instant."""
    if not events:
        return None
    edge = pick(event.time for event in events)
    key, event = pick(((record_key(e), e) for e in events if e.time == edge), key=itemgetter(0))
    return [key, event.fields[field]]


@attrs.frozen
class Distinct(FieldMeasure):
    """How many different values a field has.

    Exact by default: the state holds every value, so keep windows and groups small enough for that. With
    ``approximate`` it is a HyperLogLog of 4,096 registers (about 1.6 % standard error) in constant space; this needs
    the extra ``sketches``.
    """

    field: str
    approximate: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.approximate:
            sketches.require("datasketch", "Distinct(approximate=True)")

    @property
    def signature(self) -> str:
        return f"Distinct({self.field}{';approximate' if self.approximate else ''})"

    def start(self) -> Value:
        return None if self.approximate else []

    def add(self, state: Value, values: Sequence[Any]) -> Value:
        if self.approximate:
            return sketches.add_to_registers(state, map(distinct_text, values))
        return self.merge(state, [*{distinct_text(value) for value in values}])

    def merge(self, one: Value, other: Value) -> Value:
        if self.approximate:
            return sketches.merge_registers(one, other)
        fresh = set(other).difference(one)
        # Two sorted runs, which sorting again merges in linear time; most often there is little new.
        return sorted([*one, *sorted(fresh)]) if fresh else one

    def result(self, state: Value) -> int:
        if self.approximate:
            return sketches.cardinality(state)
        return len(state)


def distinct_text(value: Value) -> str:
    """A text that is the same for equal values only: 1 and 1.0 are equal, 1 and "1" and true are not."""
    return f'"{value}' if isinstance(value, str) else canonical_text(value)


def _floats(at: Iterable[float]) -> tuple[float, ...]:
    return tuple(at)


@attrs.frozen
class Quantiles(FieldMeasure):
    """Quantiles of a field, as text → number, each within 1 % of the true value (a DDSketch of unbounded size).

    Needs the extra ``sketches``.
    """

    numeric = True
    field: str
    at: tuple[float, ...] = attrs.field(default=(0.5, 0.95, 0.99), converter=_floats, kw_only=True)

    def __attrs_post_init__(self) -> None:
        sketches.require("ddsketch", "Quantiles")
        if not self.at or not all(0 <= q <= 1 for q in self.at):
            raise ValueError("Quantiles are at numbers from 0 to 1.")

    def start(self) -> dict[str, int]:
        return {}

    def add(self, state: dict[str, int], values: Sequence[Any]) -> dict[str, int]:
        return self.merge(state, sketches.bins_of(_numbers(values)))

    def merge(self, one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
        return {key: one.get(key, 0) + other.get(key, 0) for key in sorted({*one, *other})}

    def result(self, state: dict[str, int]) -> Value:
        return {str(q): sketches.quantile(state, q) for q in self.at}
