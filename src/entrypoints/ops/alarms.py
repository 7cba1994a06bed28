"""The alarms of a stack as they stand, with what each means and what to run first."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from ...core.times import to_micros
from .conditions import CONDITIONS, Condition, Severity, prefix
from .findings import Report
from .readings import to_the_second
from .stack import Stack

ALARM: Final = "ALARM"
RAISED = ("severity", "alarm", "since", "means", "runbook", "run")
OTHERS = ("severity", "state", "alarm", "since")

_STATES: Final = (ALARM, "INSUFFICIENT_DATA", "OK")
_NOBODY_LOOKS: Final = (Severity.P3,)
"""Severities of which an alarm is worth knowing, but not wrong."""

_CONDITIONS: Final = {condition.name: condition for condition in CONDITIONS}
_SEVERITIES: Final = frozenset(severity.value for severity in Severity)
_SAYS_SEVERITY = re.compile(r"(P[0-3]): ")


@attrs.frozen
class Alarm:
    """An alarm as CloudWatch has it. ``since`` is when it came into its state, in microseconds."""

    name: str
    state: str
    since: int
    description: str = ""
    reason: str = ""
    notifies: bool = True


@attrs.frozen
class Known:
    """What an alarm's name and description tell. ``condition`` is None for those that sum others up, and of others."""

    severity: Severity | None
    condition: Condition | None
    means: str
    runbook: str
    run: str
    is_window: bool = False
    sums_up: bool = False


def alarms(stack: Stack) -> list[Alarm]:
    """All alarms of the stack, metric and composite."""
    # Unless asked for by their type, composite alarms are left out.
    kinds = ("MetricAlarms", "CompositeAlarms")
    return [
        _alarm(found)
        for kind in kinds
        for found in stack.account.pages(
            "cloudwatch",
            "describe_alarms",
            kind,
            AlarmNamePrefix=prefix(stack.suffix),
            AlarmTypes=[kind.removesuffix("s")],
        )
    ]


def known(alarm: Alarm, stack: Stack) -> Known:
    """What is known of an alarm, by its name; of a foreign one, by its description."""
    name, _, part = alarm.name.removeprefix(prefix(stack.suffix)).partition("/")
    runbook = alarm.description.rpartition(" ")[2] if "#" in alarm.description else ""
    if name in _CONDITIONS:
        condition = _CONDITIONS[name]
        run = f"{condition.first.replace('FUNCTION', part)} --store aws:{stack.name}"
        window = part in condition.windows
        return Known(condition.severity, condition, condition.means, runbook, run, is_window=window)
    if name in _SEVERITIES:
        severity = Severity(name)
        run = f"millrace ops alarms --store aws:{stack.name}"
        return Known(severity, None, severity.means, runbook, run, sums_up=True)
    said = _SAYS_SEVERITY.match(alarm.description)
    means = alarm.description[said.end() if said else 0 :].removesuffix(runbook).strip()
    return Known(Severity(said[1]) if said else None, None, means, runbook, "")


def judged(found: Sequence[Alarm], stack: Stack) -> list[Report]:
    """Those in ALARM with what they mean, the gravest first, and all others. Wrong is what is in ALARM at P0 to P2, and
    what nobody can hear: an alarm of a condition that is missing or whose actions are switched off.
    """
    both = sorted(((alarm, known(alarm, stack)) for alarm in found), key=lambda pair: _order(*pair))
    rows = [_row(alarm, meaning) for alarm, meaning in both]
    return [
        Report("In ALARM", RAISED, [row for row in rows if row["state"] == ALARM], wrong=[*_raised(both)]),
        Report("Others", OTHERS, [row for row in rows if row["state"] != ALARM], wrong=[*_unheard(found, stack)]),
    ]


def raised(found: Sequence[Alarm], stack: Stack) -> list[tuple[Alarm, Known]]:
    """The alarms in ALARM that notify somebody, the gravest first; one that sums up others only where none of its
    severity is among them.
    """
    both = sorted(((alarm, known(alarm, stack)) for alarm in found), key=lambda pair: _order(*pair))
    return _telling(both)


def sentence(alarm: Alarm, meaning: Known) -> str:
    """What is told of an alarm in ALARM."""
    run = f" Run: {meaning.run}" if meaning.run else ""
    severity = f"{meaning.severity} " if meaning.severity else ""
    return f"{severity}{alarm.name} is in ALARM since {to_the_second(alarm.since)}: {meaning.means}{run}"


def _telling(found: Sequence[tuple[Alarm, Known]]) -> list[tuple[Alarm, Known]]:
    loud = [(alarm, meaning) for alarm, meaning in found if alarm.state == ALARM and not meaning.is_window]
    told = {meaning.severity for _, meaning in loud if not meaning.sums_up}
    return [(alarm, meaning) for alarm, meaning in loud if not meaning.sums_up or meaning.severity not in told]


def _raised(found: Sequence[tuple[Alarm, Known]]) -> Iterator[str]:
    for alarm, meaning in _telling(found):
        if meaning.severity not in _NOBODY_LOOKS:
            yield sentence(alarm, meaning)


def _unheard(found: Sequence[Alarm], stack: Stack) -> Iterator[str]:
    there = {alarm.name: alarm for alarm in found}
    if not there:
        yield f"The stack {stack.name} has no alarms: nobody is told of anything"
        return
    for condition in CONDITIONS:
        for name in condition.alarms(stack.suffix):
            if name not in there:
                yield f"The alarm {name} is missing: nobody is told when this is so: {condition.means}"
            elif not there[name].notifies:
                yield f"The actions of the alarm {name} are switched off: nobody is told when it is in ALARM"


def _order(alarm: Alarm, meaning: Known) -> tuple[int, str, bool, str]:
    state = _STATES.index(alarm.state) if alarm.state in _STATES else len(_STATES)
    return (state, meaning.severity or "P9", meaning.is_window, alarm.name)


def _row(alarm: Alarm, meaning: Known) -> Mapping[str, Any]:
    return {
        "severity": meaning.severity or "",
        "state": alarm.state,
        "alarm": alarm.name,
        "since": to_the_second(alarm.since),
        "means": meaning.means,
        "runbook": meaning.runbook,
        "run": meaning.run,
        "reason": alarm.reason,
        "notifies": alarm.notifies and not meaning.is_window,
    }


def _alarm(found: Mapping[str, Any]) -> Alarm:
    # When its state became another one; the other time also moves with every new reason for the same state.
    moved = found.get("StateTransitionedTimestamp") or found["StateUpdatedTimestamp"]
    return Alarm(
        name=found["AlarmName"],
        state=found["StateValue"],
        since=to_micros(moved),
        description=found.get("AlarmDescription") or "",
        reason=found.get("StateReason") or "",
        notifies=bool(found.get("ActionsEnabled", True)),
    )
