"""``Verdict``: whether something that was looked at is well, and if not, how grave it is and what to run."""

from collections.abc import Iterable
from typing import Final

import attrs

from .conditions import CONDITIONS, Severity

_CONDITIONS: Final = {condition.name: condition for condition in CONDITIONS}

_HERE: Final = "millrace ops health"
"""The command that tells of verdicts need not be recommended by it."""


@attrs.frozen
class Verdict:
    """``label`` is short, for a table. ``wrong`` has a sentence where somebody should see to it the same day."""

    label: str
    wrong: str = ""


WELL: Final = Verdict("ok")
NOTHING: Final = Verdict("")
"""Of what is only told."""


def broken(sentence: str) -> Verdict:
    """Something does not work at all."""
    return Verdict("wrong", sentence)


def meets(condition: str, sentence: str, stack: str, *, part: str = "") -> Verdict:
    """A condition is met that has alarms: as grave as these are. One that only is worth knowing (P3) is not wrong."""
    found = _CONDITIONS[condition]
    label = f"{found.severity} {condition}"
    if found.severity is Severity.P3:
        return Verdict(label)
    run = f". Run: {found.first.replace('FUNCTION', part)} --store aws:{stack}" if found.first != _HERE else ""
    return Verdict(label, f"{label}: {sentence}{run}")


def wrongs(verdicts: Iterable[Verdict]) -> list[str]:
    """The sentences of all that are wrong."""
    return [verdict.wrong for verdict in verdicts if verdict.wrong]
