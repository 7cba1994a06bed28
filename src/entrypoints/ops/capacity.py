"""Capacity of the tables: on demand or provisioned with auto-scaling, and changing from one to the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from ...core.errors import StoreError
from .findings import Change, Report
from .objectives import Series
from .readings import read, span, total
from .stack import TABLES, Stack

COLUMNS = ("table", "billing", "of", "units", "scaled", "throttled", "parameters")
ON_DEMAND, PROVISIONED = "on demand", "provisioned"
TARGET: Final = 70
"""Percent of the units in use that auto-scaling keeps to unless told otherwise."""
TARGETS: Final = (20, 90)
"""What DynamoDB allows for it."""
_HOUR: Final = 3600

KINDS: Final = ("read", "write")
_DIMENSION: Final = {"read": "dynamodb:table:ReadCapacityUnits", "write": "dynamodb:table:WriteCapacityUnits"}
_METRIC: Final = {"read": "DynamoDBReadCapacityUtilization", "write": "DynamoDBWriteCapacityUtilization"}
_UNITS: Final = {"read": "ReadCapacityUnits", "write": "WriteCapacityUnits"}


@attrs.frozen
class Scaling:
    """Auto-scaling between ``least`` and ``most`` units, so that ``target`` percent of them are in use; None: the units
    stay as they are.
    """

    least: int
    most: int
    target: float | None = None

    def __str__(self) -> str:
        how = "never: it has no policy" if self.target is None else f"{self.target:g} % in use"
        return f"{self.least} to {self.most}, {how}"


@attrs.frozen
class Capacity:
    """A table's capacity, by reads and writes. ``throttled`` requests were refused within the last hour."""

    table: str
    provisioned: bool
    units: Mapping[str, int]
    scaling: Mapping[str, Scaling]
    throttled: Mapping[str, int] = {}

    def __str__(self) -> str:
        parts = [_billing(self.provisioned)]
        for kind in KINDS:
            if kind in self.scaling:
                parts.append(f"{kind} {self.scaling[kind]}")
            elif self.provisioned:
                parts.append(f"{kind} {self.units[kind]}")
        return ", ".join(parts)

    def same_as(self, other: "Capacity") -> bool:
        """Whether nothing has to be changed to come from one to the other; scaled units change by themselves."""
        fixed = [kind for kind in KINDS if self.provisioned and kind not in self.scaling]
        return ((self.provisioned, self.scaling) == (other.provisioned, other.scaling)) and all(
            self.units[kind] == other.units[kind] for kind in fixed
        )


def judged(found: Sequence[Capacity], parameters: Mapping[str, str]) -> Report:
    """Each table's capacity, and what is wrong with it. ``parameters``: those of the template, by table."""
    rows = [_row(each, kind, parameters.get(each.table, "")) for each in found for kind in KINDS]
    return Report("Capacity", COLUMNS, rows, [sentence for each in found for sentence in wrong(each)])


def wrong(found: Capacity) -> Iterator[str]:
    """What somebody should see to."""
    for kind in KINDS:
        scaling = found.scaling.get(kind)
        if throttled := found.throttled.get(kind, 0):
            yield f"{found.table}: {throttled} {kind} requests were throttled in the last hour"
        if scaling is None:
            continue
        if not found.provisioned:
            yield f"{found.table} is on demand, but auto-scaling of its {kind} units is left: --on-demand removes it"
        elif scaling.target is None:
            yield f"{found.table}: its {kind} units do not scale, since auto-scaling has no policy"
        elif found.units[kind] >= scaling.most > scaling.least:
            yield f"{found.table}: its {kind} units are at the most that auto-scaling may give, {scaling.most}"


def _row(found: Capacity, kind: str, parameters: str) -> dict[str, Any]:
    return {
        "table": found.table,
        "billing": _billing(found.provisioned),
        "of": kind,
        "units": found.units[kind] if found.provisioned else None,
        "scaled": str(found.scaling.get(kind, "")),
        "throttled": found.throttled.get(kind, 0),
        "parameters": parameters,
    }


def _billing(provisioned: bool) -> str:
    return PROVISIONED if provisioned else ON_DEMAND


def goal(found: Capacity, scaling: Mapping[str, Scaling]) -> Capacity:
    """The capacity with this auto-scaling; on demand with none.

    A table that comes from on demand starts with the most, so that nothing is throttled until auto-scaling knows its
    load; one that is provisioned keeps its units as far as they are within the bounds.
    """
    units = {}
    for kind, each in scaling.items():
        units[kind] = min(max(found.units[kind], each.least), each.most) if found.provisioned else each.most
    return attrs.evolve(found, provisioned=bool(scaling), scaling=scaling, units=units or dict.fromkeys(KINDS, 0))


def for_good(stack: Stack, tables: Sequence[str], scaling: Mapping[str, Scaling]) -> list[str]:
    """Where the template holds it."""
    told = []
    if stack.outputs["CuratedTable"] in tables:
        values = [f"Curated{kind.title()}Capacity={scaling[kind].least if scaling else 0}" for kind in KINDS]
        told.append(" ".join(values))
    if any(table != stack.outputs["CuratedTable"] for table in tables):
        told.append("BillingMode of the table in deploy/stacks/storage.yaml")
    return told


# --------------------------------------------------------------------------------------------------------- on a stack


def table_of(stack: Stack, name: str) -> str:
    """The table of that name, or of that part: "curated", "identities", "views", "ledger". Raises ``KeyError`` with a
    sentence.
    """
    parts = {output.removesuffix("Table").lower(): stack.outputs[output] for output in TABLES}
    if name in stack.tables:
        return name
    if name.lower() not in parts:
        raise KeyError(f"There is no table {name!r}; there are {', '.join(parts)}")
    return parts[name.lower()]


def capacities(stack: Stack) -> list[Capacity]:
    """Of every table."""
    series = [_throttles(table, kind) for table in stack.tables for kind in KINDS]
    points = iter(read(stack, series, span(stack.clock.now(), _HOUR)))
    found = []
    for table in stack.tables:
        throttled = {kind: int(total(next(points))) for kind in KINDS}
        found.append(attrs.evolve(_of(stack, table), throttled=throttled))
    return found


def parameters(stack: Stack) -> dict[str, str]:
    """The parameters of the template that set capacities for good, by table."""
    return {stack.outputs["CuratedTable"]: "CuratedReadCapacity, CuratedWriteCapacity"}


def setting(stack: Stack, found: Sequence[Capacity], scaling: Mapping[str, Scaling]) -> list[Change]:
    """One change for each of these tables. Raises ``StoreError`` where a table cannot be changed now."""
    changes = []
    for before in found:
        after = goal(before, scaling)
        same = before.same_as(after)
        shown = str(before)
        changes.append(Change(before.table, shown, shown if same else str(after), _setter(stack, before, after)))
    return changes


def _setter(stack: Stack, before: Capacity, after: Capacity) -> Callable[[], None]:
    def apply() -> None:
        now = _of(stack, before.table)
        if now.same_as(after):
            return
        if not now.same_as(before):
            raise StoreError(f"Somebody else has changed {before.table} meanwhile, to {now}; look again before you do")
        if after.provisioned:
            _provision(stack, now, after)
        else:
            _on_demand(stack, now)

    return apply


def _provision(stack: Stack, now: Capacity, after: Capacity) -> None:
    if not now.provisioned or now.units != after.units:
        throughput = {_UNITS[kind]: after.units[kind] for kind in KINDS}
        stack.ask(
            "dynamodb",
            "update_table",
            TableName=after.table,
            BillingMode="PROVISIONED",
            ProvisionedThroughput=throughput,
        )
    for kind, scaling in after.scaling.items():
        place = _place(after.table, kind)
        bounds = {"MinCapacity": scaling.least, "MaxCapacity": scaling.most}
        stack.ask("application-autoscaling", "register_scalable_target", **place, **bounds)
        stack.ask(
            "application-autoscaling",
            "put_scaling_policy",
            **place,
            PolicyName=_policy(after.table, kind),
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": float(scaling.target or TARGET),
                "PredefinedMetricSpecification": {"PredefinedMetricType": _METRIC[kind]},
            },
        )


def _on_demand(stack: Stack, now: Capacity) -> None:
    if now.provisioned:
        stack.ask("dynamodb", "update_table", TableName=now.table, BillingMode="PAY_PER_REQUEST")
    # Afterwards, so that a table that refuses still scales. With the target its policies go.
    for kind in now.scaling:
        stack.ask("application-autoscaling", "deregister_scalable_target", **_place(now.table, kind))


def _of(stack: Stack, table: str) -> Capacity:
    told = stack.ask("dynamodb", "describe_table", TableName=table)["Table"]
    billing = told.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    units = told.get("ProvisionedThroughput", {})
    return Capacity(
        table=table,
        provisioned=billing == "PROVISIONED",
        units={kind: units.get(_UNITS[kind], 0) for kind in KINDS},
        scaling=_scaling(stack, table),
    )


def _scaling(stack: Stack, table: str) -> dict[str, Scaling]:
    of_table = {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}"}
    policies = stack.account.pages(
        "application-autoscaling", "describe_scaling_policies", "ScalingPolicies", **of_table
    )
    aims = {
        policy["ScalableDimension"]: policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
        for policy in policies
        if policy["PolicyType"] == "TargetTrackingScaling"
    }
    asked = {"ServiceNamespace": "dynamodb", "ResourceIds": [f"table/{table}"]}
    targets = stack.account.pages("application-autoscaling", "describe_scalable_targets", "ScalableTargets", **asked)
    kinds = {dimension: kind for kind, dimension in _DIMENSION.items()}
    found = {}
    for target in targets:
        dimension = target["ScalableDimension"]
        scaling = Scaling(target["MinCapacity"], target["MaxCapacity"], aims.get(dimension))
        found[kinds[dimension]] = scaling
    return {kind: found[kind] for kind in KINDS if kind in found}


def _place(table: str, kind: str) -> dict[str, str]:
    return {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}", "ScalableDimension": _DIMENSION[kind]}


def _policy(table: str, kind: str) -> str:
    return f"{_METRIC[kind]}:table/{table}"


def _throttles(table: str, kind: str) -> Series:
    metric = f"{kind.title()}ThrottleEvents"
    return Series(namespace="AWS/DynamoDB", metric=metric, dimensions=(("TableName", table),))
