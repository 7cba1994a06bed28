"""Time-outs of the functions and what depends on them: the API's own, the visibility time-out of the queue."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...core.errors import StoreError, TransientError
from .findings import Change, Report
from .rollback import Serving, serving_of
from .stack import ALIAS, FUNCTIONS, Stack

API_WAITS: Final = 29
"""Seconds that API Gateway waits for a function (quota Maximum integration timeout)."""
LONGEST: Final = 900
"""Seconds that a function may run (Lambda quotas)."""
LONGEST_VISIBILITY: Final = 43_200
"""Seconds that a queue may hide a message (SQS quotas)."""
TIMES: Final = 6
"""How many times a function's time-out its queue should hide a message (Lambda, "Using Lambda with Amazon SQS")."""

FOR_REQUESTS: Final = ("ingestion", "query")
"""Functions that only the API calls. Validation answers requests as well, but its long calls are steps of jobs."""

COLUMNS = ("name", "seconds", "at_most", "why", "for_good")

_CODE: Final = (
    "CodeSha256",
    "Runtime",
    "Handler",
    "Role",
    "MemorySize",
    "Environment",
    "Layers",
    "Architectures",
    "EphemeralStorage",
    "VpcConfig",
    "LoggingConfig",
    "TracingConfig",
)
"""What of a function's configuration two versions must have in common to be the same but for their time-outs."""

_MOVED: Final = "PreconditionFailedException"
_WAITS: Final = 30
"""How often it is looked whether Lambda has taken a new configuration, a second apart."""


@attrs.frozen
class Timeouts:
    """Seconds: of each function by its role, how long a message of the queue is hidden, and how long a step of a job
    waits for a function, by its role.
    """

    functions: Mapping[str, int]
    visibility: int
    steps: Mapping[str, int] = {}

    def bound(self, role: str) -> tuple[int, str]:
        """The most that the function's time-out should be, and why."""
        if role in FOR_REQUESTS:
            return API_WAITS, "API Gateway waits no longer"
        bounds = [(LONGEST, "Lambda allows no more")]
        if role in self.steps:
            bounds.append((self.steps[role], "steps of jobs wait no longer"))
        if role == "transformation":
            bounds.append((self.visibility // TIMES, f"processing-queue hides messages {TIMES} times as long"))
        return min(bounds)


def judged(found: Timeouts, names: Mapping[str, str], queue: str) -> Report:
    """The time-outs, and what is wrong with them. ``names``: the functions' by role."""
    rows: list[dict[str, Any]] = []
    for role, seconds in found.functions.items():
        most, why = found.bound(role)
        row = {"name": names[role], "seconds": seconds, "at_most": most, "why": why, "for_good": _template(role)}
        rows.append(row)
    rows.append(
        {"name": queue, "seconds": found.visibility, "at_most": LONGEST_VISIBILITY, "why": "SQS allows no more"}
    )
    rows[-1]["for_good"] = "VisibilityTimeout in deploy/stacks/storage.yaml"
    return Report("Time-outs", COLUMNS, rows, [*wrong(found, names, queue)])


def wrong(found: Timeouts, names: Mapping[str, str], queue: str) -> Iterator[str]:
    """What does not go together, each with what to raise or lower."""
    for role, seconds in found.functions.items():
        name, step = names[role], found.steps.get(role)
        if role in FOR_REQUESTS and seconds > API_WAITS:
            yield f"{name} may run {seconds} s, but API Gateway waits {API_WAITS} s: lower it to {API_WAITS} or less"
        if step is not None and seconds > step:
            yield (
                f"{name} may run {seconds} s, but the steps of jobs wait {step} s: raise TimeoutSeconds in "
                "deploy/statemachines/data_processing.asl.json first"
            )
    least = TIMES * found.functions.get("transformation", 0)
    if least > LONGEST_VISIBILITY:
        yield f"{queue} cannot hide messages for {least} s, {TIMES} times the time-out of {names['transformation']}"
    elif found.visibility < least:
        yield (
            f"{queue} hides messages for {found.visibility} s, but {names['transformation']} may run "
            f"{found.functions['transformation']} s and needs {TIMES} times that: raise it with --visibility {least}"
        )


def goal(found: Timeouts, roles: Collection[str], seconds: int | None, visibility: int | None) -> Timeouts:
    """The time-outs once these functions have that one, and the queue that one."""
    functions = dict(found.functions)
    if seconds is not None:
        functions |= dict.fromkeys(roles, seconds)
    return attrs.evolve(found, functions=functions, visibility=found.visibility if visibility is None else visibility)


def for_good(roles: Collection[str], visibility: int | None) -> list[str]:
    """Where the template holds them; there is no parameter."""
    told = [_template(role) for role in roles]
    if visibility is not None:
        told.append("VisibilityTimeout of the queue in deploy/stacks/storage.yaml")
    return told


def _template(role: str) -> str:
    return f"Timeout of {role.title()}Function in deploy/template.yaml"


def waiting(definition: Mapping[str, Any], functions: Mapping[str, str]) -> dict[str, int]:
    """How long the states of a state machine wait for each function, the shortest. ``functions``: role by name."""
    found: dict[str, int] = {}
    for state in definition.get("States", {}).values():
        parameters = state.get("Parameters") or {}
        called = str(parameters.get("FunctionName", "")).partition(":function:")[2].partition(":")[0]
        if called in functions and "TimeoutSeconds" in state:
            role = functions[called]
            found[role] = min(found.get(role, LONGEST), int(state["TimeoutSeconds"]))
        for role, seconds in waiting(state.get("ItemProcessor") or {}, functions).items():
            found[role] = min(found.get(role, LONGEST), seconds)
    return found


# --------------------------------------------------------------------------------------------------------- on a stack


def names_of(stack: Stack) -> dict[str, str]:
    """The functions' names by role."""
    return {role: stack.function(role) for role in FUNCTIONS}


def queue_of(stack: Stack) -> str:
    """The name of the processing queue."""
    return stack.outputs["QueueUrl"].rpartition("/")[2]


def timeouts_of(stack: Stack) -> Timeouts:
    """What is in force: the time-outs of the versions that the alias serves."""
    names = names_of(stack)
    told = stack.ask("stepfunctions", "describe_state_machine", stateMachineArn=stack.outputs["StateMachineArn"])
    return Timeouts(
        functions={role: _seconds(stack, name, ALIAS) for role, name in names.items()},
        visibility=_visibility(stack),
        steps=waiting(json.loads(told["definition"]), {name: role for role, name in names.items()}),
    )


def timeouts(stack: Stack) -> Report:
    """As they are."""
    return judged(timeouts_of(stack), names_of(stack), queue_of(stack))


def setting(
    stack: Stack,
    found: Timeouts,
    roles: Sequence[str],
    seconds: int | None,
    visibility: int | None,
    sleep: Callable[[float], None],
) -> list[Change]:
    """The changes to these functions and the queue. Raises ``StoreError``, before anything is changed, for what would
    not go together and for functions whose newest configuration is not the one that is served.

    A time-out belongs to a version: each function gets a new version, like the one that is served but for the time-out,
    and ``prod`` moves to it.
    """
    after = goal(found, roles, seconds, visibility)
    names, queue = names_of(stack), queue_of(stack)
    known = {*wrong(found, names, queue)}
    if broken := [sentence for sentence in wrong(after, names, queue) if sentence not in known]:
        raise StoreError("; ".join(broken))
    hiding = _hiding(stack, queue, found.visibility, after.visibility)
    changes = [
        _timing(stack, names[role], found.functions[role], after.functions[role], sleep)
        for role in roles
        if seconds is not None
    ]
    # The queue hides messages long enough at every moment.
    return [hiding, *changes] if after.visibility > found.visibility else [*changes, hiding]


def _timing(stack: Stack, name: str, before: int, after: int, sleep: Callable[[float], None]) -> Change:
    serving = serving_of(stack, name)
    if before != after:
        _require_same(stack, serving)

    def apply() -> None:
        now = _seconds(stack, name, ALIAS)
        if now == after:
            return
        if now != before or serving_of(stack, name).revision != serving.revision:
            raise _overtaken(name)
        newest = _configuration(stack, name)
        if newest["Timeout"] != after:
            _guarded(stack, name, "update_function_configuration", Timeout=after, **_as_seen(newest))
            newest = _taken(stack, name, sleep)
        published = _guarded(stack, name, "publish_version", **_as_seen(newest))
        number = published["Version"]
        _guarded(stack, name, "update_alias", Name=ALIAS, FunctionVersion=number, RevisionId=serving.revision)

    return Change(f"{name}, seconds", before, after, apply)


def _require_same(stack: Stack, serving: Serving) -> None:
    name = serving.function
    if serving.others:
        raise StoreError(f"A deployment is moving calls of {name} to another version: wait until it is over")
    newest, served = _configuration(stack, name), _configuration(stack, name, ALIAS)
    if different := [part for part in _CODE if newest.get(part) != served.get(part)]:
        raise StoreError(
            f"{ALIAS} of {name} is at version {serving.current}, but the newest configuration differs from it "
            f"({', '.join(different)}), as after a rollback: a version with another time-out would bring that back. "
            "Deploy what should run first"
        )


def _taken(stack: Stack, name: str, sleep: Callable[[float], None]) -> Mapping[str, Any]:
    """The newest configuration once Lambda has taken it: until then no version can be published."""
    for _ in range(_WAITS):
        told = _configuration(stack, name)
        status = told.get("LastUpdateStatus", "Successful")
        if status == "Successful":
            return told
        if status == "Failed":
            raise StoreError(f"Lambda has not taken the time-out of {name}: {told.get('LastUpdateStatusReason')}")
        sleep(1)
    raise TransientError(f"Lambda has not taken the time-out of {name} within {_WAITS} s")


def _guarded(stack: Stack, name: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
    """A call that somebody else's change in between makes fail."""
    try:
        return stack.ask("lambda", operation, FunctionName=name, **parameters)
    except Refused as refused:
        if refused.code != _MOVED:
            raise
        raise _overtaken(name) from refused


def _as_seen(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Has Lambda refuse a call where the configuration is no longer the one that was seen."""
    return {key: configuration[key] for key in ("RevisionId",) if key in configuration}


def _overtaken(name: str) -> StoreError:
    return StoreError(f"Somebody else has changed {name} meanwhile; look again before you change it")


def _hiding(stack: Stack, queue: str, before: int, after: int) -> Change:
    def apply() -> None:
        now = _visibility(stack)
        if now == after:
            return
        if now != before:
            raise StoreError(f"Somebody else has changed {queue} meanwhile, to {now} s; look again before you do")
        wanted = {"VisibilityTimeout": str(after)}
        stack.ask("sqs", "set_queue_attributes", QueueUrl=stack.outputs["QueueUrl"], Attributes=wanted)

    return Change(f"{queue}, visibility seconds", before, after, apply)


def _configuration(stack: Stack, name: str, qualifier: str | None = None) -> Mapping[str, Any]:
    place = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
    return stack.ask("lambda", "get_function_configuration", **place)


def _seconds(stack: Stack, name: str, qualifier: str) -> int:
    return int(_configuration(stack, name, qualifier)["Timeout"])


def _visibility(stack: Stack) -> int:
    asked = {"QueueUrl": stack.outputs["QueueUrl"], "AttributeNames": ["VisibilityTimeout"]}
    return int(stack.ask("sqs", "get_queue_attributes", **asked)["Attributes"]["VisibilityTimeout"])
