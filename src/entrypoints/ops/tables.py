"""A stack's tables as DynamoDB has them: what is there, waiting for it, and the settings that the template gives.

A table that was restored has none of its settings: not the stream, expiry, recovery and protection that the template
declares (DynamoDB developer guide, "Restoring a DynamoDB table from a backup").
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ...adapters.aws.account import Refused
from ...core.errors import StoreError, TransientError
from .backups import Sleep, continuous
from .findings import Change
from .stack import Stack

PATIENCE_SECONDS: Final = 7200.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0

STREAM: Final = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
"""Of the table of curated events (deploy/stacks/storage.yaml)."""
EXPIRY: Final = {"AttributeName": "expiresAt", "Enabled": True}


def described(stack: Stack, table: str) -> Mapping[str, Any] | None:
    """A table as DynamoDB describes it; None where there is none."""
    try:
        found: Mapping[str, Any] = stack.ask("dynamodb", "describe_table", TableName=table)["Table"]
    except Refused as refused:
        if refused.code != "ResourceNotFoundException":
            raise
        return None
    return found


def wait_for(stack: Stack, table: str, sleep: Sleep = time.sleep) -> None:
    """Until a table can be used. Raises ``TransientError`` where that takes hours."""
    waited, pause = 0.0, FIRST_PAUSE
    while True:
        found = described(stack, table)
        status = "not there" if found is None else str(found["TableStatus"])
        if status == "ACTIVE":
            return
        if waited >= PATIENCE_SECONDS:
            raise TransientError(f"{table} is still {status} after {waited / 60:.0f} minutes; the same command goes on")
        sleep(pause)
        waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE)


def settings(stack: Stack, table: str, existing: Mapping[str, Any] | None, sleep: Sleep) -> list[Change]:
    """What the template sets of a table, and a restored one has not: recovery, protection, and of the curated events
    the stream, and expiry.
    """
    known: Mapping[str, Any] = existing or {}

    def update(**settings: Any) -> Callable[[], None]:
        def apply() -> None:
            stack.ask("dynamodb", "update_table", TableName=table, **settings)
            wait_for(stack, table, sleep)

        return apply

    def recover() -> None:
        stack.ask(
            "dynamodb",
            "update_continuous_backups",
            TableName=table,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )

    def expire() -> None:
        stack.ask("dynamodb", "update_time_to_live", TableName=table, TimeToLiveSpecification=EXPIRY)

    recovers = bool(known) and continuous(stack, table).on
    protected = stack.environment == "production"
    changes = [
        Change(f"{table}, point in time", "on" if recovers else "off", "on", recover),
        Change(
            f"{table}, deletion protection",
            bool(known.get("DeletionProtectionEnabled")),
            protected,
            update(DeletionProtectionEnabled=protected),
        ),
    ]
    if table == stack.outputs["CuratedTable"]:
        streams = bool(known.get("StreamSpecification", {}).get("StreamEnabled"))
        expires = bool(known) and _expires(stack, table)
        follow = _Following(stack, table)
        changes += [
            Change(f"{table}, stream", "on" if streams else "off", "on", update(StreamSpecification=STREAM)),
            Change(f"{table}, expiry", "on" if expires else "off", "on", expire),
            Change(f"{follow.function}, source of changes", follow.source, "the table's stream", follow.move),
        ]
    return changes


def _expires(stack: Stack, table: str) -> bool:
    told = stack.ask("dynamodb", "describe_time_to_live", TableName=table)["TimeToLiveDescription"]
    return told.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")


class _Following:
    """The event source mapping that brings the changes of the curated events to analytics-lambda."""

    KEPT: Final = (
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "FilterCriteria",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "TumblingWindowInSeconds",
    )
    """The settings of a mapping that the new one takes over from the old one (API reference,
    CreateEventSourceMapping)."""

    def __init__(self, stack: Stack, table: str) -> None:
        self._stack, self._table = stack, table
        self.function = stack.function("analytics")

    @property
    def source(self) -> str:
        """Where changes come from now, as it is told of a change."""
        found = described(self._stack, self._table)
        stream = None if found is None else found.get("LatestStreamArn")
        sources = [mapping["EventSourceArn"] for mapping in self._mappings()]
        return "the table's stream" if stream is not None and sources == [stream] else "a stream that is gone"

    def move(self) -> None:
        """Follow the table's stream, and no other one of its name. Raises ``StoreError`` where nothing followed any."""
        found = described(self._stack, self._table)
        stream = None if found is None else found.get("LatestStreamArn")
        old = [mapping for mapping in self._mappings() if mapping["EventSourceArn"] != stream]
        if stream is None or (not old and self.source != "the table's stream"):
            raise StoreError(f"{self.function} follows no stream of {self._table}: deploy the stack to have it do so")
        for mapping in old:
            settings = {name: mapping[name] for name in self.KEPT if mapping.get(name) not in (None, [], {})}
            self._create(stream, mapping["FunctionArn"], settings)
            self._stack.ask("lambda", "delete_event_source_mapping", UUID=mapping["UUID"])

    def _create(self, stream: str, function: str, settings: Mapping[str, Any]) -> None:
        try:
            self._stack.ask(
                "lambda",
                "create_event_source_mapping",
                EventSourceArn=stream,
                FunctionName=function,
                StartingPosition="TRIM_HORIZON",
                **settings,
            )
        except Refused as refused:
            if refused.code != "ResourceConflictException":  # somebody else has just made it
                raise

    def _mappings(self) -> Sequence[Mapping[str, Any]]:
        # All of the account: asked for a function's, Lambda leaves out those of its aliases.
        pages = self._stack.account.pages("lambda", "list_event_source_mappings", "EventSourceMappings")
        return [
            each
            for each in pages
            if f":table/{self._table}/stream/" in each.get("EventSourceArn", "")
            and f":function:{self.function}" in each["FunctionArn"]
        ]
