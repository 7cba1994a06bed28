"""Hypothesis strategies for values of a declared shape, within its constraints, and values as JSON has them."""

import base64
import enum
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeGuard, TypeVar
from uuid import UUID

import annotated_types as at
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck

from ..core.numbers import DIGITS, TINIEST_FLOAT, WIDEST_FLOAT, WIDEST_INT, fits, plain
from ..core.schema.constraints import violated
from ..core.schema.shapes import Choice, Constraint, Leaf, Many, OneOf, Pattern, Record, Shape
from ..core.schema.shapes import Mapping as Free

T = TypeVar("T")
Values = st.SearchStrategy[Any]
Constraints = Sequence[Constraint]

_TRIES, _PATIENCE = 5, 200
_EARLIEST, _LATEST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
_anything = st.characters(exclude_categories=["Cs"])
_ALPHABETS = ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "0123456789abcdef-_. ")


class TooNarrow(FailedHealthCheck):
    """No value was found that a declaration takes: its constraints, validators or rules refuse whatever is drawn.

    To Hypothesis it is a failed health check, which ends a test at once.
    """


def values(shape: Shape, where: str, more: Constraints = ()) -> Values:
    """Values of a shape as its class holds them, except that objects are dicts; all constraints hold that can be told
    without making instances. ``where`` names the place in errors. Raises ``TooNarrow`` where there are none.
    """
    constraints = (*more, *shape.constraints)
    match shape:
        case Leaf(type=leaf):
            found = _LEAVES[leaf](constraints, where)
        case Choice(values=members):
            found = st.sampled_from(members)
        case OneOf(options=options, nullable=nullable):
            # A constraint on a union binds whichever member a value is of, and never null.
            return st.one_of(*[st.none()] * nullable, *(values(option, where, constraints) for option in options))
        case Many(item=item, container=container):
            unique: Callable[[Any], Hashable] | None = (lambda value: value) if container in (set, frozenset) else None
            least, most = _sizes(constraints, where)
            found = st.lists(values(item, f"{where}[]", ()), min_size=least, max_size=most, unique_by=unique)
            found = found.map(container)
        case Free(item=item):
            least, most = _sizes(constraints, where)
            found = st.dictionaries(_names, values(item, f"{where}[]"), min_size=least, max_size=most)
        case Record():
            return objects(shape, {})
    return within(found, constraints, where) if _can_be_judged(shape) else found


def objects(shape: Record, given: Mapping[str, Values]) -> Values:
    """Dicts of a record's fields, those with a default left out at times; ``given`` are drawn as they are."""
    required: dict[str, Values] = {}
    optional: dict[str, Values] = {}
    for field in shape.fields:
        drawn = given.get(field.name)
        if drawn is None:
            drawn = values(field.shape, f"{shape.type.__name__}.{field.name}")
        (required if field.required else optional)[field.name] = drawn
    return st.fixed_dictionaries(required, optional=optional)


def within(found: Values, constraints: Constraints, where: str) -> Values:
    """Those of the values for which the constraints hold."""
    if not constraints:
        return found

    def holds(value: Any) -> bool:
        return all(violated(constraint, value) is None for constraint in constraints)

    return kept(found, holds, f"{where}: no value was found that meets {_told(constraints)}")


def kept(found: st.SearchStrategy[T], keeps: Callable[[T], bool], complaint: str) -> st.SearchStrategy[T]:
    """The values that are to be kept; an exception counts as a refusal.

    As ``filter``, except that where nothing is ever kept ``TooNarrow`` says in whose words that is.
    """
    refused: float = 0

    @st.composite
    def draw_kept(draw: st.DrawFn) -> T:
        nonlocal refused
        for _ in range(_TRIES):
            value = draw(found)
            with suppress(Exception):
                if keeps(value):
                    refused = -math.inf
                    return value
        refused += _TRIES
        if refused >= _PATIENCE:
            raise TooNarrow(f"{complaint}; draw it from a strategy of your own: data=data(CLASS, FIELD=strategy).")
        return reject()

    return draw_kept()


def as_json(value: Any) -> Any:
    """A value as JSON has it, made of what ``json.dumps`` takes; Decimals as numbers where that says them exactly."""
    match value:
        case enum.Enum():
            return as_json(value.value)
        case Decimal():
            return _number(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case list() | tuple() | set() | frozenset():
            return [as_json(item) for item in value]
        case dict():
            return {name: as_json(item) for name, item in value.items()}
        case _:
            return value


def _number(value: Decimal) -> int | float | str:
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    nearest = float(value)
    return nearest if Decimal(repr(nearest)) == value else plain(value)


def _can_be_judged(shape: Shape) -> bool:
    """Whether values of it are what constraints are asked about: an object is not, since no instance is made of it."""
    match shape:
        case Record():
            return False
        case Many(item=item) | Free(item=item):
            return _can_be_judged(item)
        case OneOf(options=options):
            return all(map(_can_be_judged, options))
        case _:
            return True


# ------------------------------------------------------------------------------------------------------- single values


def _integers(constraints: Constraints, where: str) -> Values:
    step = math.lcm(*(abs(int(c.multiple_of)) for c in constraints if isinstance(c, at.MultipleOf)))  # type: ignore[call-overload]
    low, high = _multiples(constraints, Fraction(step), WIDEST_INT - 1)
    _require_order(low, high, constraints, f"{where}: no int")
    return st.integers(low, high).map(lambda number: number * step)


def _decimals(constraints: Constraints, where: str) -> Values:
    if steps := [Fraction(abs(c.multiple_of)) for c in constraints if isinstance(c, at.MultipleOf)]:  # type: ignore[arg-type]
        units = [Fraction(math.lcm(*(s.numerator for s in steps)), math.gcd(*(s.denominator for s in steps)))]
    else:
        units = [Fraction(1, 10**places) for places in (0, 2, 1, 3, 6, 12, 24, 37)]
    ranges = [(unit, *_multiples(constraints, unit, 10**DIGITS - 1)) for unit in units]
    drawn = [st.integers(low, high).map(_times(unit)) for unit, low, high in ranges if low <= high]
    _require_order(1, len(drawn), constraints, f"{where}: no Decimal")
    return st.one_of(*drawn[:5]).filter(fits)


def _times(unit: Fraction) -> Callable[[int], Decimal]:
    """Multiplication with a number that has finitely many decimals, exactly."""
    digits = next(n for n in range(200) if (unit * 10**n).denominator == 1)
    numerator = int(unit * 10**digits)
    return lambda number: Decimal(f"{number * numerator}E-{digits}")


def _floats(constraints: Constraints, where: str) -> Values:
    low, high = _range(constraints, (int, float, Decimal), -WIDEST_FLOAT, WIDEST_FLOAT)
    least, most = max(float(low), -WIDEST_FLOAT), min(float(high), WIDEST_FLOAT)
    _require_order(least, most, constraints, f"{where}: no float")
    found = st.floats(least, most, allow_subnormal=False)
    return found.filter(lambda value: value == 0 or abs(value) >= TINIEST_FLOAT)


def _texts(constraints: Constraints, where: str) -> Values:
    least, most = _sizes(constraints, where)
    if patterns := [str(c) for c in constraints if isinstance(c, Pattern)]:
        return st.from_regex(patterns[0], alphabet=_anything)
    found: Values = st.text(_anything, min_size=least, max_size=most)
    if any(isinstance(c, at.Predicate) for c in constraints):  # which mostly ask for one kind of characters
        kinds = (st.text(alphabet, min_size=max(least, 1), max_size=most) for alphabet in _ALPHABETS if most != 0)
        return st.one_of(*kinds, found)
    return found


def _instants(constraints: Constraints, where: str) -> Values:
    low, high = _range(constraints, (datetime,), _EARLIEST, _LATEST)
    low, high = (max(low, _EARLIEST).astimezone(UTC), min(high, _LATEST).astimezone(UTC))
    _require_order(low, high, constraints, f"{where}: no datetime")
    return st.builds(
        lambda instant, minutes: instant.astimezone(timezone(timedelta(minutes=minutes)) if minutes else UTC),
        st.datetimes(low.replace(tzinfo=None), high.replace(tzinfo=None), timezones=st.just(UTC)),
        st.sampled_from([0, 0, 60, -300, 330, 14 * 60, -14 * 60]),
    )


def _dates(constraints: Constraints, where: str) -> Values:
    low, high = _range(constraints, (date,), date.min, date.max)
    _require_order(low, high, constraints, f"{where}: no date")
    return st.dates(low, high)


def _times_of_day(constraints: Constraints, where: str) -> Values:
    low, high = _range(constraints, (time,), time.min, time.max)
    _require_order(low, high, constraints, f"{where}: no time")
    return st.times(low, high)


def _bytes(constraints: Constraints, where: str) -> Values:
    least, most = _sizes(constraints, where)
    return st.binary(min_size=least, max_size=most)


_names = st.text(_anything, min_size=1, max_size=12)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.decimals(-1000, 1000, places=2) | st.text(_anything),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=5,
)
_LEAVES: dict[Any, Callable[[Constraints, str], Values]] = {
    Any: lambda *_: _json,
    str: _texts,
    bool: lambda *_: st.booleans(),
    int: _integers,
    float: _floats,
    Decimal: _decimals,
    datetime: _instants,
    date: _dates,
    time: _times_of_day,
    UUID: lambda *_: st.uuids(),
    bytes: _bytes,
}


def _sizes(constraints: Constraints, where: str) -> tuple[int, int | None]:
    least = max((c.min_length for c in constraints if isinstance(c, at.MinLen)), default=0)
    most = min((c.max_length for c in constraints if isinstance(c, at.MaxLen)), default=None)
    _require_order(least, least if most is None else most, constraints, f"{where}: nothing")
    return least, most


def _range(constraints: Constraints, kinds: tuple[type, ...], lowest: Any, highest: Any) -> tuple[Any, Any]:
    """The greatest lower and the least upper bound of these kinds, whether or not they are themselves excluded."""
    lower = [c.gt if isinstance(c, at.Gt) else c.ge for c in constraints if isinstance(c, at.Gt | at.Ge)]
    upper = [c.lt if isinstance(c, at.Lt) else c.le for c in constraints if isinstance(c, at.Lt | at.Le)]
    return max(_of(lower, kinds), default=lowest), min(_of(upper, kinds), default=highest)


def _of(bounds: Iterable[object], kinds: tuple[type, ...]) -> list[Any]:
    return [bound for bound in bounds if isinstance(bound, kinds)]


def _multiples(constraints: Constraints, unit: Fraction, widest: int) -> tuple[int, int]:
    """The least and the greatest whole number whose multiple of ``unit`` is within the bounds, and of which it has no
    more digits than can be held.
    """
    edge = widest // unit.numerator
    low, high = -edge, edge
    for constraint in constraints:
        match constraint:
            case at.Gt(gt=bound) | at.Ge(ge=bound) if _is_number(bound):
                scaled = Fraction(bound) / unit
                low = max(low, math.floor(scaled) + 1 if isinstance(constraint, at.Gt) else math.ceil(scaled))
            case at.Lt(lt=bound) | at.Le(le=bound) if _is_number(bound):
                scaled = Fraction(bound) / unit
                high = min(high, math.ceil(scaled) - 1 if isinstance(constraint, at.Lt) else math.floor(scaled))
    return low, high


def _is_number(bound: Any) -> TypeGuard[int | float | Decimal]:
    return isinstance(bound, int | float | Decimal) and math.isfinite(bound)


def _require_order(low: Any, high: Any, constraints: Constraints, what: str) -> None:
    if low > high:
        raise TooNarrow(f"{what} meets {_told(constraints)}.")


def _told(constraints: Constraints) -> str:
    return ", ".join(str(getattr(constraint, "func", constraint)) for constraint in constraints)
