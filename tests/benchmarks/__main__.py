"""Runs every benchmark, prints the table, and exits 1 naming each bound that is missed."""

import sys
from statistics import median

import attrs
from rich.console import Console
from rich.table import Table

from . import embedded, in_memory
from .workload import lines

EVENTS, ROUNDS = 60_000, 11


@attrs.frozen
class Bound:
    """What was measured, the bound it has to keep, and the aim beyond it."""

    name: str
    measured: float
    at_most: float | None = None
    at_least: float | None = None
    aim: float | None = None

    @property
    def kept(self) -> bool:
        return (self.at_most is None or self.measured <= self.at_most) and (
            self.at_least is None or self.measured >= self.at_least
        )

    @property
    def bound(self) -> str:
        return f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"


def measure() -> list[Bound]:
    ratios = in_memory.compare(lines(EVENTS), ROUNDS)
    durable = embedded.compare(EVENTS, ROUNDS)
    scale, megabytes = embedded.at_scale(100_000, 1_000_000, 3)
    return [
        Bound("full path in memory ÷ msgspec decode", median(ratios["decode"]), at_most=6, aim=4.5),
        Bound("the same on pydantic ÷ full path in memory", median(ratios["pydantic"]), at_least=1.7, aim=2.2),
        Bound("embedded store ÷ in memory, per event", median(durable), at_most=4),
        Bound("1,000,000 events: peak memory, MB", max(megabytes), at_most=200),
        Bound("1,000,000 events ÷ 100,000, time per event", median(scale), at_most=1.15),
    ]


def main() -> int:
    bounds = measure()
    table = Table("benchmark", "measured", "bound", "aim", "kept")
    for bound in bounds:
        aim = "" if bound.aim is None else f"{bound.aim:g}"
        table.add_row(bound.name, f"{bound.measured:.2f}", bound.bound, aim, "yes" if bound.kept else "NO")
    Console().print(table)
    missed = [bound for bound in bounds if not bound.kept]
    for bound in missed:
        print(f"Missed: {bound.name} is {bound.measured:.2f}, the bound is {bound.bound}.", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
