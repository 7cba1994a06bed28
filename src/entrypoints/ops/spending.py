"""What AWS charged, by service, as its Cost Explorer tells it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from ...adapters.aws.account import Refused
from ...core.errors import StoreError
from ...core.times import format_time
from .findings import Report
from .stack import Stack

METRIC: Final = "UnblendedCost"
"""What was charged for what was used at that time."""

TAG: Final = "aws:cloudformation:stack-name"
"""What CloudFormation tags all of a stack with; known to Cost Explorer where it is a cost allocation tag."""

MONTH: Final = 30
COLUMNS = ("service", "amount", "a_month", "unit")
_CENT: Final = Decimal("0.01")
_NO_DATA: Final = frozenset({"DataUnavailableException", "ResourceNotFoundException"})
_NOT_ENABLED: Final = "not enabled for cost explorer"
_SWITCH_ON: Final = "Cost Explorer has to be switched on in the billing console, and has its first numbers a day later"


def spending(stack: Stack, days: int, *, whole_account: bool) -> Report:
    """What each service cost in the last so many whole days, the dearest first: of the stack, by its tag, or of the
    whole account; and what that comes to in 30 days.

    Raises ``StoreError`` where Cost Explorer is not switched on.
    """
    until = date.fromisoformat(format_time(stack.clock.now())[:10])
    since = until - timedelta(days=days)
    total: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for result in _results(stack, since, until, whole_account=whole_account):
        for group in result.get("Groups", ()):
            charged = group["Metrics"][METRIC]
            total[group["Keys"][0], charged["Unit"]] += Decimal(charged["Amount"])
    rows = [
        {
            "service": service,
            "amount": amount.quantize(_CENT),
            "a_month": (amount / days * MONTH).quantize(_CENT),
            "unit": unit,
        }
        for (service, unit), amount in sorted(total.items(), key=lambda item: (-item[1], item[0]))
    ]
    every = sum(total.values(), Decimal()).quantize(_CENT)
    unit = " ".join(sorted({unit for _, unit in total}))
    of = "the whole account" if whole_account else f"what is tagged {TAG}={stack.name}"
    return Report(f"Charged for {of}, {since} to {until - timedelta(days=1)}: {every} {unit}".rstrip(), COLUMNS, rows)


def _results(stack: Stack, since: date, until: date, *, whole_account: bool) -> Iterator[Mapping[str, Any]]:
    asked: dict[str, Any] = {
        "TimePeriod": {"Start": since.isoformat(), "End": until.isoformat()},
        "Granularity": "DAILY",
        "Metrics": [METRIC],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}],
    }
    if not whole_account:
        asked["Filter"] = {"Tags": {"Key": TAG, "Values": [stack.name]}}
    while True:
        answer = _asked(stack, asked)
        yield from answer["ResultsByTime"]
        if (token := answer.get("NextPageToken")) is None:
            return
        asked["NextPageToken"] = token


def _asked(stack: Stack, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return stack.ask("ce", "get_cost_and_usage", **asked)
    except Refused as refused:
        if refused.code in _NO_DATA:
            raise StoreError(f"{_SWITCH_ON} ({refused})") from refused
        raise
    except StoreError as error:  # an account without it refuses as it does whom it knows, but does not allow
        if _NOT_ENABLED in str(error).lower():
            raise StoreError(f"{_SWITCH_ON} ({error})") from error
        raise
