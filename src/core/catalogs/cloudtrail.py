"""AWS CloudTrail log files as S3 holds them: documents whose ``Records`` are calls and sign-ins.

Fields as in the AWS CloudTrail user guide, "CloudTrail record contents". The raw log keeps all of a record; what is
curated is what operators ask for.
"""

from datetime import timedelta
from typing import Any

import attrs

from ..catalog import Catalog
from ..views.measures import Count, Distinct, First, Last

catalog = Catalog("cloudtrail")


@attrs.frozen
class UserIdentity:
    """Who made the call."""

    type: str | None = None
    arn: str | None = None
    principalId: str | None = None
    accountId: str | None = None
    userName: str | None = None
    invokedBy: str | None = None


@catalog.event("cloudtrail")
@attrs.frozen
class Record:
    """One record of a log file."""

    eventName: str
    eventSource: str
    awsRegion: str
    eventVersion: str
    userIdentity: UserIdentity = UserIdentity()
    eventType: str | None = None
    eventCategory: str | None = None
    sourceIPAddress: str | None = None
    userAgent: str | None = None
    errorCode: str | None = None
    errorMessage: str | None = None
    requestID: str | None = None
    readOnly: bool | None = None
    recipientAccountId: str | None = None


@catalog.transform(Record)
def curate(record: Record) -> dict[str, Any]:
    who = record.userIdentity
    return {
        "service": record.eventSource.removesuffix(".amazonaws.com"),
        "name": record.eventName,
        "region": record.awsRegion,
        "kind": record.eventType,
        "caller": who.arn or who.invokedBy or who.principalId or who.userName,
        "caller_type": who.type,
        "account": record.recipientAccountId or who.accountId,
        "address": record.sourceIPAddress,
        "agent": record.userAgent,
        "read_only": record.readOnly,
        "error": record.errorCode,
        "error_message": record.errorMessage,
        "request_id": record.requestID,
    }


# Names its records' fields by JSON pointer; eventID is unique, eventTime has whole seconds.
catalog.source("cloudtrail", records="/Records", type="cloudtrail", id="/eventID", time="/eventTime")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

catalog.view(
    "hourly",
    over=Record,
    every=HOUR,
    measures={"calls": Count(), "errors": Count("error"), "callers": Distinct("caller")},
)
catalog.view(
    "calls", over=Record, every=HOUR, by=["service", "name"], measures={"calls": Count(), "errors": Count("error")}
)
catalog.view(
    "errors",
    over=Record,
    every=HOUR,
    by=["error"],
    measures={"calls": Count(), "callers": Distinct("caller"), "last_message": Last("error_message")},
)
catalog.view(
    "callers",
    over=Record,
    every=DAY,
    by=["caller"],
    measures={
        "calls": Count(),
        "services": Distinct("service"),
        "first_call": First("name"),
        "last_call": Last("name"),
    },
)
