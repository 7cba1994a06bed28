"""The rival: what transformation-lambda is when made of Powertools batch, pydantic models and boto3's ``put_item``.

It does less than Millrace: no ledger, no log lines, no metrics. Values go to DynamoDB in wire form without boto3's
serializer, which is the cheapest way to call ``put_item``.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import Json

from tests.benchmarks.catalog import amount_is_plausible, curate, has_items
from tests.benchmarks.workload import EventModel

from .account import REGION, TABLE, Account

Handler = Callable[[Any, Any], Any]


class MessageModel(SqsRecordModel):
    """A message whose body is a list of events."""

    body: Json[list[EventModel]]  # type: ignore[assignment]


def plain(account: Account) -> Handler:
    """The handler."""
    put = _put(account)

    def process(record: MessageModel) -> None:
        for event in record.body:
            put(event)

    return _handler(process)


def idempotent(account: Account, *, each: str) -> Handler:
    """The same with Powertools idempotency on DynamoDB, for each "message" or for each "event"."""
    put, kept = _put(account), _persistence(account)
    if each == "message":
        by_id = IdempotencyConfig(event_key_jmespath="messageId")

        @idempotent_function(data_keyword_argument="record", persistence_store=kept, config=by_id)  # type: ignore[untyped-decorator]
        def process(record: MessageModel) -> None:
            for event in record.body:
                put(event)

        return _registered(_handler(process), by_id)

    by_identity = IdempotencyConfig(event_key_jmespath="[source, eventId]")

    @idempotent_function(data_keyword_argument="event", persistence_store=kept, config=by_identity)  # type: ignore[untyped-decorator]
    def one(event: EventModel) -> None:
        put(event)

    def process_each(record: MessageModel) -> None:
        for event in record.body:
            one(event=event)

    return _registered(_handler(process_each), by_identity)


def _registered(handler: Handler, config: IdempotencyConfig) -> Handler:
    def registering(event: Any, context: Any) -> Any:
        config.register_lambda_context(context)  # an interrupted call is known by the time that was left
        return handler(event, context)

    return registering


def _handler(process: Callable[[MessageModel], None]) -> Handler:
    processor = BatchProcessor(event_type=EventType.SQS, model=MessageModel)

    def handler(event: Any, context: Any) -> Any:
        return process_partial_response(event=event, record_handler=process, processor=processor, context=context)

    return handler


def _put(account: Account) -> Callable[[EventModel], None]:
    client = _client(account)

    def put(event: EventModel) -> None:
        data: Any = event.data
        if not (amount_is_plausible(data) and has_items(data)):
            return
        client.put_item(
            TableName=TABLE,
            Item={
                "eventType": {"S": event.eventType},
                "key": {"S": f"{event.eventTime.isoformat()}#{event.source}#{event.eventId}"},
                "eventTime": {"N": str(_seconds(event.eventTime))},
                "source": {"S": event.source},
                "eventId": {"S": event.eventId},
                "fields": {"M": {name: _wire(value) for name, value in curate(data).items()}},
            },
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": "eventType"},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    return put


def _client(account: Account) -> Any:
    return boto3.session.Session(botocore_session=account.session(), region_name=REGION).client("dynamodb")


def _persistence(account: Account) -> DynamoDBPersistenceLayer:
    return DynamoDBPersistenceLayer(table_name="Idempotency", boto3_client=_client(account))


def _seconds(time: datetime) -> Decimal:
    return Decimal(int(time.timestamp())) + Decimal(time.microsecond).scaleb(-6)


def _wire(value: Any) -> dict[str, Any]:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int | Decimal) else {"S": value}
