"""Constraints: a predicate compiled for the fast lane, and sentences for what fails it."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import annotated_types as at

from ..numbers import EXACT, HOLDABLE, TINIEST_FLOAT, WIDEST_FLOAT, WIDEST_INT, fits, fits_float, fits_int
from .shapes import Choice, Constraint, Leaf, Many, Mapping, OneOf, Pattern, Record, Shape


def violated(constraint: Constraint, value: Any) -> tuple[str, str] | None:
    """The code and the sentence of a constraint that a value does not meet, else None."""
    match constraint:
        case Pattern():
            return None if re.search(constraint, value) else ("pattern", f"does not match {str(constraint)!r}")
        case at.Gt(gt=bound):
            return None if value > bound else ("gt", f"is not greater than {bound}")
        case at.Ge(ge=bound):
            return None if value >= bound else ("ge", f"is less than {bound}")
        case at.Lt(lt=bound):
            return None if value < bound else ("lt", f"is not less than {bound}")
        case at.Le(le=bound):
            return None if value <= bound else ("le", f"is greater than {bound}")
        case at.MultipleOf(multiple_of=step):
            rest = EXACT.remainder(value, step) if isinstance(value, Decimal) else value % step  # type: ignore[arg-type]
            return None if rest == 0 else ("multiple_of", f"is not a multiple of {step}")
        case at.MinLen(min_length=least):
            return None if len(value) >= least else ("min_length", f"is shorter than {least}")
        case at.MaxLen(max_length=most):
            return None if len(value) <= most else ("max_length", f"is longer than {most}")
        case at.Predicate(func=holds):
            return None if holds(value) else ("predicate", f"does not satisfy {_name(holds)}")
        case _:
            raise AssertionError(constraint)  # shapes admit no others


def holdable(value: Any) -> bool:
    """Whether a number of any type can be kept exactly; other values can."""
    if isinstance(value, Decimal):
        return fits(value)
    if isinstance(value, bool):
        return True
    return fits_int(value) if isinstance(value, int) else fits_float(value) if isinstance(value, float) else True


def check_expression(shape: Record, value: str, names: dict[str, Any]) -> str:
    """A Python expression over an instance or a twin called ``value``: false where a constraint may be violated or a
    number not be held, or an exception raised; "" where there is nothing to check. What it refers to is added to
    ``names``.

    One expression decides in a few hundred nanoseconds what the careful lane explains; a loop over checks would cost
    more than the checks.
    """
    names |= {"plus": HOLDABLE.plus, "fits": fits, "violated": violated}
    return _record(shape, value, names)


def compile_check(shape: Record) -> Callable[[Any], bool] | None:
    """The check as a function of a twin, None where there is nothing to check."""
    names: dict[str, Any] = {}
    expression = check_expression(shape, "v", names)
    return eval(f"lambda v: {expression}", names) if expression else None  # noqa: S307 (made of declarations only)


def _record(shape: Record, value: str, names: dict[str, Any]) -> str:
    parts = [_expression(field.shape, f"{value}.{field.name}", names) for field in shape.fields]
    return " and ".join(filter(None, parts))


def _expression(shape: Shape, value: str, names: dict[str, Any]) -> str:
    parts = [_constraint(constraint, value, names) for constraint in shape.constraints]
    match shape:
        case Leaf(type=leaf):
            parts.insert(0, _number(leaf, value))
        case OneOf(options=(option,)):
            parts.append(_expression(option, value, names))
        case OneOf():
            names["holdable"] = holdable
            parts.append(f"holdable({value})")
        case Many(item=item) | Mapping(item=item):
            element = f"e{len(names)}"
            names[element] = None
            if inner := _expression(item, element, names):
                source = f"{value}.values()" if isinstance(shape, Mapping) else value
                parts.append(f"all([{inner} for {element} in {source}])")
        case Record():
            parts.append(_record(shape, value, names))
        case Choice():
            pass
    checks = " and ".join(f"({part})" for part in parts if part)
    return f"({value} is None or {checks})" if checks and isinstance(shape, OneOf) and shape.nullable else checks


def _number(leaf: Any, value: str) -> str:
    if leaf is Decimal:
        return f"plus({value}).is_finite()"
    if leaf is int:
        return f"-{WIDEST_INT} < {value} < {WIDEST_INT}"
    if leaf is float:
        return f"{value} == 0 or {TINIEST_FLOAT} <= abs({value}) <= {WIDEST_FLOAT}"
    return ""


def _constraint(constraint: Constraint, value: str, names: dict[str, Any]) -> str:
    bound = f"c{len(names)}"
    match constraint:
        case Pattern():
            names[bound] = re.compile(constraint).search
            return f"{bound}({value})"
        case at.Gt(gt=limit):
            operator = ">"
        case at.Ge(ge=limit):
            operator = ">="
        case at.Lt(lt=limit):
            operator = "<"
        case at.Le(le=limit):
            operator = "<="
        case at.MinLen(min_length=limit):
            operator, value = ">=", f"len({value})"
        case at.MaxLen(max_length=limit):
            operator, value = "<=", f"len({value})"
        case _:
            names[bound] = constraint
            return f"violated({bound}, {value}) is None"
    names[bound] = limit
    return f"{value} {operator} {bound}"


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))
