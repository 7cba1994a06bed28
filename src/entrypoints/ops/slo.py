"""Objectives as they were met: what was good and bad within some days, and how much of the error budget is left."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import attrs

from ...core.times import format_time
from .findings import Report
from .objectives import OBJECTIVES, Objective
from .readings import Span, read, span, total
from .stack import Stack

COLUMNS = ("objective", "target", "measured", "bad", "of", "budget_left", "promises")
_DAY = 86_400


@attrs.frozen
class Measured:
    """An objective and its two sums."""

    objective: Objective
    bad: Fraction
    every: Fraction

    @property
    def good(self) -> Fraction | None:
        """The share that was good; None without traffic."""
        return 1 - self.bad / self.every if self.every else None

    @property
    def left(self) -> Fraction | None:
        """What is left of the budget, of 1; below 0 where more was spent. None without traffic."""
        return 1 - self.bad / self.every / self.objective.budget if self.every else None

    @property
    def missed(self) -> str | None:
        """A sentence where the objective was missed."""
        if self.left is None or self.left >= 0:
            return None
        return (
            f"The objective {self.objective.name} is missed: {percent(1 - self.objective.target)} may be bad, "
            f"{_number(self.bad)} of {_number(self.every)} were"
        )

    def row(self) -> dict[str, Any]:
        """As a row of the table."""
        return {
            "objective": self.objective.name,
            "target": percent(self.objective.target),
            "measured": "no traffic" if self.good is None else percent(self.good),
            "bad": _number(self.bad),
            "of": _number(self.every),
            "budget_left": "" if self.left is None else percent(self.left),
            "promises": self.objective.promises,
        }


def measure(stack: Stack, within: Span) -> list[Measured]:
    """Every objective within a span."""
    series = [each for objective in OBJECTIVES for each in (*objective.bad, *objective.every)]
    sums = iter([total(points) for points in read(stack, series, within)])
    return [
        Measured(
            objective,
            bad=sum((next(sums) for _ in objective.bad), Fraction(0)),
            every=sum((next(sums) for _ in objective.every), Fraction(0)),
        )
        for objective in OBJECTIVES
    ]


def objectives(stack: Stack, days: int) -> Report:
    """The objectives within the last days."""
    within = span(stack.clock.now(), days * _DAY)
    return judged(measure(stack, within), within)


def judged(found: Sequence[Measured], within: Span) -> Report:
    """What is missed is wrong; what had no traffic is not."""
    return Report(
        title=f"Objectives since {format_time(within.since)}",
        columns=COLUMNS,
        rows=[each.row() for each in found],
        wrong=[sentence for each in found if (sentence := each.missed)],
    )


def percent(share: Fraction) -> str:
    """A share as per cent with three places, rounded towards what is worse: 99.9996 % is not 100 %."""
    thousandths = share * 100_000
    return f"{thousandths.__floor__() / 1000:.3f}".rstrip("0").rstrip(".") + " %"


def _number(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)
