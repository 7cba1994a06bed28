"""What the commands on dead letters share: the options that choose letters, and how a letter is shown."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from ..origins import Origin, Place, origins
from .exits import Fault
from .options import Command, named_after

if TYPE_CHECKING:
    from ...core.records import DeadLetter
    from ...core.redriving import Choice
    from ..platform import Platform

_PAGE = 1000


def choosing(command: Command) -> Command:
    """--reason, --type, --fingerprint and --receipt, as one argument ``choice``."""

    @click.option("--reason", help="Only those with this reason, such as invalid or malformed.")
    @click.option("--type", "event_type", help="Only those of this event type.")
    @click.option("--fingerprint", help="Only those with this cause; see summary.")
    @click.option("--receipt", metavar="ID", help="Only what came with this receipt.")
    def with_choice(
        *args: Any,
        reason: str | None,
        event_type: str | None,
        fingerprint: str | None,
        receipt: str | None,
        **rest: Any,
    ) -> Any:
        from ...core.redriving import Choice

        if reason is not None:
            _require_reason(reason)
        choice = Choice(reason=reason, event_type=event_type, fingerprint=fingerprint, receipt=receipt)
        return command(*args, choice=choice, **rest)

    return named_after(command, with_choice)


def chosen(platform: "Platform", choice: "Choice") -> Iterator["DeadLetter"]:
    """The letters that are chosen, in order of id, each with all the occurrences that are meant and no others."""
    import msgspec

    from ...core.services.redrive import Redrive

    for letter, places in Redrive(platform.stores, platform.process).letters(choice):
        yield msgspec.structs.replace(letter, occurrences=tuple(places), seen=len(places))


def with_origins(platform: "Platform", letters: Iterable["DeadLetter"]) -> Iterator[tuple["DeadLetter", Origin | None]]:
    """Each letter with where its first occurrence comes from; the raw log is read in between."""
    iterator = iter(letters)
    while page := list(islice(iterator, _PAGE)):
        found = origins(platform, [(letter.receipt, letter.index) for letter in page])
        yield from ((letter, found.get((letter.receipt, letter.index))) for letter in page)


def complaint(found: Sequence[dict[str, str]]) -> str:
    """The first violation in a line, and how many more there are."""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]['pointer']} {found[0]['message']}".strip() + more if found else ""


def every(occurrences: Iterable[Place]) -> list[dict[str, Any]]:
    """Occurrences as JSON shows them."""
    return [{"receipt": receipt, "index": index} for receipt, index in occurrences]


def _require_reason(reason: str) -> None:
    from ...core.records import Reason

    known = [each.value for each in Reason]
    if reason not in known:
        raise Fault(f"There is no reason {reason!r}; there are {', '.join(known)}.")
