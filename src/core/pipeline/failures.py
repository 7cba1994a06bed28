"""Dead letters: what is written down of an event that cannot be processed."""

from ..decoding.events import Event, NoEvent
from ..identity import dead_letter_id, fingerprint
from ..records import Curated, DeadLetter, RawObject, Reason, Stage, Violation
from .judgement import Failed


def dead_letter(receipt: str, index: int, document: bytes, event: Event, failed: Failed) -> DeadLetter:
    """The dead letter of an event that was read."""
    return DeadLetter(
        id=dead_letter_id((event.source, event.id, event.type, event.time), failed.reason, document),
        reason=failed.reason.value,
        stage=failed.stage.value,
        fingerprint=fingerprint(failed.reason, event.type, failed.violations),
        violations=failed.violations,
        occurrences=((receipt, index),),
        source=event.source,
        event_type=event.type,
        event_id=event.id,
        event_time=event.time,
    )


def no_event_letter(raw: RawObject, index: int, document: bytes, error: NoEvent) -> DeadLetter:
    """The dead letter of a document that is no event."""
    source = raw.receipt.source
    return DeadLetter(
        id=dead_letter_id((source, error.event_id, error.event_type, None), error.reason, document),
        reason=error.reason,
        stage=Stage.DECODE.value,
        fingerprint=fingerprint(error.reason, error.event_type, error.violations),
        violations=error.violations,
        occurrences=((raw.receipt.id, index),),
        source=source,
        event_type=error.event_type,
        event_id=error.event_id,
    )


def rejected_letter(record: Curated, own_time: int | None, reason: Reason, violation: Violation) -> DeadLetter:
    """The dead letter of an event that was in order, but cannot be kept beside what is there."""
    return DeadLetter(
        id=dead_letter_id((record.source, record.id, record.type, own_time), reason, record.raw),
        reason=reason.value,
        stage=Stage.INSERT.value,
        fingerprint=fingerprint(reason, record.type, [violation]),
        violations=(violation,),
        occurrences=((record.receipt, record.index),),
        source=record.source,
        event_type=record.type,
        event_id=record.id,
        event_time=own_time,
    )
