"""Concurrency of the functions, reserved and provisioned: what it is, and changing it within the account's limit."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...core.errors import StoreError
from .findings import Change, Report
from .objectives import Series
from .readings import highest, read, span, total
from .stack import ALIAS, FUNCTIONS, Stack

LEFT: Final = 100
"""What Lambda keeps of the account's concurrency for functions that have none reserved."""

NONE: Final = -1
"""As a wish: no reserved, no provisioned concurrency."""

COLUMNS = ("function", "reserved", "provisioned", "ready", "status", "most", "throttled", "polled")
_HOUR: Final = 3600
_ABSENT: Final = "ProvisionedConcurrencyConfigNotFoundException"


@attrs.frozen
class Concurrency:
    """A function's concurrency. ``reserved`` None: it takes of what no function has reserved.

    ``polled`` is how many batches of the queue it is sent at once, None for functions that no queue feeds. ``most`` ran
    at once, and ``throttled`` calls were refused, within the last hour.
    """

    function: str
    reserved: int | None
    provisioned: int = 0
    ready: int = 0
    status: str = ""
    polled: int | None = None
    most: int = 0
    throttled: int = 0

    def row(self) -> dict[str, Any]:
        """As a row."""
        fields = {column: getattr(self, column) for column in COLUMNS}
        return fields | {"reserved": "none" if self.reserved is None else self.reserved}


@attrs.frozen
class Shares:
    """The account's concurrency in this region, and what of it no function has reserved."""

    limit: int
    unreserved: int


@attrs.frozen
class Wish:
    """What concurrency shall become; None is left as it is, ``NONE`` taken away. A reserved 0 switches off."""

    reserved: int | None = None
    provisioned: int | None = None

    def of(self, found: Concurrency) -> Concurrency:
        """The concurrency once the wish was granted."""
        reserved, provisioned = found.reserved, found.provisioned
        if self.reserved is not None:
            reserved = None if self.reserved == NONE else self.reserved
        if self.provisioned is not None:
            provisioned = max(self.provisioned, 0)
        return attrs.evolve(found, reserved=reserved, provisioned=provisioned)


def judged(found: Sequence[Concurrency], shares: Shares) -> Report:
    """Each function's concurrency, and what is wrong with it."""
    rows: list[Mapping[str, Any]] = [each.row() for each in found]
    rows.append({"function": f"unreserved of the account's {shares.limit}", "reserved": shares.unreserved})
    return Report("Concurrency", COLUMNS, rows, [sentence for each in found for sentence in wrong(each)])


def wrong(found: Concurrency) -> Iterator[str]:
    """What somebody should see to."""
    if found.reserved == 0:
        yield f"{found.function} is switched off: its reserved concurrency is 0"
    elif found.reserved is not None and found.polled is not None and found.polled > found.reserved:
        yield (
            f"{found.function} is sent up to {found.polled} batches of processing-queue at once, but may run only "
            f"{found.reserved} at once: messages are thrown back"
        )
    if found.status == "FAILED":
        yield f"{found.function}: its provisioned concurrency could not be prepared"
    if found.throttled:
        told = "has none reserved" if found.reserved is None else f"may run {found.reserved} at once"
        yield f"{found.function} was throttled {found.throttled} times in the last hour: it {told}"


def refusal(found: Sequence[Concurrency], named: Collection[str], wish: Wish, shares: Shares) -> str | None:
    """Why the wish cannot be granted to the functions that are named, in a sentence; None where it can."""
    pairs = [(each, wish.of(each)) for each in found if each.function in named]
    left = shares.unreserved - sum((after.reserved or 0) - (before.reserved or 0) for before, after in pairs)
    if left < LEFT and left < shares.unreserved:
        return (
            f"That would leave {left} of the account's {shares.limit} unreserved, and {LEFT} have to be left: reserve "
            "less, or have the quota Concurrent executions of Lambda raised"
        )
    pool = left - LEFT
    for before, after in pairs:
        most = pool if after.reserved is None else after.reserved
        if after.provisioned > most and after != before:
            of = "not reserved by any" if after.reserved is None else "reserved for it"
            return f"{after.function} cannot have {after.provisioned} provisioned: {max(most, 0)} are {of}"
        if after.reserved is None:
            pool -= after.provisioned
    return None


def consequences(found: Sequence[Concurrency], named: Collection[str], wish: Wish) -> list[str]:
    """What somebody should see to once the wish was granted."""
    granted = (attrs.evolve(wish.of(each), throttled=0) for each in found if each.function in named)
    return [sentence for each in granted for sentence in wrong(each)]


def for_good(named: Collection[str], wish: Wish) -> list[str]:
    """Where the template holds what is wished."""
    told = []
    if wish.reserved is not None:
        told.append(
            "ReservedConcurrentExecutions of the function in deploy/template.yaml (ReservedConcurrency=false: none)"
        )
    if wish.provisioned is not None:
        ingestion = any(name.startswith("ingestion-") for name in named)
        if ingestion:
            told.append(f"ProvisionedConcurrency={max(wish.provisioned, 0)}")
        if not ingestion or len(named) > 1:
            told.append("ProvisionedConcurrencyConfig of the function in deploy/template.yaml")
    return told


# --------------------------------------------------------------------------------------------------------- on a stack


def shares_of(stack: Stack) -> Shares:
    """What the account has."""
    told = stack.ask("lambda", "get_account_settings")["AccountLimit"]
    return Shares(told["ConcurrentExecutions"], told["UnreservedConcurrentExecutions"])


def concurrencies(stack: Stack) -> list[Concurrency]:
    """Of every function."""
    polled = _polled(stack)
    series = [_series(role, metric, how) for role in FUNCTIONS for metric, how in _METRICS]
    points = read(stack, series, span(stack.clock.now(), _HOUR))
    found = []
    for number, function in enumerate(stack.functions):
        throttled, most = points[2 * number], points[2 * number + 1]
        found.append(
            attrs.evolve(
                _of(stack, function),
                polled=polled if function == stack.function("transformation") else None,
                most=int(highest(most) or 0),
                throttled=int(total(throttled)),
            )
        )
    return found


def setting(stack: Stack, found: Sequence[Concurrency], named: Collection[str], wish: Wish) -> list[Change]:
    """The changes that grant the wish, in an order in which each is possible. Raises ``StoreError`` where it cannot be
    granted, before anything is changed.
    """
    if reason := refusal(found, named, wish, shares_of(stack)):
        raise StoreError(reason)
    giving: list[Change] = []
    taking: list[Change] = []
    for before in found:
        if before.function not in named:
            continue
        after = wish.of(before)
        reserving = _reserving(stack, before, after)
        providing = _providing(stack, before, after)
        less = _or_zero(after.reserved) < _or_zero(before.reserved)
        # What is kept warm has to fit into what is reserved at every moment.
        fewer = after.provisioned < before.provisioned
        (giving if less else taking).extend([providing, reserving] if fewer else [reserving, providing])
    return [*giving, *taking]


def _or_zero(reserved: int | None) -> int:
    return reserved or 0


def _reserving(stack: Stack, before: Concurrency, after: Concurrency) -> Change:
    function = before.function

    def put() -> None:
        if after.reserved is None:
            stack.ask("lambda", "delete_function_concurrency", FunctionName=function)
            return
        stack.ask(
            "lambda",
            "put_function_concurrency",
            FunctionName=function,
            ReservedConcurrentExecutions=after.reserved,
        )

    of = f"{function}, reserved"
    apply = _guarded(of, before.reserved, after.reserved, lambda: _reserved(stack, function), put)
    return Change(of, _shown(before.reserved), _shown(after.reserved), apply)


def _providing(stack: Stack, before: Concurrency, after: Concurrency) -> Change:
    place = {"FunctionName": before.function, "Qualifier": ALIAS}

    def put() -> None:
        if after.provisioned:
            wanted = {"ProvisionedConcurrentExecutions": after.provisioned}
            stack.ask("lambda", "put_provisioned_concurrency_config", **place, **wanted)
        else:
            stack.ask("lambda", "delete_provisioned_concurrency_config", **place)

    def now() -> int:
        return _provisioned(stack, before.function)[0]

    of = f"{before.function}, provisioned"
    apply = _guarded(of, before.provisioned, after.provisioned, now, put)
    return Change(of, before.provisioned, after.provisioned, apply)


def _guarded(
    of: str, before: int | None, after: int | None, now: Callable[[], int | None], put: Callable[[], None]
) -> Callable[[], None]:
    """Makes a change unless it is made, or somebody else has made another one."""

    def apply() -> None:
        found = now()
        if found == after:
            return
        if found != before:
            raise StoreError(f"Somebody else has changed {of} meanwhile, to {_shown(found)}; look again before you do")
        put()

    return apply


def _shown(number: int | None) -> str | int:
    return "none" if number is None else number


def _of(stack: Stack, function: str) -> Concurrency:
    wanted, ready, status = _provisioned(stack, function)
    return Concurrency(function, _reserved(stack, function), wanted, ready, status)


def _reserved(stack: Stack, function: str) -> int | None:
    told: int | None = stack.ask("lambda", "get_function_concurrency", FunctionName=function).get(
        "ReservedConcurrentExecutions"
    )
    return told


def _provisioned(stack: Stack, function: str) -> tuple[int, int, str]:
    """How many are wanted, how many are ready, and how it stands."""
    place = {"FunctionName": function, "Qualifier": ALIAS}
    try:
        told = stack.ask("lambda", "get_provisioned_concurrency_config", **place)
    except Refused as refused:
        if refused.code != _ABSENT:
            raise
        return 0, 0, ""
    ready = told.get("AvailableProvisionedConcurrentExecutions", 0)
    return told["RequestedProvisionedConcurrentExecutions"], ready, told["Status"]


def _polled(stack: Stack) -> int | None:
    """How many batches the queue's mappings send at once; None where that has no limit of its own."""
    url = stack.outputs["QueueUrl"]
    arn = stack.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pages = stack.account.pages("lambda", "list_event_source_mappings", "EventSourceMappings", EventSourceArn=arn)
    found = [(mapping.get("ScalingConfig") or {}).get("MaximumConcurrency") for mapping in pages]
    return max((most for most in found if most is not None), default=None)


_METRICS: Final = (("Throttles", "Sum"), ("ConcurrentExecutions", "Maximum"))


def _series(role: str, metric: str, statistic: str) -> Series:
    dimensions = (("FunctionName", f"{role}-lambda{{suffix}}"),)
    return Series(namespace="AWS/Lambda", metric=metric, statistic=statistic, dimensions=dimensions)
