"""Executions that ended in some way, and what moto has of none that nothing runs: histories, map runs, redrives."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import attrs
from moto.stepfunctions.models import Execution, stepfunctions_backends

from millrace.adapters.aws.account import Account
from millrace.core.jobs import JobSpec
from millrace.entrypoints.ops.executions import orchestrator
from tests.aws.opened import REGION

from .completing import ACCOUNT
from .standing import Stand

SPEC = JobSpec(receipts_per_shard=7)
BY_HAND = "by.hand"
LOST = json.dumps({"errorMessage": "receipt 4711 is gone", "errorType": "StoreError", "stackTrace": ["…"]})
START = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)

_ask, _pages = Account.ask, Account.pages


def event(second: int, kind: str, key: str = "", **details: Any) -> dict[str, Any]:
    """An event as GetExecutionHistory tells it."""
    told: dict[str, Any] = {"timestamp": START + timedelta(seconds=second), "type": kind, "id": second}
    return {**told, f"{key}EventDetails": details} if key else told


def failing(state: str, error: str, cause: str) -> list[dict[str, Any]]:
    """The history of an execution that failed in a state, reported it and ended in its Fail state."""
    return [
        event(0, "ExecutionStarted"),
        event(1, "TaskStateEntered", "stateEntered", name=state, input='{"job":"ü"}'),
        event(2, "TaskScheduled", "taskScheduled", resource="invoke"),
        event(3, "TaskFailed", "taskFailed", error=error, cause=cause),
        event(4, "TaskStateExited", "stateExited", name=state, output="{}"),
        event(5, "TaskStateEntered", "stateEntered", name="Report", input="{}"),
        event(6, "TaskScheduled", "taskScheduled", resource="sendMessage"),
        event(7, "TaskFailed", "taskFailed", error="SQS.Down", cause="throttled"),
        event(8, "TaskStateExited", "stateExited", name="Report", output="{}"),
        event(9, "FailStateEntered", "stateEntered", name="Failed", input="{}"),
        event(10, "ExecutionFailed", "executionFailed", error=error, cause=cause),
    ]


def mapping(map_run: str) -> list[dict[str, Any]]:
    """The history of an execution whose map failed."""
    why = {"error": "States.ExceedToleratedFailureThreshold", "cause": "1 of 3 failed"}
    return [
        event(1, "MapStateEntered", "stateEntered", name="Load", input="{}"),
        event(2, "MapStateStarted", "mapStateStarted", length=0),
        event(3, "MapRunStarted", "mapRunStarted", mapRunArn=map_run),
        event(4, "MapRunFailed", "mapRunFailed", **why),
        event(5, "MapStateFailed"),
        event(6, "MapStateExited", "stateExited", name="Load", output="{}"),
        event(7, "FailStateEntered", "stateEntered", name="Failed", input="{}"),
        event(8, "ExecutionFailed", "executionFailed", **why),
    ]


@attrs.define
class Steps:
    """Histories and map runs by the name of an execution, and what was redriven, in the form of the API reference of
    Step Functions.
    """

    histories: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    map_runs: dict[str, str] = attrs.field(factory=dict)
    redrivable: set[str] = attrs.field(factory=set)
    tokens: list[str] = attrs.field(factory=list)

    def ask(self, account: Account, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        if operation == "describe_map_run":
            counts = dict.fromkeys(("pending", "running", "timedOut", "aborted", "resultsWritten"), 0)
            return {"status": "FAILED", "itemCounts": {**counts, "succeeded": 2, "failed": 1, "total": 3}}
        if operation == "redrive_execution":
            self.tokens.append(parameters["clientToken"])
            return {"redriveDate": datetime.now(UTC)}
        if operation == "describe_execution" and parameters["executionArn"].endswith(":child"):
            return {"status": "FAILED", "error": "StoreError", "cause": LOST}
        told = _ask(account, service, operation, **parameters)
        if operation == "describe_execution" and told["name"] in self.redrivable:
            return {**told, "redriveStatus": "REDRIVABLE", "redriveCount": 0}
        return told

    def pages(self, account: Account, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        name = parameters.get("executionArn", "").rpartition(":")[2]
        if operation == "get_execution_history":
            return iter(self.histories.get(name, []))
        if operation == "list_map_runs":
            return iter([{"mapRunArn": self.map_runs[name]}] if name in self.map_runs else [])
        if "mapRunArn" in parameters:
            child = {"executionArn": f"{parameters['mapRunArn']}:child", "name": "child"}
            return iter([child] if parameters["statusFilter"] == "FAILED" else [])
        assert parameters.get("stateMachineArn") or operation != "list_executions"
        return _pages(account, service, operation, key, **parameters)


@contextmanager
def stepping(cloud: Stand) -> Iterator[Steps]:
    """What Step Functions knows besides, for as long as the block lasts; afterwards there is no execution."""
    known = Steps()

    def ask(account: Account, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        return known.ask(account, service, operation, **parameters)

    def pages(account: Account, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        return known.pages(account, service, operation, key, **parameters)

    with patch.object(Account, "ask", ask), patch.object(Account, "pages", pages):
        yield known
    made(cloud).clear()


def made(cloud: Stand) -> list[Execution]:
    """The executions of the stack's state machine, as moto keeps them."""
    machines = stepfunctions_backends[ACCOUNT][REGION].state_machines
    [machine] = [machine for machine in machines if machine.arn == cloud["StateMachineArn"]]
    executions: list[Execution] = machine.executions
    return executions


def names(cloud: Stand) -> list[str]:
    return [execution.name for execution in made(cloud)]


def ended(cloud: Stand, name: str, status: str = "FAILED", error: str | None = "StoreError", *, ago: int = 0) -> None:
    """The execution of that name is over, since so many hours."""
    [execution] = [execution for execution in made(cloud) if execution.name == name]
    execution.status, execution.error, execution.cause = status, error, LOST if error else None
    execution.stop_date = datetime.now(UTC) - timedelta(hours=ago)
    execution.start_date = execution.stop_date - timedelta(minutes=3)


def job(cloud: Stand, name: str, status: str = "FAILED", error: str | None = "StoreError", *, ago: int = 0) -> None:
    """A job of that name that is over."""
    orchestrator(cloud.stack).start(SPEC, name)
    ended(cloud, name, status, error, ago=ago)


def by_hand(cloud: Stand, status: str = "FAILED") -> None:
    """An execution of no job."""
    arn = cloud["StateMachineArn"]
    cloud.client("stepfunctions").start_execution(stateMachineArn=arn, name=BY_HAND, input='{"other": 1}')
    ended(cloud, BY_HAND, status)
