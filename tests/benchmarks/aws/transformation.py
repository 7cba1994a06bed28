"""transformation-lambda against the rival: CPU for ten messages of ten events, with canned answers."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from statistics import median
from time import process_time
from typing import Any, NamedTuple

from millrace.entrypoints.lambdas import transformation
from tests.lambdas.arriving import sqs_event, sqs_record

from . import rivals
from .account import TABLE, Account, bodies, functions, one_processor, receipts

MESSAGES, SIZE, INVOCATIONS = 10, 10, 4


class Context:
    """What of a Lambda context the handlers look at."""

    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
    function_name = "transformation-lambda"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


class Side(NamedTuple):
    """One of those that are compared, and how to give it the bodies of ten messages."""

    account: Account
    handler: Callable[[Any, Any], Any]
    event: Callable[[list[bytes]], Any]


def compare(rounds: int) -> dict[str, float]:
    """Medians of the rounds' ratios of CPU to each rival; and of the microseconds per event of each side.

    The sides take turns on the same events; what they put is asserted equal.
    """
    accounts = [Account() for _ in range(4)]
    with one_processor(), functions(accounts[0].services()):
        sides = {
            "Millrace": Side(accounts[0], transformation.handler, _inline),
            "plain": Side(accounts[1], rivals.plain(accounts[1]), _texts),
            "idempotent messages": Side(accounts[2], rivals.idempotent(accounts[2], each="message"), _texts),
            "idempotent events": Side(accounts[3], rivals.idempotent(accounts[3], each="event"), _texts),
        }
        documents = bodies(INVOCATIONS * MESSAGES * (rounds + 1), SIZE)
        measured: list[Mapping[str, float]] = []
        for turn in range(rounds + 1):
            start = turn * INVOCATIONS * MESSAGES
            mine = documents[start : start + INVOCATIONS * MESSAGES]
            measured.append({name: _seconds(side, mine) for name, side in sides.items()})
            put = [[*_items(side.account)] for side in sides.values()]
            assert len(put[0]) == INVOCATIONS * MESSAGES * SIZE, "not every event was put"
            assert all(sorted(items) == sorted(put[0]) for items in put), "other items were put"
    del measured[0]  # the round that warms up
    found = {f"÷ {name}": median(one["Millrace"] / one[name] for one in measured) for name in sides}
    events = INVOCATIONS * MESSAGES * SIZE
    return found | {name: median(one[name] for one in measured) / events * 1e6 for name in sides}


def _seconds(side: Side, documents: list[bytes]) -> float:
    asked = [side.event(documents[at : at + MESSAGES]) for at in range(0, len(documents), MESSAGES)]
    answers = []
    start = process_time()
    for event in asked:
        answers.append(side.handler(event, Context()))
    seconds = process_time() - start
    assert answers == [{"batchItemFailures": []}] * len(asked), answers
    return seconds


def _inline(documents: list[bytes]) -> Any:
    return sqs_event(*(sqs_record(raw.receipt.id, raw) for raw in receipts(documents)))


def _texts(documents: list[bytes]) -> Any:
    raws = receipts(documents)
    return sqs_event(*(sqs_record(raw.receipt.id, body=raw.body.decode()) for raw in raws))


def _items(account: Account) -> Iterable[tuple[Any, ...]]:
    """What was put into the table of curated events: identity and fields, sorted within."""
    for body in account.bodies("PutItem"):
        if body["TableName"] == TABLE:
            item = body["Item"]
            # Millrace's number goes on with a tie-break after the microseconds.
            micros = int(Decimal(item["eventTime"]["N"]) * 10**6)
            yield (
                item["eventType"]["S"],
                micros,
                item["source"]["S"],
                item["eventId"]["S"],
                sorted((name, str(_plain(value))) for name, value in item["fields"]["M"].items()),
            )


def _plain(value: Any) -> Any:
    # pydantic's Json reads 325.20 as a float: numbers are compared as such.
    return Decimal(value["N"]).normalize() if "N" in value else value
