"""Exact numbers: what the curated store can hold, and arithmetic that never rounds.

Bounds are DynamoDB's, the narrowest of the stores: 38 significant digits, magnitudes from 1E-130 to
9.99…E+125 (AWS, DynamoDB developer guide, "Supported data types and naming rules", Number).
"""

from decimal import (
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
    Underflow,
)

DIGITS = 38
HOLDABLE = Context(prec=DIGITS, Emin=-130, Emax=125, traps=[Inexact, InvalidOperation, Overflow, Underflow, Subnormal])
WIDEST_INT = 10**DIGITS
WIDEST_FLOAT = 9.99e125
TINIEST_FLOAT = 1e-130

EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, Clamped])
"""Wide enough for any sum of holdable numbers; an operation that would round raises instead."""


class UnholdableNumber(ValueError):
    """A number with more than 38 digits, or beyond the exponent range, or none at all (NaN, Infinity)."""

    def __init__(self) -> None:
        super().__init__("is a number that cannot be kept exactly: at most 38 digits, from 1E-130 to 9.99E+125")


def fits(value: Decimal) -> bool:
    """Whether the store can hold the number exactly."""
    try:
        return HOLDABLE.plus(value).is_finite()
    except (Inexact, InvalidOperation, Overflow, Underflow, Subnormal):
        return False


def fits_int(value: int) -> bool:
    """Whether the store can hold the whole number exactly."""
    return -WIDEST_INT < value < WIDEST_INT or (abs(value) < 10**126 and fits(Decimal(value)))


def fits_float(value: float) -> bool:
    """Whether the store can hold the shortest decimal that reads back as this float."""
    return value == 0 or TINIEST_FLOAT <= abs(value) <= WIDEST_FLOAT


def from_text(text: str) -> Decimal:
    """The number a JSON literal says, unchanged. Raises ``UnholdableNumber``."""
    try:
        value = HOLDABLE.create_decimal(text)
    except (Inexact, InvalidOperation, Overflow, Underflow, Subnormal):
        raise UnholdableNumber from None
    if not value.is_finite():
        raise UnholdableNumber
    return value


def plain(value: Decimal) -> str:
    """The shortest text without an exponent: what people and programs are shown."""
    return format(EXACT.normalize(value), "f") if value else "0"
