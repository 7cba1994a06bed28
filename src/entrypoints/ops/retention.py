"""Log groups: how long each keeps its lines, and how much it holds."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from .findings import Change, Report
from .stack import Stack

DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""What a retention may be (CloudWatch Logs API reference, PutRetentionPolicy)."""

COLUMNS = ("log_group", "days", "megabytes")


def groups(stack: Stack) -> list[Mapping[str, Any]]:
    """The log groups of a stack: of its functions, its state machine and its API."""
    found: dict[str, Mapping[str, Any]] = {}
    for prefix in _prefixes(stack):
        for group in stack.account.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            if _is_of(group["logGroupName"], prefix):
                found[group["logGroupName"]] = group
    return [found[name] for name in sorted(found)]


def judged(found: Iterable[Mapping[str, Any]]) -> Report:
    """Wrong is a log group that keeps its lines for ever: it costs more each month, and holds what should be gone."""
    rows, wrong = [], []
    for group in found:
        name, days = group["logGroupName"], group.get("retentionInDays")
        rows.append({"log_group": name, "days": days, "megabytes": round(group.get("storedBytes", 0) / 1e6, 1)})
        if days is None:
            wrong.append(f"{name} keeps its lines for ever; --set gives it a retention")
    return Report("Log groups", COLUMNS, rows, wrong)


def changes(stack: Stack, found: Iterable[Mapping[str, Any]], days: int) -> list[Change]:
    """Give those that keep their lines for ever a retention. Those that have one keep it: the template sets it."""

    def change(name: str) -> Change:
        def apply() -> None:
            stack.ask("logs", "put_retention_policy", logGroupName=name, retentionInDays=days)

        return Change(f"retention of {name}, days", None, days, apply)

    return [change(group["logGroupName"]) for group in found if group.get("retentionInDays") is None]


def _prefixes(stack: Stack) -> Iterator[str]:
    yield from (stack.log_group(function) for function in stack.functions)
    yield f"/aws/vendedlogs/states/DataProcessing{stack.suffix}"
    yield f"/aws/apigateway/ServerlessDataAPI{stack.suffix}"
    yield f"API-Gateway-Execution-Logs_{stack.api_id}/"  # which API Gateway makes by itself, if anybody asks it to


def _is_of(name: str, prefix: str) -> bool:
    """Whether it is this stack's, and not that of an environment whose name begins with this one's."""
    return name == prefix or prefix.endswith("/")
