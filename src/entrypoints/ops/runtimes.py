"""Runtimes of functions, and how long AWS supports each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from .findings import Report
from .stack import Stack

CHECKED: Final = date(2026, 11, 25)
"""When the dates below were last looked up."""

SUPPORTED_UNTIL: Final = {
    "python3.9": date(2025, 12, 15),
    "python3.10": date(2026, 10, 31),
    "python3.11": date(2027, 6, 30),
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
    "python3.14": date(2029, 6, 30),
}
"""From then on a runtime gets no security updates (Lambda developer guide, "Lambda runtimes": projected dates, which
AWS moves at times)."""

NEAR_DAYS: Final = 180
COLUMNS = ("function", "version", "runtime", "supported_until", "days_left")


def judged(functions: Sequence[Mapping[str, Any]], today: date) -> Report:
    """What each function runs on, given as Lambda describes it. Wrong is what is unknown, over, or soon over."""
    rows, wrong = [], []
    for function in functions:
        name, runtime = function["FunctionName"], function.get("Runtime", "")
        until = SUPPORTED_UNTIL.get(runtime)
        left = None if until is None else (until - today).days
        rows.append(
            {
                "function": name,
                "version": function.get("Version", ""),
                "runtime": runtime,
                "supported_until": "" if until is None else until.isoformat(),
                "days_left": left,
            }
        )
        if left is None:
            wrong.append(f"{name} runs on {runtime or 'an image'}, of which nothing is known here")
        elif left < 0:
            wrong.append(f"{name} runs on {runtime}, which has got no security updates since {until}")
        elif left <= NEAR_DAYS:
            wrong.append(f"{name} runs on {runtime}, which is supported until {until}: {left} days are left")
    return Report(f"Runtimes (dates as of {CHECKED})", COLUMNS, rows, wrong)


def runtimes(stack: Stack) -> Report:
    """The runtimes of a stack's functions, of the versions that are live."""
    today = datetime.fromtimestamp(stack.clock.now() / 1_000_000, UTC).date()
    return judged([live(stack, function) for function in stack.functions], today)


def live(stack: Stack, function: str) -> Mapping[str, Any]:
    """The configuration of the version of a function that the alias ``prod`` leads to."""
    return stack.ask("lambda", "get_function_configuration", FunctionName=function, Qualifier="prod")
