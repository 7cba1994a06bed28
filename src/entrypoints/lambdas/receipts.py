"""A batch of the processing queue: each message by itself, those that failed named to SQS by Powertools."""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from ...adapters.aws.messages import decode_receipt
from ...core.errors import MillraceError, TransientError
from ..logs import place_of
from .arrivals import SQS, part
from .function import Invocation
from .measures import Measure

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord


def process_batch(event: Any, invocation: Invocation) -> Any:
    """Process every message. SQS delivers those again that the answer names, and buries what fails too often."""
    for record in event["Records"]:
        part(record, SQS, "messageId", str)

    def process(record: "SQSRecord") -> None:
        _process(record, invocation)

    return process_partial_response(event=event, record_handler=process, processor=_Batch(invocation))


class _Batch(BatchProcessor):
    """Says why a message failed, and lets a batch fail as a whole without an error of the function: where DynamoDB is
    down the messages wait, and a new version of the function is not to blame.
    """

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        self._invocation = invocation

    def failure_handler(self, record: Any, exception: Any) -> Any:
        _, error, _ = exception
        passing = isinstance(error, TransientError)
        log = self._invocation.log.warning if passing else self._invocation.log.error
        log(
            "receipt.deferred" if passing else "receipt.failed",
            correlation_id=_correlation(record) or "unknown",
            message_id=record.message_id,
            attempt=_attempt(record),
            error=type(error).__name__,
            # Messages of other errors may quote an event.
            cause=str(error) if isinstance(error, MillraceError) else place_of(error),
        )
        self._invocation.metrics.count(Measure.DEFERRED if passing else Measure.FAILED)
        return super().failure_handler(record, exception)


def _process(record: "SQSRecord", invocation: Invocation) -> None:
    services = invocation.services
    message = decode_receipt(record.body, record.receipt_handle, _attempt(record))
    entry = services.process.receipt(message.receipt, message.raw)
    lag = services.clock.now() // 1000 - _received(entry.receipt)
    correlation = _correlation(record) or entry.receipt
    invocation.metrics.outcomes(entry)
    invocation.metrics.milliseconds(Measure.RECEIVED_TO_CURATED, lag)
    invocation.annotations["correlation_id"] = correlation
    invocation.log.info(
        "receipt.processed",
        receipt_id=entry.receipt,
        correlation_id=correlation,
        attempt=message.attempt,
        events=entry.events,
        curated=entry.curated,
        duplicate=entry.duplicate,
        filtered=entry.filtered,
        dead_lettered=entry.dead_lettered,
        reasons=", ".join(f"{reason} {count}" for reason, count in entry.dead_letters.items()),
        milliseconds_since_received=lag,
    )


def _received(receipt: str) -> int:
    """The millisecond a receipt id (UUIDv7) tells."""
    return int(receipt.replace("-", "")[:12], 16)


def _attempt(record: "SQSRecord") -> int:
    return int(record.raw_event.get("attributes", {}).get("ApproximateReceiveCount", 1))


def _correlation(record: "SQSRecord") -> str | None:
    attribute = record.raw_event.get("messageAttributes", {}).get("correlationId", {})
    found: str | None = attribute.get("stringValue")
    return found
