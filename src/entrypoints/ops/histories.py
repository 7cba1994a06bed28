"""Histories of executions: which states one was in, for how long, with what, and in which of them it failed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from ...adapters.aws.orchestrator import sentence_of
from ...core.times import format_time, to_micros


@attrs.define
class Visit:
    """A stay in a state. ``left`` None: it is still there, or ended there. ``tries`` counts what it started.

    ``only_fails``: it is a Fail state. ``map_run`` is the ARN of its map run, "" of other states.
    """

    state: str
    entered: int
    received: int
    only_fails: bool = False
    left: int | None = None
    gave: int | None = None
    tries: int = 0
    error: str = ""
    cause: str = ""
    map_run: str = ""

    def row(self) -> dict[str, Any]:
        """As a row."""
        return {
            "state": self.state,
            "entered_at": format_time(self.entered),
            "seconds": None if self.left is None else round((self.left - self.entered) / 1_000_000, 3),
            "tries": self.tries,
            "input_bytes": self.received,
            "output_bytes": self.gave,
            "error": self.error,
            "cause": self.cause,
        }


def visits(history: Iterable[Mapping[str, Any]]) -> list[Visit]:
    """The states in the order in which they were entered, from the events of GetExecutionHistory.

    Events of tasks do not name their state. The machine is in one at a time: the one that was entered last. Of several
    tries the last error is told, also where it was caught or the next try succeeded.
    """
    found: list[Visit] = []
    for event in history:
        kind, at = event["type"], to_micros(event["timestamp"])
        details: Mapping[str, Any] = next((event[key] for key in event if key.endswith("EventDetails")), {})
        if kind.endswith("StateEntered"):
            received = len(details.get("input", "").encode())
            found.append(Visit(details["name"], at, received, only_fails=kind == "FailStateEntered"))
        elif not found:
            continue
        elif kind.endswith("StateExited"):
            found[-1].left, found[-1].gave = at, len(details.get("output", "").encode())
        elif kind == "MapRunStarted":
            found[-1].map_run, found[-1].tries = details["mapRunArn"], found[-1].tries + 1
        elif kind.endswith("Scheduled"):
            found[-1].tries += 1
        elif not kind.startswith("Execution") and kind.endswith(("Failed", "TimedOut")) and details:
            found[-1].error, found[-1].cause = details.get("error", ""), sentence_of(details.get("cause", ""))
    return found


def failed_visit(found: Sequence[Visit], error: str) -> Visit | None:
    """The stay in which an execution failed with this error, rather than one in which that was reported; where no state
    tells of the error, as when the execution as a whole timed out, the one in which it ended.
    """
    wrong = [visit for visit in found if visit.error]
    if same := [visit for visit in wrong if visit.error == error]:
        return same[-1]
    if wrong and found[-1].only_fails:
        return wrong[-1]
    return found[-1] if found else None
