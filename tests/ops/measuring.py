"""Metrics, log lines and alarm states put into the stack on moto, and answers of AWS's that moto cannot give."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import attrs
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.cloudwatch.models import cloudwatch_backends
from moto.logs.models import logs_backends

from millrace.adapters.aws.account import Account
from millrace.adapters.system import SystemClock
from millrace.core.times import EPOCH
from millrace.entrypoints.lambdas.measures import NAMESPACE
from millrace.entrypoints.ops.objectives import Series
from millrace.entrypoints.ops.stack import Stack
from tests.aws.opened import REGION

from .completing import ACCOUNT
from .standing import Stand

MINUTE = 60_000_000


def own(service: str, metric: str) -> Series:
    """A metric that a function writes."""
    dimensions = (("service", service), ("environment", "{environment}"))
    return Series(namespace=NAMESPACE, metric=metric, dimensions=dimensions)


def api(metric: str) -> Series:
    """A metric of the API."""
    return Series(
        namespace="AWS/ApiGateway",
        metric=metric,
        dimensions=(("ApiName", "ServerlessDataAPI{suffix}"), ("Stage", "prod")),
    )


def of_function(role: str, metric: str) -> Series:
    """A metric that Lambda writes."""
    dimensions = (("FunctionName", f"{role}-lambda{{suffix}}"),)
    return Series(namespace="AWS/Lambda", metric=metric, dimensions=dimensions)


def put(cloud: Stand, series: Series, *values: float, minutes_ago: int = 6) -> None:
    """Values that were measured some time ago."""
    stack = cloud.stack
    dimensions = series.of(suffix=stack.suffix, environment=stack.environment, machine=stack.outputs["StateMachineArn"])
    at = EPOCH + timedelta(microseconds=SystemClock().now() - minutes_ago * MINUTE)
    data = [
        {"MetricName": series.metric, "Value": value, "Timestamp": at, "Dimensions": dimensions} for value in values
    ]
    cloud.client("cloudwatch").put_metric_data(Namespace=series.namespace, MetricData=data)


def forget(cloud: Stand) -> None:
    """No metric was ever measured, no line logged, and no alarm is in ALARM."""
    backend = cloudwatch_backends[ACCOUNT][REGION]
    backend.metric_data.clear()
    for alarm in backend.alarms.values():
        alarm.update_state("well", "{}", "OK")
    for group in logs_backends[ACCOUNT][REGION].groups.values():
        group.streams.clear()


def log(cloud: Stand, role: str, *messages: str, seconds_ago: float = 60) -> None:
    """Lines of a function, a millisecond after one another."""
    group, at = f"/aws/lambda/{role}-lambda", SystemClock().now() // 1000 - int(seconds_ago * 1000)
    client, stream = cloud.client("logs"), f"{at}-{len(messages)}"
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": at + number, "message": message} for number, message in enumerate(messages)]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@contextmanager
def denied(operation: str) -> Iterator[None]:
    """AWS refuses an operation, as it does to who lacks the right, for as long as the block lasts."""
    call: Any = vars(BaseClient)["_make_api_call"]

    def answer(client: BaseClient, name: str, parameters: Any) -> Any:
        if name == operation:
            message = f"User: arn:aws:iam::{ACCOUNT}:user/night is not authorized to perform: {operation}"
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, operation)
        return call(client, name, parameters)

    with patch.object(BaseClient, "_make_api_call", answer):
        yield


@attrs.define
class Scripted:
    """An account that gives the answers it was told to; as ``Account``, of which it has the two calls.

    ``answers`` has by service and operation the pages, one after the other for each time it is asked; what was asked
    is in ``asked``.
    """

    answers: Mapping[tuple[str, str], Sequence[Sequence[Any]]]
    asked: list[dict[str, Any]] = attrs.field(factory=list)

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        """The items of the next answer."""
        times = sum(each["operation"] == operation for each in self.asked)
        self.asked.append({"operation": operation, "key": key, **parameters})
        yield from self.answers[service, operation][times]

    def stack(self, clock: Any = None) -> Stack:
        """A stack of this account."""
        outputs = {
            "Environment": "production",
            "StateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:DataProcessing",
        }
        account: Any = self
        assert hasattr(Account, "pages")
        return Stack("millrace", account, outputs, clock or SystemClock())
