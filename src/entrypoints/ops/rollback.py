"""Rollback: which versions of the functions the alias ``prod`` goes back to, and moving it there."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...core.errors import StoreError
from ...core.times import format_time, to_micros
from .findings import Change
from .stack import ALIAS, Stack

TOGETHER: Final = 30 * 60 * 1_000_000
"""Versions that were published within so many microseconds are of one deployment."""

STOPPING: Final = (
    "aws deploy list-deployments --include-only-statuses InProgress, then "
    "aws deploy stop-deployment --auto-rollback-enabled --deployment-id ID"
)

_MOVED: Final = "PreconditionFailedException"
_CODE_DIGITS: Final = 8


@attrs.frozen(order=True)
class Version:
    """A published version of a function. ``code`` is the hash of its package, ``published`` an instant."""

    number: int
    code: str = attrs.field(order=False)
    published: int = attrs.field(order=False)

    def __str__(self) -> str:
        return f"version {self.number} (code {self.code[:_CODE_DIGITS]}, {format_time(self.published)})"


@attrs.frozen
class Serving:
    """A function's versions, the oldest first, and which of them its alias sends calls to.

    ``others`` has the share of each version that gets a part of the calls: while a deployment moves them by and by.
    """

    function: str
    versions: Sequence[Version]
    current: int
    revision: str
    others: Mapping[int, float] = {}

    def version(self, number: int) -> Version:
        """Raises ``StoreError`` with a sentence where there is none of that number."""
        for version in self.versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in self.versions) or "none"
        raise StoreError(f"{self.function} has no version {number}; it has {known}")

    @property
    def newest(self) -> Version:
        """The last one that was published."""
        return self.versions[-1]

    @property
    def told(self) -> str:
        """What the alias does, in words."""
        shares = "".join(f", {share:.0%} to version {number}" for number, share in sorted(self.others.items()))
        return f"{self.version(self.current)}{shares}"


def before(serving: Serving) -> Version | None:
    """The version that a rollback goes back to, by number; None where it has gone back already.

    While calls are moved to a new version, that is the one they come from. Raises ``StoreError`` where nothing came
    before.
    """
    served = {serving.current, *serving.others}
    if serving.others:
        return serving.version(min(served, key=lambda number: (number == max(served), -number)))
    if serving.current < serving.newest.number:
        return None
    older = [version for version in serving.versions if version.number < serving.current]
    if not older:
        raise StoreError(f"{serving.function} has no version before {serving.current}; nothing was changed")
    return older[-1]


def of_last_deployment(all_of_them: Iterable[Serving]) -> list[Serving]:
    """Those whose newest version was published together with the newest of all: a function that the last deployment
    did not change must not go back to one before that.
    """
    found = [*all_of_them]
    last = max(serving.newest.published for serving in found)
    return [serving for serving in found if last - serving.newest.published <= TOGETHER]


def targets(found: Sequence[Serving], named: Collection[str], to: int | None) -> dict[str, Version]:
    """Which version each function goes to: those that are named, or else all of the last deployment together.

    Functions that stay where they are have no target. Raises ``StoreError`` before anything is changed.
    """
    chosen = [serving for serving in found if serving.function in named]
    if to is not None:
        return {serving.function: serving.version(to) for serving in chosen or found}
    wanted = {serving.function: before(serving) for serving in chosen or of_last_deployment(found)}
    return {function: version for function, version in wanted.items() if version is not None}


def remarks(
    found: Sequence[Serving], goals: Mapping[str, Version], named: Collection[str], to: int | None
) -> list[str]:
    """What the operator should know besides."""
    told = []
    for serving in found:
        goal = goals.get(serving.function)
        if goal is None and to is None and (not named or serving.function in named):
            told.append(_why_it_stays(serving))
        if goal is not None and serving.others:
            told.append(
                f"{serving.function}: calls were being moved to another version; a deployment that is under way goes "
                f"on unless it is stopped: {STOPPING}"
            )
    codes = {goals.get(each.function, each.version(each.current)).code for each in found}
    if goals and len(codes) > 1 and len({each.version(each.current).code for each in found}) == 1:
        told.append("The functions will not all run the same code")
    return told


def _why_it_stays(serving: Serving) -> str:
    if serving.current == serving.newest.number:
        return f"{serving.function} stays at version {serving.current}: the last deployment did not change it"
    older = [version.number for version in serving.versions if version.number < serving.current]
    further = f"; further back: millrace ops rollback {serving.function} --to {older[-1]}" if older else ""
    return (
        f"{serving.function} stays at version {serving.current}: it is behind {serving.newest.number} already{further}"
    )


# ------------------------------------------------------------------------------------------------------- on a stack


def serving_of(stack: Stack, function: str) -> Serving:
    """What a function's alias serves now. Raises ``StoreError`` where it has none."""
    listed = stack.account.pages("lambda", "list_versions_by_function", "Versions", FunctionName=function)
    versions = sorted(_version(each) for each in listed if each["Version"].isdigit())
    alias = _alias(stack, function)
    return Serving(
        function=function,
        versions=versions,
        current=int(alias["FunctionVersion"]),
        revision=alias["RevisionId"],
        others=_others(alias),
    )


def rolling_back(stack: Stack, found: Sequence[Serving], goals: Mapping[str, Version]) -> list[Change]:
    """The changes: one for each function that has a target."""
    return [
        Change(
            serving.function,
            serving.told,
            str(goals[serving.function]),
            lambda serving=serving: _move(stack, serving, goals[serving.function].number),  # type: ignore[misc]
        )
        for serving in found
        if serving.function in goals
    ]


def _move(stack: Stack, serving: Serving, number: int) -> None:
    now = _alias(stack, serving.function)
    if _is_at(now, number):
        return
    if now["RevisionId"] != serving.revision:
        raise _overtaken(serving.function)
    try:
        stack.ask(
            "lambda",
            "update_alias",
            FunctionName=serving.function,
            Name=ALIAS,
            FunctionVersion=str(number),
            RoutingConfig={"AdditionalVersionWeights": {}},
            RevisionId=serving.revision,
        )
    except Refused as refused:
        if refused.code != _MOVED:
            raise
        if not _is_at(_alias(stack, serving.function), number):
            raise _overtaken(serving.function) from refused


def _alias(stack: Stack, function: str) -> Mapping[str, Any]:
    try:
        return stack.ask("lambda", "get_alias", FunctionName=function, Name=ALIAS)
    except Refused as refused:
        if refused.code != "ResourceNotFoundException":
            raise
        raise StoreError(f"{function} has no alias {ALIAS}: it is not deployed") from refused


def _others(alias: Mapping[str, Any]) -> dict[int, float]:
    weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return {int(number): share for number, share in weights.items()}


def _is_at(alias: Mapping[str, Any], number: int) -> bool:
    return alias["FunctionVersion"] == str(number) and not _others(alias)


def _overtaken(function: str) -> StoreError:
    return StoreError(f"Somebody else has moved {ALIAS} of {function} meanwhile; look again before you change it")


def _version(told: Mapping[str, Any]) -> Version:
    published = to_micros(datetime.fromisoformat(told["LastModified"]))
    return Version(int(told["Version"]), told["CodeSha256"], published)
