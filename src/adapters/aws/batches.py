"""Batch calls of SQS: entries in tens, and what failed of a batch tried again."""

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from ...core.errors import TransientError
from .errors import judged, translated

ENTRIES: Final = 10
"""Entries that one batch call may have (SQS API reference)."""
ROUNDS: Final = 5
"""How often the entries that failed are tried in all."""

Entry = Mapping[str, Any]


def send_in_batches(
    call: Callable[..., Mapping[str, Any]],
    queue_url: str,
    batches: Iterator[Sequence[Entry]] | Sequence[Sequence[Entry]],
    *,
    place: str,
    settled: Collection[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make a batch call for each of the batches, and again for those of its entries that failed.

    Entries get their ``Id`` here. ``settled`` are error codes that mean there is nothing left to do for an entry.
    Raises ``TransientError`` where entries still fail after ``ROUNDS``; the other batches were made by then or not.
    """
    for batch in batches:
        waiting = [{**entry, "Id": str(number)} for number, entry in enumerate(batch)]
        failures: Sequence[Mapping[str, Any]] = ()
        for round_ in range(ROUNDS):
            if round_:
                sleep(random.uniform(0, 0.05 * 2**round_))  # noqa: S311 (jitter)
            with translated(place):
                failures = call(QueueUrl=queue_url, Entries=waiting).get("Failed", ())
            failures = [failure for failure in failures if failure["Code"] not in settled]
            _raise_lasting(failures, place)
            failed = {failure["Id"] for failure in failures}
            waiting = [entry for entry in waiting if entry["Id"] in failed]
            if not waiting:
                break
        if waiting:
            codes = ", ".join(sorted({failure["Code"] for failure in failures}))
            raise TransientError(f"{place} refused {len(waiting)} of {len(batch)} entries for the moment: {codes}")


def in_tens(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries in batches of at most ten."""
    for start in range(0, len(entries), ENTRIES):
        yield entries[start : start + ENTRIES]


def _raise_lasting(failures: Sequence[Mapping[str, Any]], place: str) -> None:
    """Raise what trying again cannot mend: the sender's fault, as its code says."""
    for failure in failures:
        if failure.get("SenderFault"):
            code, message = failure["Code"], failure.get("Message", "")
            known = judged(code, 0, message, place)
            if known is None:
                # Not in the table: it goes on as botocore would have raised it.
                raise ClientError({"Error": {"Code": code, "Message": message}}, place)
            if not isinstance(known, TransientError):
                raise known
