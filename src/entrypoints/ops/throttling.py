"""Throttling of the API: how many requests it takes, per second and at once, and changing that."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from ...core.errors import StoreError
from .findings import Change, Report
from .stack import ALIAS, Stack

METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "api": ("*/*",),
    "ingest": ("/ingest/POST", "/ingest/{source}/POST"),
}
"""The methods that have limits of their own, by what they are called here. ``*/*`` is every method that has none; each
of these methods may be called so often, not all of them together.
"""
PARAMETERS: Final = {"api": ("RateLimit", "BurstLimit"), "ingest": ("IngestRateLimit", "IngestBurstLimit")}
"""The parameters of the template that set them for good: rate and burst."""

STAGE, PLAN = f"stage {ALIAS}", "usage plan"
COLUMNS = ("where", "method", "rate", "burst", "parameters")


def plain(number: float) -> str:
    """All digits of a number, without a fraction where it has none."""
    return str(int(number)) if number == int(number) else repr(number)


@attrs.frozen
class Limit:
    """``rate`` requests a second, and ``burst`` at once; 0 of either refuses every request."""

    rate: float
    burst: int

    def __str__(self) -> str:
        return f"{plain(self.rate)} a second, {self.burst} at once"


@attrs.frozen
class Wish:
    """What limits shall become; None is left as it is."""

    rate: float | None = None
    burst: int | None = None

    def of(self, limit: Limit) -> Limit:
        """The limit once the wish was granted."""
        return Limit(limit.rate if self.rate is None else self.rate, limit.burst if self.burst is None else self.burst)


@attrs.frozen
class Place:
    """A limit and where it is set: for the stage as a whole, or for each client of the usage plan."""

    where: str
    part: str
    method: str
    limit: Limit

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.where}, {_told(self.method)}"


def judged(places: Sequence[Place], account: Limit) -> Report:
    """The limits, and what is wrong with them. ``account`` is the limit of all APIs of the account together."""
    rows = [
        {
            "where": place.where,
            "method": _told(place.method),
            "rate": place.limit.rate,
            "burst": place.limit.burst,
            "parameters": ", ".join(PARAMETERS[place.part]),
        }
        for place in places
    ]
    rows.append({"where": "account", "method": "all APIs together", "rate": account.rate, "burst": account.burst})
    return Report("Throttling", COLUMNS, rows, [*_wrong(places, account)])


def _wrong(places: Sequence[Place], account: Limit) -> Iterable[str]:
    for place in places:
        if not place.limit.rate or not place.limit.burst:
            yield f"{place.name}: every request is refused"
        elif place.limit.rate > account.rate:
            rate = plain(place.limit.rate)
            yield f"{place.name}: {rate} a second, but the account takes {plain(account.rate)} in all"
    for stage in places:
        for plan in places:
            if (stage.where, plan.where, stage.method) == (STAGE, PLAN, plan.method) and stage.limit != plan.limit:
                yield f"{_told(stage.method)}: the stage allows {stage.limit}, the usage plan {plan.limit}"


def goals(places: Sequence[Place], wishes: Mapping[str, Wish], account: Limit) -> list[tuple[Place, Limit]]:
    """Each place that a wish is for, with what it becomes. Raises ``StoreError`` for more than the account takes."""
    found = [(place, wishes[place.part].of(place.limit)) for place in places if place.part in wishes]
    for place, limit in found:
        if limit.rate > account.rate and limit.rate != place.limit.rate:
            raise StoreError(
                f"{place.name} cannot take {plain(limit.rate)} requests a second: the account takes "
                f"{plain(account.rate)} in all (the quota Throttle rate of API Gateway)"
            )
    return found


def for_good(wishes: Mapping[str, Wish]) -> list[str]:
    """The parameters of the template that hold the wishes, with their values."""
    return [
        f"{parameter}={plain(value)}"
        for part, wish in wishes.items()
        for parameter, value in zip(PARAMETERS[part], (wish.rate, wish.burst), strict=True)
        if value is not None
    ]


# --------------------------------------------------------------------------------------------------------- on a stack


def account_limit(stack: Stack) -> Limit:
    """The limit of all APIs of the account in this region."""
    return _limit(stack.ask("apigateway", "get_account")["throttleSettings"])


def places_of(stack: Stack) -> list[Place]:
    """The limits of the stage, and of the usage plan where clients have keys."""
    stage = _of_stage(stack)
    plan = _of_plan(stack) if stack.outputs.get("UsagePlanId") else {}
    return [
        Place(where, part, method, limits[method])
        for where, limits in ((STAGE, stage), (PLAN, plan))
        for part, methods in METHODS.items()
        for method in methods
        if method in limits
    ]


def throttling(stack: Stack) -> Report:
    """All limits as they are."""
    return judged(places_of(stack), account_limit(stack))


def setting(stack: Stack, wishes: Mapping[str, Wish]) -> list[Change]:
    """The changes that grant the wishes."""
    return [
        Change(place.name, str(place.limit), str(limit), _setter(stack, place, limit))
        for place, limit in goals(places_of(stack), wishes, account_limit(stack))
    ]


def _setter(stack: Stack, place: Place, limit: Limit) -> Any:
    def apply() -> None:
        now = _now(stack, place)
        if now == limit:
            return
        if now != place.limit:
            raise StoreError(f"Somebody else has changed {place.name} meanwhile, to {now}; look again before you do")
        _patch(stack, place, limit)
        if (after := _now(stack, place)) != limit:
            raise StoreError(f"API Gateway has not taken the limit of {place.name}: it is {after}")

    return apply


def _now(stack: Stack, place: Place) -> Limit | None:
    return (_of_stage(stack) if place.where == STAGE else _of_plan(stack)).get(place.method)


def _patch(stack: Stack, place: Place, limit: Limit) -> None:
    path, _, verb = place.method.rpartition("/")
    # A JSON Pointer: the slashes of the method's path are escaped (UpdateStage, UpdateUsagePlan, API reference).
    escaped = f"{path.replace('/', '~1')}/{verb}"
    if place.where == STAGE:
        what = {"restApiId": stack.api_id, "stageName": ALIAS}
        stack.ask("apigateway", "update_stage", **what, patchOperations=_patches(f"/{escaped}/throttling", limit))
        return
    throttle = "/throttle" if place.part == "api" else f"/apiStages/{stack.api_id}:{ALIAS}/throttle/{escaped}"
    stack.ask(
        "apigateway",
        "update_usage_plan",
        usagePlanId=stack.outputs["UsagePlanId"],
        patchOperations=_patches(throttle, limit),
    )


def _patches(path: str, limit: Limit) -> list[dict[str, str]]:
    values = {"rateLimit": plain(limit.rate), "burstLimit": str(limit.burst)}
    return [{"op": "replace", "path": f"{path}/{name}", "value": value} for name, value in values.items()]


def _of_stage(stack: Stack) -> dict[str, Limit]:
    told = stack.ask("apigateway", "get_stage", restApiId=stack.api_id, stageName=ALIAS).get("methodSettings") or {}
    return {
        key.replace("~1", "/"): Limit(settings["throttlingRateLimit"], settings["throttlingBurstLimit"])
        for key, settings in told.items()
        if "throttlingRateLimit" in settings and "throttlingBurstLimit" in settings
    }


def _of_plan(stack: Stack) -> dict[str, Limit]:
    told = stack.ask("apigateway", "get_usage_plan", usagePlanId=stack.outputs["UsagePlanId"])
    limits = {"*/*": _limit(told["throttle"])} if told.get("throttle") else {}
    for staged in told.get("apiStages") or ():
        if (staged["apiId"], staged["stage"]) == (stack.api_id, ALIAS):
            limits |= {key.replace("~1", "/"): _limit(each) for key, each in (staged.get("throttle") or {}).items()}
    return limits


def _limit(told: Mapping[str, Any]) -> Limit:
    return Limit(float(told["rateLimit"]), int(told["burstLimit"]))


def _told(method: str) -> str:
    if method == "*/*":
        return "every other method"
    path, _, verb = method.rpartition("/")
    return f"{verb} {path}"
