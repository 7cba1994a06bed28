"""A batch of the stream of curated events: decoded, folded into the views, and what failed named to Lambda."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...adapters.aws.feed import change_of, time_of_deleted
from ...core.errors import StoreError, TransientError
from ...core.records import Changes, Curated
from ...core.services.boundary import Boundaries
from ...core.times import format_time
from .arrivals import STREAM, UnexpectedEvent, part
from .function import Invocation
from .measures import Measure


def fold_batch(event: Mapping[str, Any], invocation: Invocation) -> dict[str, Any]:
    """Fold the insertions of a batch. Answers with the first change that must come again; none where all is well.

    Changes must reach the views without gaps, so after a passing failure all come again. An item that is no curated
    event will never be one: it is told and passed over, since waiting for it would hold up its whole shard.
    """
    if "shardId" not in event:
        raise UnexpectedEvent(
            "A DynamoDB stream event came without shardId, the origin of its positions: "
            "the event source mapping must set TumblingWindowInSeconds."
        )
    origin = part(event, STREAM, "shardId", str)
    changes, records = _changes(event, origin, invocation), event["Records"]
    try:
        if changes.records:
            _fold(changes, invocation)
        _tell_deleted(origin, records, invocation)
    except TransientError as error:
        first = records[0]["dynamodb"]["SequenceNumber"]
        invocation.log.warning(
            "changes.deferred",
            origin=changes.origin,
            changes=len(changes.records),
            error=type(error).__name__,
            cause=str(error),
        )
        invocation.metrics.count(Measure.DEFERRED, len(changes.records))
        return {"state": {}, "batchItemFailures": [{"itemIdentifier": first}]}
    return {"state": {}, "batchItemFailures": []}


def _fold(changes: Changes, invocation: Invocation) -> None:
    services = invocation.services
    services.project.fold(changes)
    lag = (services.clock.now() - min(record.curated_at for record in changes.records)) // 1000
    invocation.metrics.count(Measure.FOLDED, len(changes.records))
    invocation.metrics.milliseconds(Measure.VIEW_LAG, lag)
    invocation.log.info(
        "changes.folded",
        origin=changes.origin,
        changes=len(changes.records),
        position=str(changes.positions[-1]),
        milliseconds_since_curated=lag,
        milliseconds=invocation.milliseconds(),
    )


def _tell_deleted(origin: str, records: Iterable[Mapping[str, Any]], invocation: Invocation) -> None:
    """Count the events that were deleted from the curated store though the archive does not have them: those that are
    not behind its boundary. Views keep counting them.
    """
    times = [at for record in records if (at := time_of_deleted(record)) is not None]
    boundary = Boundaries(invocation.services.stores.views).read() if times else None
    deleted = [at for at in times if boundary is None or at >= boundary.before]
    if deleted:
        invocation.log.error(
            "events.deleted", origin=origin, events=len(deleted), earliest=format_time(min(deleted)),
            latest=format_time(max(deleted)), error="deleted from the curated store, and not archived",
        )  # fmt: skip
        invocation.metrics.count(Measure.DELETED, len(deleted))


def _changes(event: Mapping[str, Any], origin: str, invocation: Invocation) -> Changes:
    found: list[tuple[int, Curated]] = []
    for record in event["Records"]:
        change = part(record, STREAM, "dynamodb", Mapping)
        if part(record, STREAM, "eventName", str) == "INSERT":
            part(change, STREAM, "NewImage", Mapping)  # without any, the stream is of another kind
        try:
            inserted = change_of(record)
        except StoreError:  # its message may quote the item
            position = str(change.get("SequenceNumber"))
            invocation.log.error("change.refused", origin=origin, position=position, error="not a curated event")
            invocation.metrics.count(Measure.REFUSED)
        else:
            found += [] if inserted is None else [inserted]
    return Changes(origin, [position for position, _ in found], [curated for _, curated in found])
