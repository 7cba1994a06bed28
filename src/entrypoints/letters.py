"""How dead letters are shown: the same by every command and by the console."""

from typing import TYPE_CHECKING, Any

from ..core.times import format_time

if TYPE_CHECKING:
    from ..core.records import DeadLetter
    from .origins import Origin


def letter_row(letter: "DeadLetter", origin: "Origin | None") -> dict[str, Any]:
    """A dead letter as JSON shows it, with its first occurrence."""
    return {
        "id": letter.id,
        "reason": letter.reason,
        "stage": letter.stage,
        "fingerprint": letter.fingerprint,
        "violations": violations(letter),
        "receipt": letter.receipt,
        "index": letter.index,
        **as_origin(origin),
        "source": letter.source,
        "eventType": letter.event_type,
        "eventId": letter.event_id,
        "eventTime": None if letter.event_time is None else format_time(letter.event_time),
        "seen": letter.seen,
        "attempts": letter.attempts,
    }


def as_origin(origin: "Origin | None") -> dict[str, Any]:
    """Where an event came from: nulls where that cannot be told."""
    return {"origin": None if origin is None else origin.name, "line": None if origin is None else origin.line}


def violations(letter: "DeadLetter") -> list[dict[str, str]]:
    """What is wrong, as JSON shows it."""
    return [{"pointer": v.pointer, "code": v.code, "message": v.message} for v in letter.violations]


class Causes:
    """Dead letters grouped by their cause (fingerprint), counted as they are added."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Any]] = {}

    def add(self, letter: "DeadLetter") -> None:
        """Count a letter; the first of a cause is its example."""
        example = (violations(letter) or [{"pointer": "", "code": "", "message": ""}])[0]
        row = self._rows.setdefault(
            letter.fingerprint,
            {
                "fingerprint": letter.fingerprint,
                "reason": letter.reason,
                "eventType": letter.event_type,
                "letters": 0,
                "occurrences": 0,
                "example": {"id": letter.id, **example},
            },
        )
        row["letters"] += 1
        row["occurrences"] += letter.seen

    def rows(self) -> list[dict[str, Any]]:
        """A row per cause, the most frequent first."""
        return sorted(self._rows.values(), key=lambda row: (-row["occurrences"], row["fingerprint"]))
