"""Redriving dead letters from outside: step by step, and what became of them, added up."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from .letters import violations

if TYPE_CHECKING:
    from ..core.redriving import Choice, Redriven, Returned, Step
    from .platform import Platform

SAMPLED: Final = 20
"""Letters of each verdict that the JSON document shows."""
VERDICTS: Final = {
    "passed": "pass now",
    "same": "fail in the same way",
    "other": "fail in another way",
    "held": "cannot be processed",
    "skipped": "failed too often",
}
AT_ONCE: Final = 2000
"""Letters that one call of ``redrive`` takes on, so that whoever asked gets an answer in time."""


def redrive(platform: "Platform", choice: "Choice", *, dry_run: bool) -> dict[str, Any]:
    """Redrive what is chosen, up to ``AT_ONCE`` letters in order of id however often they failed, and say what became
    of them; ``dry_run`` says what would, and writes nothing.

    The answer is that of the command ``dead-letters redrive --json``, without the time it took; ``more`` says whether
    letters were left out. Raises ``TransientError``; the same call finishes what was begun.
    """
    tally = Tally(dry=dry_run)
    for step in steps(platform, choice, dry=dry_run, limit=AT_ONCE, attempts=None):
        for _ in tally.add(step):
            pass
    report = tally.report()
    return {**report, "more": report["letters"] >= AT_ONCE}


def steps(platform: "Platform", choice: "Choice", *, dry: bool, **options: Any) -> Iterator["Step"]:
    """The steps of ``Redrive.run``; where nobody else does, the views follow each before it is told."""
    from ..core.services.redrive import Redrive

    for step in Redrive(platform.stores, platform.process).run(choice, dry=dry, **options):
        if not (dry or platform.attended):
            platform.work.project()
        yield step


class Tally:
    """What became of the letters, added up."""

    def __init__(self, *, dry: bool) -> None:
        self._dry = dry
        self._counts: Counter[str] = Counter()
        self._causes: dict[tuple[str, str | None], Counter[str]] = {}
        self._samples: dict[str, list[Mapping[str, Any]]] = {verdict: [] for verdict in VERDICTS}

    @property
    def failed(self) -> bool:
        """Whether anything that was tried could not be processed."""
        return any(self._counts[name] for name in ("same", "other", "held", "returned_held"))

    def add(self, step: "Step") -> Iterator[Mapping[str, Any]]:
        """The rows of a step, counted."""
        self._counts["receipts"] += step.receipts
        for each in step.returned:
            self._counts["returned"] += 1
            self._counts["returned_held"] += each.why is not None
            yield _returned(each)
        for result in step.letters:
            row = _redriven(result, counted=not self._dry)
            self._counts["letters"] += 1
            self._counts[result.verdict] += 1
            cause = result.letter.reason, result.letter.event_type
            self._causes.setdefault(cause, Counter())[result.verdict] += 1
            if len(self._samples[result.verdict]) < SAMPLED:
                self._samples[result.verdict].append(row)
            yield row

    def report(self) -> dict[str, Any]:
        """What became of how many, by verdict and by cause, and a sample of each."""
        names = ("letters", *VERDICTS, "returned", "returned_held", "receipts")
        return {
            "dry_run": self._dry,
            **{name: self._counts[name] for name in names},
            "causes": [
                {"reason": reason, "eventType": event_type, **{verdict: found[verdict] for verdict in VERDICTS}}
                for (reason, event_type), found in sorted(self._causes.items(), key=lambda item: str(item[0]))
            ],
            "samples": {verdict: rows for verdict, rows in self._samples.items() if rows},
        }


def _redriven(result: "Redriven", *, counted: bool) -> Mapping[str, Any]:
    letter, now, attempts = result.letter, result.now, result.letter.attempts
    if counted and now is not None and now.id == letter.id:
        attempts = now.attempts
    elif counted and result.verdict == "same":
        attempts += 1
    return {
        "id": letter.id,
        "verdict": result.verdict.value,
        "reason": letter.reason,
        "eventType": letter.event_type,
        "eventId": letter.event_id,
        "receipt": letter.receipt,
        "index": letter.index,
        "seen": letter.seen,
        "attempts": attempts,
        "violations": violations(letter),
        "now": None if now is None else {"id": now.id, "reason": now.reason, "violations": violations(now)},
        "why": result.why,
    }


def _returned(each: "Returned") -> Mapping[str, Any]:
    entry = each.entry
    names = ("events", "curated", "duplicate", "filtered", "dead_lettered")
    return {
        "id": None,
        "verdict": "passed" if each.why is None else "held",
        "receipt": each.receipt,
        **{name: None if entry is None else getattr(entry, name) for name in names},
        "why": each.why,
    }
