"""The queue in SQS (standard): at least once, in roughly the order of sending."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...core.errors import PermanentError
from ...core.records import Message, RawObject
from .batches import ENTRIES, in_tens, send_in_batches
from .clients import Clients
from .errors import translated
from .messages import MAX_MESSAGE, decode_receipt, encode_receipt, text_attribute

WAIT_SECONDS: Final = 1
"""How long a receive waits for a message. Any wait at all makes SQS ask all its servers, not a sample of them."""

GONE: Final = frozenset(
    {
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidParameterValue",
        "MessageNotInflight",
        "ReceiptHandleIsInvalid",
    }
)
"""Codes for a delivery that is over: acknowledged, timed out and delivered again, or never made."""


class SqsQueue:
    """Messages with the raw object inline where the limit allows, else by reference, for the receiver to read.

    What is received stays hidden for the queue's own visibility time-out. A message that was received too often
    without being acknowledged is moved to the dead-letter queue by SQS, as the queue's redrive policy says; so is
    one whose body names no receipt, which ``receive`` leaves alone.
    """

    def __init__(
        self,
        clients: Clients,
        queue_url: str,
        *,
        wait_seconds: int = WAIT_SECONDS,
        most: int = MAX_MESSAGE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``most``: bytes a message may have, the queue's ``MaximumMessageSize``."""
        self._clients, self._url = clients, queue_url
        self._wait, self._most, self._sleep = wait_seconds, most, sleep
        self._place = f"the queue {queue_url.rpartition('/')[2]}"

    def send(self, receipt: str, raw: RawObject | None = None) -> None:
        # The receipt id goes along from the API's answer to the log lines and the curated item.
        attributes = {"correlationId": text_attribute(receipt)}
        body = encode_receipt(receipt, raw, attributes, self._most)
        with translated(self._place):
            self._sqs.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=attributes)

    def receive(self, limit: int) -> Sequence[Message]:
        """As the port says. SQS may return fewer than there are; none only where it found none."""
        messages: list[Message] = []
        while (wanted := min(limit - len(messages), ENTRIES)) > 0:
            with translated(self._place):
                answer = self._sqs.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=wanted,
                    WaitTimeSeconds=0 if messages else self._wait,
                    MessageSystemAttributeNames=["ApproximateReceiveCount"],
                )
            found = answer.get("Messages", ())
            for message in found:
                attempt = int(message["Attributes"]["ApproximateReceiveCount"])
                try:
                    messages.append(decode_receipt(message["Body"], message["ReceiptHandle"], attempt))
                except PermanentError:
                    continue  # poison: it comes back until SQS moves it to the dead-letter queue, as on Lambda
            if not found:
                break
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """As the port says, save one thing that SQS leaves open: an old token may acknowledge a later delivery, too."""
        self._settle(self._sqs.delete_message_batch, [{"ReceiptHandle": token} for token in _tokens(messages)])

    def release(self, messages: Sequence[Message]) -> None:
        entries = [{"ReceiptHandle": token, "VisibilityTimeout": 0} for token in _tokens(messages)]
        self._settle(self._sqs.change_message_visibility_batch, entries)

    def _settle(self, call: Any, entries: Sequence[dict[str, Any]]) -> None:
        send_in_batches(call, self._url, in_tens(entries), place=self._place, settled=GONE, sleep=self._sleep)

    @property
    def _sqs(self) -> Any:
        return self._clients.get("sqs")


def _tokens(messages: Sequence[Message]) -> Sequence[str]:
    """Each token once; the empty one, which would spoil its whole batch, not at all."""
    return [token for token in dict.fromkeys(message.token for message in messages) if token]
